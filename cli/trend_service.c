/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trend_service.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/family.h"
#include "cli/plot.h"
#include "cli/service.h"
#include "cli/sums.h"
#include "cli/table.h"
#include "common/clock.h"

#define AXIS_AND_FRAME 14
#define HEIGHT	       7
#define POINTS	       400

struct course {
	struct ht_cli *cli;
	struct ht_service service;
	struct ht_series *series; /* one each */
};

static void course_fini(struct course *c)
{
	for (size_t i = 0; c->series && i < c->service.n; i++)
		ht_series_fini(&c->series[i]);
	free(c->series);
	ht_service_fini(&c->service);
}
#define AUTO_COURSE HT_CLEANUP(course_fini)

static enum ht_code print_table(struct course *c, struct ht_store *store,
				struct ht_err *err)
{
	HT_AUTO_BOARD struct ht_board board = {0};
	struct ht_board_ask ask = {.cli = c->cli,
				   .since_ns = c->cli->opt.since_ns};
	enum ht_code code;

	ht_family_needs(ask.metrics);
	code = ht_board_of(store, &c->service, &ask, &board, err);
	return code == HT_OK ? ht_family_table(c->cli, &board, err) : code;
}

static void print_head(const struct course *c, const struct ht_trend_metric *m,
		       const struct ht_sums *sum)
{
	char text[3][HT_NUMBER_TEXT];
	double low = NAN, high = NAN;
	bool exact = c->cli->opt.bytes;

	for (size_t i = 0; i < sum->n; i++) {
		low = fmin(low, sum->value[i]);
		high = fmax(high, sum->value[i]);
	}
	putchar('\n');
	ht_paragraph(
		&c->cli->term, "",
		"%s%s%s  %s of %zu processes: %s at the end, %s .. %s%s%s",
		ht_style(&c->cli->term, HT_BOLD), m->name,
		ht_style_off(&c->cli->term),
		ht_sums_adds(m) ? "sum" : "highest", c->service.n,
		ht_value_text(m->unit, sum->value[sum->n - 1], exact, text[0]),
		ht_value_text(m->unit, low, exact, text[1]),
		ht_value_text(m->unit, high, exact, text[2]),
		*m->help ? ": " : "", m->help);
	if (m->metric == HT_M_rss)
		ht_paragraph(&c->cli->term, "",
			     "What they share counts in each; -m pss: once.");
}

static enum ht_code print_sum(const struct course *c,
			      const struct ht_trend_metric *m,
			      enum ht_style style, struct ht_err *err)
{
	HT_AUTO_SUMS struct ht_sums sum = {0};
	enum ht_code code =
		ht_sums_make(c->series, c->service.n, m, POINTS, &sum, err);
	struct ht_plot plot = {
		.width = c->cli->term.width - AXIS_AND_FRAME,
		.height = HEIGHT,
		.unit = m->unit,
		.bytes = c->cli->opt.bytes,
		.style = style,
	};

	if (code != HT_OK || !sum.n)
		return code;
	plot.time_ns = sum.time_ns;
	plot.value = sum.value;
	plot.n = sum.n;
	plot.from_ns = sum.time_ns[0];
	plot.to_ns = sum.time_ns[sum.n - 1];
	print_head(c, m, &sum);
	return ht_plot_print(&c->cli->term, &plot, err);
}

/* One that has no sample in the window adds nothing. */
static enum ht_code read_series(struct course *c, struct ht_store *store,
				const struct ht_history_ask *ask,
				struct ht_err *err)
{
	c->series = calloc(c->service.n, sizeof(*c->series));
	if (!c->series)
		return ht_fail(err, HT_NOMEM, "out of memory");
	for (size_t i = 0; i < c->service.n; i++)
		ht_series_init(&c->series[i]);
	for (size_t i = 0; i < c->service.n; i++) {
		enum ht_code code =
			ht_history_read(store, &c->service.member[i].process,
					&c->cli->opt, ask, &c->series[i], err);

		if (code != HT_OK && code != HT_NODATA)
			return code;
	}
	return HT_OK;
}

enum ht_code ht_trend_service(struct ht_cli *cli,
			      const struct ht_measures *metrics,
			      const struct ht_history_ask *ask, bool *ret_told,
			      struct ht_err *err)
{
	static const enum ht_style styles[] = {HT_BLUE, HT_GREEN, HT_YELLOW,
					       HT_RED};
	AUTO_COURSE struct course c = {.cli = cli};
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	*ret_told = false;
	if (code == HT_OK)
		code = ht_service_find(store, cli->opt.args[0], &c.service,
				       err);
	if (code != HT_OK || c.service.n == 1)
		return code;
	*ret_told = true;
	code = read_series(&c, store, ask, err);
	if (code == HT_OK)
		code = print_table(&c, store, err);
	for (size_t i = 0; code == HT_OK && i < metrics->n; i++)
		code = print_sum(&c, &metrics->v[i], styles[i % 4], err);
	return code;
}
