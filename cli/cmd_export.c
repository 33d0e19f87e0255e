/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `heaptide export`: history as a stream for other tools. Read window by
 * window, so that a year needs no more memory than some hours.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/metrics.h"
#include "cli/service.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define WINDOW_NS   (6 * 3600 * HT_NS_PER_S)
#define ALL_METRICS ""

struct export_run {
	struct ht_cli *cli;
	struct ht_store *store;
	struct ht_store_process process;
	struct ht_measures metrics;
	size_t one; /* of them, for OpenMetrics */
	int64_t from_ns, to_ns;
	uint64_t rows;
};

typedef enum ht_code print_rows(struct export_run *e, const struct ht_series *s,
				struct ht_err *err);

static double value_at(const struct ht_series *s,
		       const struct ht_trend_metric *m, size_t row)
{
	return ht_measure_at(m, s, HT_STAT_MEDIAN, row);
}

/* Calls print for each window of the history, in order of time. */
static enum ht_code stream(struct export_run *e, print_rows *print,
			   struct ht_err *err)
{
	double span = fmax((double)(e->to_ns - e->from_ns), 1);
	bool wanted[HT_METRIC_COUNT] = {false};

	ht_measures_wanted(&e->metrics, wanted);
	for (int64_t from = e->from_ns; from <= e->to_ns; from += WINDOW_NS) {
		int64_t to = from + WINDOW_NS - 1;
		HT_AUTO_SERIES struct ht_series s;
		enum ht_code code;

		ht_series_init(&s);
		code = ht_store_series_of(e->store, e->process.id, from,
					  to < e->to_ns ? to : e->to_ns, 0,
					  HT_SERIES_METRICS, wanted, &s, err);
		if (code == HT_OK)
			code = print(e, &s, err);
		if (code != HT_OK && code != HT_NODATA)
			return code;
		e->rows += s.rows;
		ht_progress(&e->cli->term,
			    "exporting: %3.0f %%, %" PRIu64 " rows",
			    100 * (double)(from - e->from_ns) / span, e->rows);
	}
	return HT_OK;
}

static enum ht_code print_csv_rows(struct export_run *e,
				   const struct ht_series *s,
				   struct ht_err *err)
{
	(void)err;
	for (size_t row = 0; row < s->rows; row++) {
		char time[HT_TIME_TEXT];

		ht_time_text(s->time_ns[row], time);
		fputs(time, stdout);
		for (size_t i = 0; i < e->metrics.n; i++) {
			double v = value_at(s, &e->metrics.v[i], row);
			char digits[HT_NUMBER_TEXT];

			printf(",%s", ht_digits_text(v, digits) ?: "");
		}
		putchar('\n');
	}
	return HT_OK;
}

static enum ht_code export_csv(struct export_run *e, struct ht_err *err)
{
	fputs("time", stdout);
	for (size_t i = 0; i < e->metrics.n; i++) {
		putchar(',');
		ht_measure_print_name(&e->metrics.v[i]);
	}
	putchar('\n');
	return stream(e, print_csv_rows, err);
}

static enum ht_code print_ndjson_rows(struct export_run *e,
				      const struct ht_series *s,
				      struct ht_err *err)
{
	const struct ht_store_process *p = &e->process;

	for (size_t row = 0; row < s->rows; row++) {
		json_auto_t *o = json_pack(
			"{s:o, s:o, s:o}", "time",
			ht_time_json(s->time_ns[row]), "target",
			ht_text_json(*p->target ? p->target : p->comm), "pid",
			ht_u64_json(p->pid));

		for (size_t i = 0; i < e->metrics.n; i++) {
			const struct ht_trend_metric *m = &e->metrics.v[i];

			json_object_set_new(
				o, m->name,
				ht_measure_json(m, value_at(s, m, row)));
		}
		if (!o || json_dumpf(o, stdout, JSON_COMPACT))
			return ht_fail(err, HT_SYS,
				       "write JSON to standard output");
		putchar('\n');
	}
	return HT_OK;
}

static enum ht_code export_ndjson(struct export_run *e, struct ht_err *err)
{
	return stream(e, print_ndjson_rows, err);
}

/* OpenMetrics wants base units. */
static const struct {
	const char *unit, *id_suffix, *base;
} units[] = {{"bytes", "", "bytes"},
	     {"microseconds", "_us", "seconds"},
	     {"nanoseconds", "_ns", "seconds"},
	     {"ratio", "_ratio", "ratio"}};

