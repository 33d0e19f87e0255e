/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/board.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Enough for a sparkline, little enough for a hundred targets. */
#define SERIES_ROWS 200

struct reading {
	struct ht_store *store;
	struct ht_board *board;
	int64_t since_ns;
	bool metrics[HT_METRIC_COUNT];
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

static int each(void *ctx, const struct ht_store_process *p)
{
	struct reading *r = ctx;
	HT_AUTO_SERIES struct ht_series s;
	struct ht_board_row *grown;

	if (p->last_ns < r->since_ns)
		return 0;
	ht_series_init(&s);
	r->code = ht_store_series_of(r->store, p->id, r->since_ns, INT64_MAX,
				     SERIES_ROWS, HT_SERIES_MEDIANS, r->metrics,
				     &s, r->err);
	if (r->code != HT_OK && r->code != HT_NODATA)
		return 1;
	r->code = HT_OK;
	grown = reallocarray(r->board->rows, r->board->n + 1, sizeof(*grown));
	if (!grown) {
		r->code = ht_fail(r->err, HT_NOMEM, "out of memory");
		return 1;
	}
	r->board->rows = grown;
	grown[r->board->n] = (struct ht_board_row){.process = *p};
	fill(&grown[r->board->n++], &s);
	return 0;
}

enum ht_code ht_board_read(struct ht_store *store, int64_t since_ns,
			   const bool metrics[HT_METRIC_COUNT],
			   struct ht_board *ret, struct ht_err *err)
{
	struct reading r = {.store = store,
			    .board = ret,
			    .since_ns = since_ns,
			    .code = HT_OK,
			    .err = err};
	enum ht_code code;

	memcpy(r.metrics, metrics, sizeof(r.metrics));
	r.metrics[HT_M_in_use] = true;
	code = ht_store_processes(store, each, &r, err);
	return code == HT_OK ? r.code : code;
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
