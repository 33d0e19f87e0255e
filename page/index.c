/* SPDX-License-Identifier: Apache-2.0 */
/* All targets' document. Of each: the newest figures, memory in use over time,
 * and the verdict that the daemon recorded; where none was, it is judged here
 * while the budget lasts. */
#include <math.h>
#include <stdlib.h>

#include "analysis/verdict_json.h"
#include "common/clock.h"
#include "page/page_int.h"
#include "schema/snapshot_json.h"
#include "store/alert.h"

#define ROWS 96
#define STALE_NS                                                               \
	(2 * 3600 * HT_NS_PER_S) /* a verdict, against the newest sample */
#define ALERT_MAX 500

static const enum ht_metric shown[] = {HT_M_rss,       HT_M_pss,
				       HT_M_in_use,    HT_M_retained,
				       HT_M_trimmable, HT_M_non_malloc_anon,
				       HT_M_external,  HT_M_limit};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

struct reading {
	struct ht_store *store;
	const struct ht_page_index_ask *ask;
	json_t *targets, *alerts, *silences;
	int64_t from_ns, to_ns, end_ns; /* end: of the budget, monotonic */
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

/* The newest known value: PSS is read once in a while. */
static double newest(const struct ht_series *s, enum ht_metric m)
{
	const double *v = s->metric[m][HT_STAT_MEDIAN];

	for (size_t row = s->rows; row-- > 0;)
		if (!isnan(v[row]))
			return v[row];
	return NAN;
}

static void put_figures(json_t **o, const struct ht_series *s)
{
	for (size_t i = 0; i < SHOWN; i++) {
		double v = newest(s, shown[i]);
		json_t *value = ht_page_column(&v, 1);

		ht_page_put(o, ht_metric_infos[shown[i]].name,
			    json_incref(json_array_get(value, 0)));
		json_decref(value);
	}
	ht_page_put(o, "times_s", ht_page_times(s->time_ns, s->rows));
	ht_page_put(o, "in_use_over_time",
		    ht_page_column(s->metric[HT_M_in_use][HT_STAT_MEDIAN],
				   s->rows));
	ht_page_put(
		o, "rss_over_time",
		ht_page_column(s->metric[HT_M_rss][HT_STAT_MEDIAN], s->rows));
}

static json_t *target_json(struct reading *r, const struct ht_store_process *p,
			   const struct ht_series *s)
{
	const char *page = r->ask->page ? r->ask->page(r->ask->ctx, p) : NULL;
	json_t *o = json_object();

	ht_page_put(&o, "process_id", json_integer(p->id));
	ht_page_put(&o, "target",
		    ht_text_json(*p->target ? p->target : p->comm));
	ht_page_put(&o, "pid", ht_u64_json(p->pid));
	ht_page_put(&o, "comm", ht_text_json(p->comm));
	ht_page_put(&o, "exe", ht_optional_text_json(p->exe));
	ht_page_put(&o, "first", ht_time_json(p->first_ns));
	ht_page_put(&o, "last", ht_time_json(p->last_ns));
	ht_page_put(&o, "ended_at", ht_time_json(p->ended_ns));
	ht_page_put(&o, "samples", ht_u64_json(p->samples));
	ht_page_put(&o, "page", page ? ht_text_json(page) : json_null());
	ht_page_put(&o, "verdict", recorded_verdict(r, p) ?: judge_now(r, p));
	put_figures(&o, s);
	return o;
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
	if (!r->from_ns || p->first_ns < r->from_ns)
		r->from_ns = p->first_ns;
	if (p->last_ns > r->to_ns)
		r->to_ns = p->last_ns;
	if (json_array_append_new(r->targets, target_json(r, p, &s)))
		r->code = ht_fail(r->err, HT_NOMEM, "out of memory for a page");
	return r->code != HT_OK;
}

static int take_alert(void *ctx, const struct ht_alert *a)
{
	struct reading *r = ctx;

	json_array_append_new(
		r->alerts,
		json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "rule",
			  ht_text_json(a->rule), "target",
			  ht_text_json(a->target), "severity",
			  ht_optional_text_json(a->severity), "state",
			  a->state == HT_ALERT_FIRING ? "firing" : "pending",
			  "since",
			  ht_time_json(a->firing_ns ? a->firing_ns
						    : a->pending_ns),
			  "summary", ht_text_json(a->summary)));
	return json_array_size(r->alerts) >= ALERT_MAX;
}

static int take_silence(void *ctx, const struct ht_silence *s)
{
	struct reading *r = ctx;

	json_array_append_new(r->silences,
			      json_pack("{s:o, s:o, s:o, s:o, s:o}", "rule",
					ht_text_json(s->rule), "target",
					ht_text_json(s->target), "until",
					ht_time_json(s->until_ns), "author",
					ht_optional_text_json(s->author),
					"comment",
					ht_optional_text_json(s->comment)));
	return json_array_size(r->silences) >= ALERT_MAX;
}

static json_t *index_json(const struct reading *r)
{
	json_t *o = json_object();

	ht_page_put(&o, "schema", json_string(HT_PAGE_INDEX_SCHEMA));
	ht_page_put(&o, "taken_at", ht_time_json(ht_wall_ns()));
	ht_page_put(&o, "version", json_string(HT_VERSION));
	ht_page_put(&o, "zone", ht_page_zone(r->from_ns, r->to_ns));
	ht_page_put(&o, "targets", json_incref(r->targets));
	ht_page_put(&o, "alerts", json_incref(r->alerts));
	ht_page_put(&o, "silences", json_incref(r->silences));
	return o;
}

enum ht_code ht_page_index(struct ht_store *store,
			   const struct ht_page_index_ask *ask, json_t **ret,
			   struct ht_err *err)
{
	struct reading r = {.store = store,
			    .ask = ask,
			    .targets = json_array(),
			    .alerts = json_array(),
			    .silences = json_array(),
			    .end_ns = ht_mono_ns() + ask->budget_ns,
			    .err = err};
	enum ht_code code;

	for (size_t i = 0; i < SHOWN; i++)
		r.metrics[shown[i]] = true;
	code = ht_store_processes(store, each, &r, err);
	if (code == HT_OK)
		code = r.code;
	if (code == HT_OK)
		code = ht_store_alerts(store, true, ht_wall_ns(), take_alert,
				       &r, err);
	if (code == HT_OK)
		code = ht_store_silences(store, ht_wall_ns(), take_silence, &r,
					 err);
	*ret = code == HT_OK ? index_json(&r) : NULL;
	if (code == HT_OK && !*ret)
		code = ht_fail(err, HT_NOMEM, "out of memory for a page");
	json_decref(r.targets);
	json_decref(r.alerts);
	json_decref(r.silences);
	return code;
}
