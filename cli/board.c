/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/board.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/judge.h"
#include "cli/table.h"
#include "common/clock.h"

/* Enough for a sparkline, little enough for a hundred targets. */
#define SERIES_ROWS 200
/* The daemon judges at least that often: ht_judge_wait_ns(). */
#define STANDS_NS   (30 * 60 * HT_NS_PER_S)
#define JUDGED_MAX  64
#define JUDGED_HOLD (10 * HT_NS_PER_S) /* on a screen that is drawn anew */

struct reading {
	struct ht_store *store;
	const struct ht_board_ask *ask;
	struct ht_board *board;
	size_t judged;
	enum ht_code code;
	struct ht_err *err;
};

void ht_board_fini(struct ht_board *b)
{
	free(b->rows);
	*b = (struct ht_board){0};
}

/* The newest value; of what is read once in a while (PSS) the newest known. */
static double newest_of(const struct ht_series *s, size_t m)
{
	const double *x = s->metric[m][HT_STAT_MEDIAN];
	size_t last = s->rows - 1;

	if (s->rows == 0)
		return NAN;
	if (m == HT_M_pss || m == HT_M_trimmable_private)
		while (last > 0 && isnan(x[last]))
			last--;
	return x[last];
}

static void fill(struct ht_board_row *row, const struct ht_series *s)
{
	const double *in_use = s->metric[HT_M_in_use][HT_STAT_MEDIAN];

	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		row->newest[m] = newest_of(s, m);
	row->points = s->rows < HT_BOARD_POINTS ? s->rows : HT_BOARD_POINTS;
	for (size_t i = 0; i < row->points; i++)
		row->in_use_over_time[i] = in_use[i * s->rows / row->points];
}

/* --- verdicts ------------------------------------------------------------ */

static bool take_recorded(struct reading *r, struct ht_board_row *row)
{
	HT_AUTO_FREE char *json = NULL;
	int64_t at_ns;

	if (ht_store_last_verdict(r->store, row->process.id, &at_ns, &json,
				  NULL) != HT_OK ||
	    row->process.last_ns - at_ns > STANDS_NS)
		return false;
	row->verdict = ht_verdict_brief_read(json);
	return row->verdict.label < HT_LABEL_COUNT;
}

static bool take_earlier(const struct reading *r, struct ht_board_row *row)
{
	const struct ht_board *b = r->ask->before;

	for (size_t i = 0; b && i < b->n; i++) {
		if (b->rows[i].process.id != row->process.id ||
		    !b->rows[i].judged_ns ||
		    ht_mono_ns() - b->rows[i].judged_ns > JUDGED_HOLD)
			continue;
		row->verdict = b->rows[i].verdict;
		row->judged_ns = b->rows[i].judged_ns;
		return true;
	}
	return false;
}

/* What cannot be judged has no verdict. */
static void judge(struct reading *r, struct ht_board_row *row)
{
	const struct ht_options *o = &r->ask->cli->opt;
	HT_AUTO_JUDGED struct ht_judged j;

	ht_judged_init(&j);
	j.process = row->process;
	if (ht_judged_read(r->store, o->since_ns, o->until_ns, &j, NULL) ==
	    HT_OK)
		row->verdict = ht_verdict_brief_of(&j.verdict);
	row->judged_ns = ht_mono_ns();
}

/* --- rows ---------------------------------------------------------------- */

