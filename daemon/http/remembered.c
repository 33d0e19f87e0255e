/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http/remembered.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

#include "analysis/verdict_json.h"
#include "common/clock.h"
#include "page/page.h"

int64_t ht_remembered_id(uint64_t number)
{
	return -2 - (int64_t)number;
}

const struct ht_watched *ht_remembered_find(const struct ht_parts *parts,
					    int64_t id)
{
	HT_EACH_PROCESS (&parts->registry, p)
		if (id > 0 ? p->store_id == id : ht_remembered_id(p->id) == id)
			return p;
	return NULL;
}

static struct ht_store_process process_of(const struct ht_watched *p)
{
	struct ht_store_process r = {.id = p->store_id,
				     .pid = (uint64_t)p->pid,
				     .samples = p->samples,
				     .last_ns = p->latest.taken_ns};

	snprintf(r.target, sizeof(r.target), "%s", p->target);
	snprintf(r.comm, sizeof(r.comm), "%s", p->comm);
	snprintf(r.exe, sizeof(r.exe), "%s", p->exe);
	r.started_ns = p->started_at_ns;
	if (p->recent && p->recent->rows)
		r.first_ns = p->recent->time_ns[0];
	return r;
}

static bool is_measured(const struct ht_watched *p)
{
	return p->recent && p->recent->rows > 0;
}

/* The last one of its history, else of what is remembered. */
static void judge(const struct ht_watched *p, struct ht_verdict *ret)
{
	const struct ht_series *s = p->recent;
	HT_AUTO_SNAPSHOT struct ht_snapshot newest;

	ht_snapshot_init(&newest);
	if (p->judged)
		*ret = p->verdict;
	else
		ht_verdict(s, s->time_ns[s->rows - 1],
			   ht_newest_read(&p->newest, &newest) ? &newest : NULL,
			   ret);
}

/* --- all ----------------------------------------------------------------- */

static bool add_target(struct ht_page_index *x, const struct ht_watched *p)
{
	const struct ht_store_process process = process_of(p);
	HT_AUTO_SERIES struct ht_series none;
	struct ht_verdict verdict;
	json_t *said = NULL;
	char page[40];

	ht_series_init(&none);
	if (is_measured(p)) {
		judge(p, &verdict);
		said = ht_verdict_json(&verdict, p->target, process.pid, NULL);
	}
	if (p->store_id)
		snprintf(page, sizeof(page), "p/%" PRId64, p->store_id);
	else
		snprintf(page, sizeof(page), "now/%" PRIu64, p->id);
	return ht_page_index_add(x, &process, p->recent ?: &none, page,
				 said ?: json_null());
}

static json_t *all_json(const struct ht_parts *parts, const char *why)
{
	const struct ht_alerts *a = &parts->alerts;
	struct ht_page_index x;
	struct ht_alert_entry *e;
	json_t *o = NULL;
	bool whole = true;

	ht_page_index_init(&x);
	x.no_history = why;
	HT_EACH_PROCESS (&parts->registry, p)
		whole = whole && add_target(&x, p);
	DL_FOREACH (a->list, e)
		if ((e->alert.state == HT_ALERT_PENDING ||
		     e->alert.state == HT_ALERT_FIRING) &&
		    !ht_page_index_add_alert(&x, &e->alert))
			break;
	for (size_t i = 0; i < a->silences_n; i++)
		if (!ht_page_index_add_silence(&x, &a->silences[i]))
			break;
	if (whole)
		o = ht_page_index_json(&x);
	ht_page_index_fini(&x);
	return o;
}

/* --- one ----------------------------------------------------------------- */

static bool add_alerts(struct ht_page *page, const struct ht_parts *parts,
		       const struct ht_watched *p)
{
	struct ht_alert_entry *e;

	DL_FOREACH (parts->alerts.list, e) {
		struct ht_alert a = e->alert;

		if (strcmp(a.process_key, p->key) != 0)
			continue;
		a.process_id = page->judged.process.id;
		if (!ht_page_add_alert(page, &a))
			return false;
	}
	return true;
}

static enum ht_code one_json(const struct ht_parts *parts,
			     const struct ht_watched *p, const char *why,
			     json_t **ret, struct ht_err *err)
{
	struct ht_page page;
	bool whole;

	if (!is_measured(p))
		return ht_fail(err, HT_NODATA, "pid %d was not measured yet",
			       (int)p->pid);
	ht_page_init(&page);
	page.no_history = why;
	page.judged.process = process_of(p);
	judge(p, &page.judged.verdict);
	whole = add_alerts(&page, parts, p);
	page.series = *p->recent; /* lent to it: taken back below */
	page.judged.have_latest =
		ht_newest_read(&p->newest, &page.judged.latest);
	*ret = whole ? ht_page_json(&page) : NULL;
	ht_series_init(&page.series);
	ht_page_fini(&page);
	return *ret ? HT_OK : ht_fail(err, HT_NOMEM, "out of memory");
}

enum ht_code ht_remembered_write(const struct ht_parts *parts, int64_t id,
				 const char *why, FILE *to, struct ht_err *err)
{
	const struct ht_watched *p = id ? ht_remembered_find(parts, id) : NULL;
	json_t *document = NULL;
	enum ht_code code = HT_OK;

	if (id && !p)
		return ht_fail(err, HT_NODATA,
			       "no process of this number is watched");
	if (p)
		code = one_json(parts, p, why, &document, err);
	else
		document = all_json(parts, why);
	if (code == HT_OK && !document)
		code = ht_fail(err, HT_NOMEM, "out of memory");
	if (code == HT_OK &&
	    (json_dumpf(document, to, JSON_COMPACT | JSON_REAL_PRECISION(12)) ||
	     fflush(to)))
		code = ht_fail_sys(err, HT_SYS, errno, "write the document");
	json_decref(document);
	return code;
}
