/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_family.h"

#include <stdlib.h>

#include "cli/metrics.h"
#include "cli/sums.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define COURSES	 "in_use,rss,pss,retained"
#define POINTS	 400
#define EACH_MAX 8 /* of more a page shows the sum */

struct courses {
	struct ht_series *series; /* one each, in the order of the board */
	size_t n;
	struct ht_measures metrics;
	json_t *times, *list;
};

static void courses_fini(struct courses *c)
{
	for (size_t i = 0; c->series && i < c->n; i++)
		ht_series_fini(&c->series[i]);
	free(c->series);
	ht_measures_fini(&c->metrics);
	json_decref(c->times);
	json_decref(c->list);
}
#define AUTO_COURSES HT_CLEANUP(courses_fini)

/* One that has no sample in the window adds nothing. */
static enum ht_code read_series(const struct ht_cli *cli,
				struct ht_store *store,
				const struct ht_board *board, struct courses *c,
				struct ht_err *err)
{
	bool wanted[HT_METRIC_COUNT] = {false};
	const struct ht_history_ask ask = {
		.max_rows = POINTS,
		.parts = HT_SERIES_MEDIANS,
		.metrics = wanted,
	};

	ht_measures_wanted(&c->metrics, wanted);
	c->series = calloc(board->n, sizeof(*c->series));
	if (!c->series)
		return ht_fail(err, HT_NOMEM, "out of memory");
	for (c->n = 0; c->n < board->n; c->n++)
		ht_series_init(&c->series[c->n]);
	for (size_t i = 0; i < c->n; i++) {
		enum ht_code code =
			ht_history_read(store, &board->rows[i].process,
					&cli->opt, &ask, &c->series[i], err);

		if (code != HT_OK && code != HT_NODATA)
			return code;
	}
	return HT_OK;
}

static json_t *times_json(const struct ht_sums *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(
			list, json_real((double)s->time_ns[i] / HT_NS_PER_S));
	return list;
}

static json_t *values_json(const struct ht_sums *s,
			   const struct ht_trend_metric *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, ht_measure_json(m, s->value[i]));
	return list;
}

static enum ht_code add_course(struct courses *c,
			       const struct ht_trend_metric *m,
			       struct ht_err *err)
{
	HT_AUTO_SUMS struct ht_sums sum = {0};
	enum ht_code code = ht_sums_make(c->series, c->n, m, POINTS, &sum, err);
	json_t *each = json_array();

	if (code == HT_OK && !c->times)
		c->times = times_json(&sum);
	for (size_t i = 0; code == HT_OK && i < c->n && i < EACH_MAX; i++) {
		HT_AUTO_SUMS struct ht_sums one = {0};

		code = ht_sums_of_one(c->series, c->n, i, m, POINTS, &one, err);
		if (code == HT_OK)
			json_array_append_new(each, values_json(&one, m));
	}
	json_array_append_new(c->list,
			      json_pack("{s:s, s:s, s:o, s:o}", "name", m->name,
					"unit", m->unit, "sum",
					values_json(&sum, m), "each", each));
	return code;
}

enum ht_code ht_report_family(const struct ht_cli *cli, struct ht_store *store,
			      const struct ht_board *board, json_t **ret,
			      struct ht_err *err)
{
	AUTO_COURSES struct courses c = {.list = json_array()};
	enum ht_code code = ht_measures_parse(COURSES, NULL, &c.metrics, err);
	json_t *o;

	if (code == HT_OK)
		code = read_series(cli, store, board, &c, err);
	for (size_t i = 0; code == HT_OK && i < c.metrics.n; i++)
		code = add_course(&c, &c.metrics.v[i], err);
	if (code != HT_OK)
		return code;
	o = ht_family_members_json(board);
	if (json_object_set(o, "times_s", c.times) ||
	    json_object_set(o, "courses", c.list))
		return ht_fail(err, HT_NOMEM, "out of memory for a page");
	*ret = o;
	return HT_OK;
}
