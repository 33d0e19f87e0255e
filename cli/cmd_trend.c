/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide trend`: metrics over time as a plot, JSON or CSV. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/judge.h"
#include "cli/metrics.h"
#include "cli/plot.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/trend_service.h"
#include "cli/type_course.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define DEFAULT_METRICS "rss,in_use,retained,top,external"
#define PLOT_ROWS	4000   /* more than any terminal can show */
#define DATA_ROWS	100000 /* for more there is `export` */
#define AXIS_AND_FRAME	14

static void print_value(double v, const char *none)
{
	char digits[HT_NUMBER_TEXT];

	fputs(ht_digits_text(v, digits) ?: none, stdout);
}

static json_t *metrics_json(const struct ht_measures *metrics)
{
	json_t *list = json_array();

	for (size_t i = 0; i < metrics->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "id", metrics->v[i].name,
					"unit", metrics->v[i].unit));
	return list;
}

/* All but the rows; without its closing bracket, so that they can follow.
 * Freed by the caller; NULL when out of memory. */
static char *head_json(const struct ht_store_process *p,
		       const struct ht_series *s,
		       const struct ht_measures *metrics)
{
	json_t *step = s->step_ns ? json_real((double)s->step_ns / HT_NS_PER_S)
				  : json_null();
	json_t *o = ht_json_span("heaptide.series/1", p, s->time_ns[0],
				 s->time_ns[s->rows - 1]);
	char *text;

	ht_json_add(&o, "step_s", step);
	ht_json_add(&o, "metrics", metrics_json(metrics));
	text = o ? json_dumps(o, JSON_REAL_PRECISION(15)) : NULL;
	json_decref(o);
	if (text)
		text[strlen(text) - 1] = '\0';
	return text;
}

/* Written as they come: as a tree, a month by the minute takes three times as
 * long and 40 MB. */
static enum ht_code print_json(const struct ht_store_process *p,
			       const struct ht_series *s,
			       const struct ht_measures *metrics,
			       struct ht_err *err)
{
	HT_AUTO_FREE char *head = head_json(p, s, metrics);

	if (!head)
		return ht_fail(err, HT_NOMEM, "out of memory for JSON");
	printf("%s, \"rows\": [", head);
	for (size_t row = 0; row < s->rows; row++) {
		char time[HT_TIME_TEXT];

		ht_time_text(s->time_ns[row], time);
		printf("%s\n  [\"%s\"", row ? "," : "", time);
		for (size_t i = 0; i < metrics->n; i++) {
			fputs(", ", stdout);
			print_value(ht_measure_at(&metrics->v[i], s,
						  HT_STAT_MEDIAN, row),
				    "null");
		}
		putchar(']');
	}
	puts("\n]}");
	return HT_OK;
}

static void print_csv(const struct ht_series *s,
		      const struct ht_measures *metrics)
{
	fputs("time", stdout);
	for (size_t i = 0; i < metrics->n; i++) {
		putchar(',');
		ht_measure_print_name(&metrics->v[i]);
	}
	putchar('\n');
	for (size_t row = 0; row < s->rows; row++) {
		char time[HT_TIME_TEXT];

		ht_time_text(s->time_ns[row], time);
		fputs(time, stdout);
		for (size_t i = 0; i < metrics->n; i++) {
			putchar(',');
			print_value(ht_measure_at(&metrics->v[i], s,
						  HT_STAT_MEDIAN, row),
				    "");
		}
		putchar('\n');
	}
}

/* "in_use  33.1 MiB now, 12.0 MiB .. 44.0 MiB: held by the program" */
static void print_panel_head(const struct ht_cli *cli,
			     const struct ht_series *s,
			     const struct ht_trend_metric *m)
{
	double low = NAN, high = NAN;
	char text[3][HT_NUMBER_TEXT];
	bool exact = cli->opt.bytes;

	for (size_t i = 0; i < s->rows; i++) {
		low = fmin(low, ht_measure_at(m, s, HT_STAT_MIN, i));
		high = fmax(high, ht_measure_at(m, s, HT_STAT_MAX, i));
	}
	putchar('\n');
	ht_paragraph(
		&cli->term, "", "%s%s%s  %s at the end, %s .. %s%s%s",
		ht_style(&cli->term, HT_BOLD), m->name,
		ht_style_off(&cli->term),
		ht_value_text(m->unit,
			      ht_measure_at(m, s, HT_STAT_MEDIAN, s->rows - 1),
			      exact, text[0]),
		ht_value_text(m->unit, low, exact, text[1]),
		ht_value_text(m->unit, high, exact, text[2]),
		*m->help ? ": " : "", m->help);
}

/* Head and plot. An expression has no lowest and highest of a row. */
static enum ht_code print_panel(const struct ht_cli *cli,
				const struct ht_series *s,
				const struct ht_trend_metric *m,
				struct ht_plot *plot, struct ht_err *err)
{
	HT_AUTO_FREE double *own = NULL;

	if (m->metric < HT_METRIC_COUNT) {
		plot->value = s->metric[m->metric][HT_STAT_MEDIAN];
		plot->low = s->metric[m->metric][HT_STAT_MIN];
		plot->high = s->metric[m->metric][HT_STAT_MAX];
	} else {
		own = ht_measure_column(m, s);
		if (!own)
			return ht_fail(err, HT_NOMEM, "out of memory");
		plot->value = own;
	}
	plot->unit = m->unit;
	print_panel_head(cli, s, m);
	return ht_plot_print(&cli->term, plot, err);
}

static enum ht_code print_plots(const struct ht_cli *cli,
				const struct ht_store_process *p,
				const struct ht_series *s,
				const struct ht_measures *metrics,
				struct ht_err *err)
{
	static const enum ht_style styles[] = {HT_BLUE, HT_GREEN, HT_YELLOW,
					       HT_RED};
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];
	enum ht_code code = HT_OK;

	ht_time_here_text(s->time_ns[0], from);
	ht_time_here_text(s->time_ns[s->rows - 1], to);
	ht_paragraph(&cli->term, "",
		     "%s%s, pid %" PRIu64 ": %zu rows from %s to %s%s",
		     ht_style(&cli->term, HT_BOLD),
		     *p->target ? p->target : p->comm, p->pid, s->rows, from,
		     to, ht_style_off(&cli->term));
	for (size_t i = 0; code == HT_OK && i < metrics->n; i++) {
		struct ht_plot plot = {
			.time_ns = s->time_ns,
			.cut = s->cut,
			.n = s->rows,
			.from_ns = s->time_ns[0],
			.to_ns = s->time_ns[s->rows - 1],
			.width = cli->term.width - AXIS_AND_FRAME,
			.height = metrics->n == 1 ? 15 : 7,
			.bytes = cli->opt.bytes,
			.style = styles[i % 4],
		};

		code = print_panel(cli, s, &metrics->v[i], &plot, err);
	}
	return code;
}

enum ht_code ht_cmd_trend(struct ht_cli *cli, struct ht_err *err)
{
	const struct ht_options *o = &cli->opt;
	bool wanted[HT_METRIC_COUNT] = {false}, data = o->json || o->csv;
	bool told;
	const struct ht_history_ask ask = {
		.max_rows = data ? DATA_ROWS : PLOT_ROWS,
		.parts = data ? HT_SERIES_MEDIANS : HT_SERIES_METRICS,
		.metrics = wanted};
	struct ht_store_process process;
	char pin[HT_PIN_TEXT];
	HT_AUTO_MEASURES struct ht_measures metrics = {0};
	HT_AUTO_SERIES struct ht_series series;
	enum ht_code code;

	ht_series_init(&series);
	if (o->by)
		return ht_type_trend(cli, err);
	if (o->metric && !strcmp(o->metric, "help"))
		return ht_metric_list_help(cli, err);
	code = ht_measures_parse(o->metric, DEFAULT_METRICS, &metrics, err);
	if (code != HT_OK)
		return code;
	if (!o->args_n)
		return ht_fail(err, HT_USAGE, "trend of which TARGET?");
	ht_measures_wanted(&metrics, wanted);
	if (!data) {
		code = ht_trend_service(cli, &metrics, &ask, &told, err);
		if (code != HT_OK || told)
			return code;
	}
	code = ht_history_series(cli, o->args[0], &ask, &process, &series, err);
	if (code != HT_OK)
		return code;
	if (o->json)
		return print_json(&process, &series, &metrics, err);
	if (!o->csv) {
		code = print_plots(cli, &process, &series, &metrics, err);
		if (code == HT_OK)
			code = ht_judge_beside(cli, process.id, NULL, pin, NULL,
					       err);
		if (code == HT_OK && *pin) {
			putchar('\n');
			ht_paragraph(&cli->term, "pin: ", "%s", pin);
		}
		return code;
	}
	print_csv(&series, &metrics);
	return HT_OK;
}
