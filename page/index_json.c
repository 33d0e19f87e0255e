/* SPDX-License-Identifier: Apache-2.0 */
/* The document of all targets, from whoever knows them: of each the newest
 * figures, memory in use over time, and a verdict. */
#include <math.h>

#include "common/clock.h"
#include "page/page_int.h"
#include "schema/snapshot_json.h"
#include "store/alert.h"

#define ALERT_MAX 500

const bool *ht_page_index_metrics(void)
{
	static const bool wanted[HT_METRIC_COUNT] = {
		[HT_M_rss] = true,	 [HT_M_pss] = true,
		[HT_M_in_use] = true,	 [HT_M_retained] = true,
		[HT_M_trimmable] = true, [HT_M_non_malloc_anon] = true,
		[HT_M_external] = true,	 [HT_M_limit] = true};

	return wanted;
}

void ht_page_index_init(struct ht_page_index *x)
{
	*x = (struct ht_page_index){.targets = json_array(),
				    .alerts = json_array(),
				    .silences = json_array()};
}

void ht_page_index_fini(struct ht_page_index *x)
{
	json_decref(x->targets);
	json_decref(x->alerts);
	json_decref(x->silences);
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
	for (size_t m = 0; m < HT_METRIC_COUNT; m++) {
		double v = newest(s, (enum ht_metric)m);
		json_t *value;

		if (!ht_page_index_metrics()[m])
			continue;
		value = ht_page_column(&v, 1);
		ht_page_put(o, ht_metric_infos[m].name,
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

bool ht_page_index_add(struct ht_page_index *x,
		       const struct ht_store_process *p,
		       const struct ht_series *s, const char *page,
		       json_t *verdict)
{
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
	ht_page_put(&o, "verdict", verdict);
	put_figures(&o, s);
	if (p->first_ns && (!x->from_ns || p->first_ns < x->from_ns))
		x->from_ns = p->first_ns;
	if (p->last_ns > x->to_ns)
		x->to_ns = p->last_ns;
	return json_array_append_new(x->targets, o) == 0;
}

bool ht_page_index_add_alert(struct ht_page_index *x, const struct ht_alert *a)
{
	json_array_append_new(
		x->alerts,
		json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "rule",
			  ht_text_json(a->rule), "target",
			  ht_text_json(a->target), "severity",
			  ht_optional_text_json(a->severity), "state",
			  a->state == HT_ALERT_FIRING ? "firing" : "pending",
			  "since",
			  ht_time_json(a->firing_ns ? a->firing_ns
						    : a->pending_ns),
			  "summary", ht_text_json(a->summary)));
	return json_array_size(x->alerts) < ALERT_MAX;
}

bool ht_page_index_add_silence(struct ht_page_index *x,
			       const struct ht_silence *s)
{
	json_array_append_new(x->silences,
			      json_pack("{s:o, s:o, s:o, s:o, s:o}", "rule",
					ht_text_json(s->rule), "target",
					ht_text_json(s->target), "until",
					ht_time_json(s->until_ns), "author",
					ht_optional_text_json(s->author),
					"comment",
					ht_optional_text_json(s->comment)));
	return json_array_size(x->silences) < ALERT_MAX;
}

json_t *ht_page_index_json(const struct ht_page_index *x)
{
	json_t *o = json_object();

	ht_page_put(&o, "schema", json_string(HT_PAGE_INDEX_SCHEMA));
	ht_page_put(&o, "taken_at", ht_time_json(ht_wall_ns()));
	ht_page_put(&o, "version", json_string(HT_VERSION));
	ht_page_put(&o, "zone", ht_page_zone(x->from_ns, x->to_ns));
	ht_page_put(&o, "no_history",
		    ht_optional_text_json(x->no_history ? x->no_history : ""));
	ht_page_put(&o, "targets", json_incref(x->targets));
	ht_page_put(&o, "alerts", json_incref(x->alerts));
	ht_page_put(&o, "silences", json_incref(x->silences));
	return o;
}