static struct ht_board_row *add(struct reading *r,
				const struct ht_store_process *p, bool lives)
{
	const struct ht_options *o = &r->ask->cli->opt;
	bool metrics[HT_METRIC_COUNT];
	HT_AUTO_SERIES struct ht_series s;
	struct ht_board_row *grown;

	ht_series_init(&s);
	memcpy(metrics, r->ask->metrics, sizeof(metrics));
	metrics[HT_M_in_use] = true;
	r->code = ht_store_series_of(r->store, p->id, r->ask->since_ns,
				     o->until_ns ?: INT64_MAX, SERIES_ROWS,
				     HT_SERIES_MEDIANS, metrics, &s, r->err);
	if (r->code != HT_OK && r->code != HT_NODATA)
		return NULL;
	grown = reallocarray(r->board->rows, r->board->n + 1, sizeof(*grown));
	r->code = grown ? HT_OK : ht_fail(r->err, HT_NOMEM, "out of memory");
	if (!grown)
		return NULL;
	r->board->rows = grown;
	grown += r->board->n++;
	*grown = (struct ht_board_row){.process = *p,
				       .lives = lives,
				       .verdict = HT_VERDICT_BRIEF_NONE};
	fill(grown, &s);
	return grown;
}

static int each(void *ctx, const struct ht_store_process *p)
{
	struct reading *r = ctx;
	struct ht_board_row *row;

	if (p->last_ns < r->ask->since_ns)
		return 0;
	row = add(r, p, ht_process_lives(p));
	if (!row)
		return 1;
	if (!take_recorded(r, row) && !take_earlier(r, row) &&
	    r->judged++ < JUDGED_MAX)
		judge(r, row);
	return 0;
}

enum ht_code ht_board_read(struct ht_store *store,
			   const struct ht_board_ask *ask, struct ht_board *ret,
			   struct ht_err *err)
{
	struct reading r = {store, ask, ret, 0, HT_OK, err};
	enum ht_code code = ht_store_processes(store, each, &r, err);

	return code == HT_OK ? r.code : code;
}

enum ht_code ht_board_of(struct ht_store *store, const struct ht_service *of,
			 const struct ht_board_ask *ask, struct ht_board *ret,
			 struct ht_err *err)
{
	struct reading r = {store, ask, ret, 0, HT_OK, err};

	for (size_t i = 0; i < of->n; i++) {
		struct ht_board_row *row =
			add(&r, &of->member[i].process, of->member[i].lives);

		if (!row)
			return r.code;
		judge(&r, row);
	}
	return HT_OK;
}

static int larger_first(const void *a, const void *b, void *metric)
{
	enum ht_metric m = *(const enum ht_metric *)metric;
	double x = ((const struct ht_board_row *)a)->newest[m];
	double y = ((const struct ht_board_row *)b)->newest[m];

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return (x < y) - (x > y);
}

void ht_board_sort(struct ht_board *b, enum ht_metric m)
{
	if (b->n)
		qsort_r(b->rows, b->n, sizeof(*b->rows), larger_first, &m);
}

static int worse_first(const void *a, const void *b)
{
	return ht_verdict_brief_compare(
		&((const struct ht_board_row *)a)->verdict,
		&((const struct ht_board_row *)b)->verdict);
}

void ht_board_sort_verdicts(struct ht_board *b)
{
	if (b->n)
		qsort(b->rows, b->n, sizeof(*b->rows), worse_first);
}

/* --- cells --------------------------------------------------------------- */

const char *ht_board_growth(const struct ht_cli *cli,
			    const struct ht_board_row *row,
			    char out[HT_BOARD_TEXT])
{
	double slope = row->verdict.slope_bytes_per_hour;
	char text[HT_NUMBER_TEXT];

	*out = '\0';
	if (isfinite(slope))
		snprintf(out, HT_BOARD_TEXT, "%s%s/h", slope < 0 ? "-" : "+",
			 ht_value_text("bytes", fabs(slope), cli->opt.bytes,
				       text));
	return out;
}

const char *ht_board_limit(const struct ht_board_row *row,
			   char out[HT_BOARD_TEXT])
{
	int64_t in_ns = row->verdict.eta_at_ns - ht_wall_ns();

	*out = '\0';
	if (!row->verdict.eta_at_ns || row->process.ended_ns)
		return out;
	if (in_ns > 0)
		ht_duration_text(in_ns, out, HT_BOARD_TEXT);
	else
		snprintf(out, HT_BOARD_TEXT, "passed");
	return out;
}