struct family {
	char name[96];
	double factor;
};

/* rss -> heaptide_rss_bytes, pause_us -> heaptide_pause_seconds,
 * arenas -> heaptide_arenas. */
static struct family family_of(enum ht_metric m)
{
	const struct ht_metric_info *info = &ht_metric_infos[m];
	struct family f = {.factor = ht_metric_factor(m)};

	snprintf(f.name, sizeof(f.name), "heaptide_%s", info->name);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t keep = strlen(info->name);
		size_t end = strlen(units[i].id_suffix);

		if (strcmp(units[i].unit, info->unit) != 0)
			continue;
		if (keep > end &&
		    !strcmp(info->name + keep - end, units[i].id_suffix))
			keep -= end;
		snprintf(f.name, sizeof(f.name), "heaptide_%.*s_%s", (int)keep,
			 info->name, units[i].base);
	}
	return f;
}

/* A label's value: backslash, quote and newline are escaped. */
static void print_label(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			putchar('\\');
		if (*text == '\n')
			fputs("\\n", stdout);
		else
			putchar(*text);
	}
}

/* The metric e->one. */
static enum ht_code print_openmetrics_rows(struct export_run *e,
					   const struct ht_series *s,
					   struct ht_err *err)
{
	const struct ht_store_process *p = &e->process;
	const struct ht_trend_metric *m = &e->metrics.v[e->one];
	struct family f = family_of(m->metric);

	(void)err;
	for (size_t row = 0; row < s->rows; row++) {
		double v = value_at(s, m, row);

		if (!isfinite(v))
			continue;
		printf("%s{target=\"", f.name);
		print_label(*p->target ? p->target : p->comm);
		printf("\",pid=\"%" PRIu64 "\"} %.15g %.3f\n", p->pid,
		       v * f.factor, (double)s->time_ns[row] / 1e9);
	}
	return HT_OK;
}

/* A family's lines must stand together: one pass over the history for each. */
static enum ht_code export_openmetrics(struct export_run *e, struct ht_err *err)
{
	const struct ht_measures *all = &e->metrics;
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].metric == HT_METRIC_COUNT)
			return ht_fail(
				err, HT_USAGE,
				"OpenMetrics has no name for '%s': --format csv or ndjson",
				all->v[i].name);
	for (e->one = 0; code == HT_OK && e->one < all->n; e->one++) {
		struct family f = family_of(all->v[e->one].metric);

		printf("# HELP %s %s\n# TYPE %s gauge\n", f.name,
		       all->v[e->one].help, f.name);
		code = stream(e, print_openmetrics_rows, err);
	}
	puts("# EOF");
	return code;
}

static enum ht_code open_export(struct export_run *e, struct ht_err *err)
{
	const struct ht_options *o = &e->cli->opt;
	enum ht_code code;

	code = ht_measures_parse(o->metric, ALL_METRICS, &e->metrics, err);
	if (code != HT_OK)
		return code;
	code = ht_history_open(o, &e->store, err);
	if (code == HT_OK)
		code = ht_service_one(e->store, o->args[0], &e->process, err);
	if (code != HT_OK)
		return code;
	e->from_ns = e->process.first_ns;
	e->to_ns = e->process.last_ns;
	if (o->since_ns > e->from_ns)
		e->from_ns = o->since_ns;
	if (o->until_ns && o->until_ns < e->to_ns)
		e->to_ns = o->until_ns;
	return HT_OK;
}

enum ht_code ht_cmd_export(struct ht_cli *cli, struct ht_err *err)
{
	static const struct {
		const char *name;
		enum ht_code (*run)(struct export_run *e, struct ht_err *err);
	} formats[] = {{"ndjson", export_ndjson},
		       {"csv", export_csv},
		       {"openmetrics", export_openmetrics}};
	const char *format = cli->opt.format ?: "ndjson";
	struct export_run e = {.cli = cli};
	enum ht_code code;

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(formats[i].name, format) != 0)
			continue;
		code = open_export(&e, err);
		if (code == HT_OK)
			code = formats[i].run(&e, err);
		if (e.store)
			ht_store_close(e.store);
		ht_measures_fini(&e.metrics);
		return code;
	}
	return ht_fail(err, HT_USAGE,
		       "no format '%s': ndjson, csv or openmetrics", format);
}
