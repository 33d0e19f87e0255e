/* SPDX-License-Identifier: Apache-2.0 */
/* Sites: the call stacks that a daemon saw make a leak, with what became of
 * their chunks: the newest answer of this life. */
#include <string.h>

#include "common/demangle.h"
#include "page/page_int.h"
#include "schema/snapshot_json.h"
#include "store/who.h"

struct reading {
	json_t *answer; /* NULL: none yet, or out of memory */
	json_t *list;	/* of its sites, borrowed */
	int64_t stack_id[HT_STORE_SITES_MAX];
	size_t n;
};

static json_t *site_json(const struct ht_store_site *site)
{
	json_t *o = ht_record_json(HT_RECORD_site, &site->seen, NULL);

	ht_page_put(&o, "name", ht_text_json(site->name));
	ht_page_put(&o, "leaking",
		    site->leaking < 0 ? json_null()
				      : json_boolean(site->leaking));
	ht_page_put(&o, "survival", ht_real_json(site->survival));
	ht_page_put(&o, "survival_low", ht_real_json(site->low));
	ht_page_put(&o, "survival_high", ht_real_json(site->high));
	ht_page_put(&o, "bytes_per_s", ht_real_json(site->bytes_per_s));
	ht_page_put(&o, "share_of_growth", ht_real_json(site->share_of_growth));
	ht_page_put(&o, "confidence", ht_real_json(site->confidence));
	return o;
}

static int take(void *ctx, const struct ht_store_who *who,
		const struct ht_store_site *site)
{
	struct reading *r = ctx;

	if (!r->answer) {
		r->answer = json_object();
		r->list = json_array();
		ht_page_put(&r->answer, "time", ht_time_json(who->at_ns));
		ht_page_put(&r->answer, "max_size",
			    ht_u64_json(who->max_size ?: HT_UNKNOWN));
		ht_page_put(&r->answer, "growth_bytes_per_s",
			    ht_real_json(who->growth));
		ht_page_put(
			&r->answer, "windows",
			ht_record_json(HT_RECORD_windows, &who->windows, NULL));
		ht_page_put(&r->answer, "list", r->list);
	}
	if (!r->answer || !site || r->n == HT_STORE_SITES_MAX)
		return r->answer && site;
	r->stack_id[r->n++] = site->stack_id;
	return json_array_append_new(r->list, site_json(site));
}

static json_t *frames_json(const struct ht_snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->stack_frames.n; i++) {
		const struct ht_stack_frame *f = &s->stack_frames.v[i];
		json_t *o = ht_record_json(HT_RECORD_stack_frame, f, NULL);
		char name[sizeof(f->function)];

		ht_page_put(&o, "function",
			    *f->function
				    ? ht_text_json(ht_demangle_function(
					      f->function, name, sizeof(name)))
				    : json_null());
		if (o)
			json_object_del(o, "site");
		json_array_append_new(list, o);
	}
	return list;
}

static enum ht_code read_stacks(struct ht_store *store, struct reading *r,
				struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < r->n && code == HT_OK; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot stack;

		ht_snapshot_init(&stack);
		code = ht_store_stack(store, r->stack_id[i], &stack, err);
		if (code == HT_OK)
			json_object_set_new(json_array_get(r->list, i),
					    "frames", frames_json(&stack));
	}
	return code;
}

enum ht_code ht_page_sites(struct ht_store *store, int64_t process_id,
			   int64_t at_ns, json_t **ret, struct ht_err *err)
{
	struct reading r = {0};
	int64_t asked_ns;
	enum ht_code code = ht_store_who_before(
		store, process_id, at_ns ? at_ns : INT64_MAX, &asked_ns, err);

	if (code == HT_OK && asked_ns)
		code = ht_store_sites(store, process_id, asked_ns, asked_ns,
				      take, &r, err);
	if (code == HT_OK && asked_ns && !r.answer)
		code = ht_fail(err, HT_NOMEM, "out of memory for a page");
	if (code == HT_OK && r.answer)
		code = read_stacks(store, &r, err);
	if (code == HT_OK)
		*ret = r.answer;
	else
		json_decref(r.answer);
	return code;
}
