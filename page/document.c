/* SPDX-License-Identifier: Apache-2.0 */
/* One target's document. */
#include <math.h>

#include "analysis/verdict_json.h"
#include "common/clock.h"
#include "page/page_int.h"
#include "schema/snapshot_json.h"

static bool is_known(const double *v, size_t rows)
{
	for (size_t row = 0; row < rows; row++)
		if (!isnan(v[row]))
			return true;
	return false;
}

static json_t *chart_json(const char *name, const char *unit, const char *help,
			  const double *value, size_t rows)
{
	json_t *o = json_object();

	ht_page_put(&o, "name", ht_text_json(name));
	ht_page_put(&o, "unit", ht_text_json(unit));
	ht_page_put(&o, "help", ht_text_json(help));
	ht_page_put(&o, "values", ht_page_column(value, rows));
	return o;
}

/* What no sample of the window knows is left out. */
static json_t *metrics_json(const struct ht_series *s)
{
	json_t *list = json_array();

	for (size_t m = 0; m < HT_METRIC_COUNT; m++) {
		const struct ht_metric_info *info = &ht_metric_infos[m];
		const double *v = s->metric[m][HT_STAT_MEDIAN];

		if (is_known(v, s->rows))
			json_array_append_new(
				list, chart_json(info->name, info->unit,
						 info->help, v, s->rows));
	}
	return list;
}

static json_t *asked_json(const struct ht_page *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->asked_n; i++) {
		const struct ht_page_asked *a = &p->asked[i];

		json_array_append_new(list,
				      chart_json(a->name, a->unit, a->help,
						 a->value, p->series.rows));
	}
	return list;
}

/* Where no row knows the heap, what is left of RSS is that, too. */
static const char *band_name(const struct ht_series *s, size_t b)
{
	const double *heap = s->metric[HT_M_heap_resident][HT_STAT_MEDIAN];

	return b == HT_BAND_OUTSIDE && !is_known(heap, s->rows)
		       ? "anonymous memory, its use not known"
		       : ht_page_band_names[b];
}

static json_t *bands_json(const struct ht_series *s)
{
	HT_AUTO_FREE double *cells = ht_page_bands(s);
	json_t *list = json_array();

	for (size_t b = 0; cells && b < HT_PAGE_BANDS; b++)
		json_array_append_new(list,
				      chart_json(band_name(s, b), "bytes", "",
						 cells + b * s->rows, s->rows));
	return list;
}

/* Rows before which something was missed or done: no line joins them. */
static json_t *cuts_json(const struct ht_series *s)
{
	json_t *list = json_array();

	for (size_t row = 1; row < s->rows; row++)
		if (s->cut[row])
			json_array_append_new(list,
					      json_integer((json_int_t)row));
	return list;
}

static json_t *window_json(const struct ht_page *p)
{
	const struct ht_series *s = &p->series;

	return json_pack(
		"{s:o, s:o, s:o}", "since", ht_time_json(p->ask.since_ns),
		"until", ht_time_json(p->ask.until_ns), "step_s",
		s->step_ns ? json_real((double)s->step_ns / HT_NS_PER_S)
			   : json_null());
}

static void put_process(json_t **o, const struct ht_page *p)
{
	const struct ht_store_process *process = &p->judged.process;
	const char *name = *process->target ? process->target : process->comm;
	const struct ht_series *s = &p->series;

	ht_page_put(o, "schema", json_string(HT_PAGE_SCHEMA));
	ht_page_put(o, "target", ht_text_json(name));
	ht_page_put(o, "pid", ht_u64_json(process->pid));
	ht_page_put(o, "comm", ht_text_json(process->comm));
	ht_page_put(o, "from", ht_time_json(s->time_ns[0]));
	ht_page_put(o, "to", ht_time_json(s->time_ns[s->rows - 1]));
	ht_page_put(o, "exe", ht_optional_text_json(process->exe));
	ht_page_put(o, "started_at", ht_time_json(process->started_ns));
	ht_page_put(o, "ended_at", ht_time_json(process->ended_ns));
	ht_page_put(o, "made_at", ht_time_json(ht_wall_ns()));
	ht_page_put(o, "version", json_string(HT_VERSION));
	ht_page_put(o, "no_history",
		    ht_optional_text_json(p->no_history ? p->no_history : ""));
}

json_t *ht_page_json(const struct ht_page *p)
{
	const struct ht_series *s = &p->series;
	const struct ht_judged *j = &p->judged;
	const char *name =
		*j->process.target ? j->process.target : j->process.comm;
	int64_t end = s->time_ns[s->rows - 1];
	json_t *o = json_object();

	put_process(&o, p);
	ht_page_put(&o, "window", window_json(p));
	ht_page_put(
		&o, "zone",
		ht_page_zone(s->time_ns[0], end > j->verdict.eta_at_ns
						    ? end
						    : j->verdict.eta_at_ns));
	ht_page_put(
		&o, "verdict",
		ht_verdict_json(&j->verdict, name, j->process.pid, &p->traced));
	ht_page_put(&o, "pin", ht_optional_text_json(p->pin));
	ht_page_put(&o, "times_s", ht_page_times(s->time_ns, s->rows));
	ht_page_put(&o, "cuts", cuts_json(s));
	ht_page_put(&o, "rss_by_cause", bands_json(s));
	ht_page_put(&o, "metrics", metrics_json(s));
	ht_page_put(&o, "asked", asked_json(p));
	ht_page_put_lists(&o, s);
	ht_page_put(&o, "events", json_incref(p->events));
	ht_page_put(&o, "alerts", json_incref(p->alerts));
	ht_page_put(&o, "sites",
		    p->sites ? json_incref(p->sites) : json_null());
	ht_page_put(&o, "types",
		    p->types ? json_incref(p->types) : json_null());
	ht_page_put(&o, "family",
		    p->family ? json_incref(p->family) : json_null());
	ht_page_put(&o, "latest",
		    j->have_latest ? ht_snapshot_json(&j->latest)
				   : json_null());
	return o;
}
