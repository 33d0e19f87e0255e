/* SPDX-License-Identifier: Apache-2.0 */
/* All targets' document from a store. Of each: its figures over time and the
 * verdict that the daemon recorded; where none was, it is judged here while the
 * budget lasts. */
#include <string.h>

#include "analysis/verdict_json.h"
#include "common/clock.h"
#include "page/page_int.h"
#include "schema/snapshot_json.h"
#include "store/alert.h"

#define ROWS 96
#define STALE_NS                                                               \
	(2 * 3600 * HT_NS_PER_S) /* a verdict, against the newest sample */

struct reading {
	struct ht_store *store;
	const struct ht_page_index_ask *ask;
	struct ht_page_index index;
	int64_t end_ns; /* of the budget, monotonic */
	bool metrics[HT_METRIC_COUNT];
	enum ht_code code;
	struct ht_err *err;
};

static json_t *recorded_verdict(struct reading *r,
				const struct ht_store_process *p)
{
	HT_AUTO_FREE char *text = NULL;
	int64_t at_ns = 0;

	if (ht_store_last_verdict(r->store, p->id, &at_ns, &text, NULL) !=
		    HT_OK ||
	    p->last_ns - at_ns > STALE_NS)
		return NULL;
	return json_loads(text, 0, NULL);
}

static json_t *judge_now(struct reading *r, const struct ht_store_process *p)
{
	HT_AUTO_JUDGED struct ht_judged j;

	ht_judged_init(&j);
	j.process = *p;
	if (ht_mono_ns() >= r->end_ns ||
	    ht_judged_read(r->store, 0, 0, &j, NULL) != HT_OK)
		return json_null();
	return ht_verdict_json(&j.verdict, *p->target ? p->target : p->comm,
			       p->pid, NULL);
}

static int each(void *ctx, const struct ht_store_process *p)
{
	struct reading *r = ctx;
	HT_AUTO_SERIES struct ht_series s;

	if (p->last_ns < r->ask->since_ns)
		return 0;
	ht_series_init(&s);
	r->code = ht_store_series_of(r->store, p->id, r->ask->since_ns,
				     INT64_MAX, ROWS, HT_SERIES_MEDIANS,
				     r->metrics, &s, r->err);
	if (r->code != HT_OK && r->code != HT_NODATA)
		return 1;
	r->code = HT_OK;
	if (!ht_page_index_add(&r->index, p, &s,
			       r->ask->page ? r->ask->page(r->ask->ctx, p)
					    : NULL,
			       recorded_verdict(r, p) ?: judge_now(r, p)))
		r->code = ht_fail(r->err, HT_NOMEM, "out of memory for a page");
	return r->code != HT_OK;
}

static int take_alert(void *ctx, const struct ht_alert *a)
{
	struct reading *r = ctx;

	return !ht_page_index_add_alert(&r->index, a);
}

static int take_silence(void *ctx, const struct ht_silence *s)
{
	struct reading *r = ctx;

	return !ht_page_index_add_silence(&r->index, s);
}

enum ht_code ht_page_index(struct ht_store *store,
			   const struct ht_page_index_ask *ask, json_t **ret,
			   struct ht_err *err)
{
	struct reading r = {.store = store,
			    .ask = ask,
			    .end_ns = ht_mono_ns() + ask->budget_ns,
			    .err = err};
	enum ht_code code;

	ht_page_index_init(&r.index);
	memcpy(r.metrics, ht_page_index_metrics(), sizeof(r.metrics));
	code = ht_store_processes(store, each, &r, err);
	if (code == HT_OK)
		code = r.code;
	if (code == HT_OK)
		code = ht_store_alerts(store, true, ht_wall_ns(), take_alert,
				       &r, err);
	if (code == HT_OK)
		code = ht_store_silences(store, ht_wall_ns(), take_silence, &r,
					 err);
	*ret = code == HT_OK ? ht_page_index_json(&r.index) : NULL;
	if (code == HT_OK && !*ret)
		code = ht_fail(err, HT_NOMEM, "out of memory for a page");
	ht_page_index_fini(&r.index);
	return code;
}
