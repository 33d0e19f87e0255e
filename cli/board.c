/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/board.h"

#include <math.h>
#include <stdlib.h>

/* Enough for a sparkline, little enough for a hundred targets. */
#define SERIES_ROWS 200

struct reading {
	struct ht_store *store;
	struct ht_board *board;
	int64_t since_ns;
	enum ht_code code;
	struct ht_err *err;
};

void ht_board_fini(struct ht_board *b)
{
	free(b->rows);
	*b = (struct ht_board){0};
}

static uint64_t last(const struct ht_series *s, enum ht_metric m)
{
	double v = s->rows ? s->metric[m][HT_STAT_MEDIAN][s->rows - 1] : NAN;

	return v >= 0 ? (uint64_t)v : HT_UNKNOWN;
}

static void fill(struct ht_board_row *row, const struct ht_series *s)
{
	const double *in_use = s->metric[HT_M_in_use][HT_STAT_MEDIAN];

	row->rss = last(s, HT_M_rss);
	row->in_use = last(s, HT_M_in_use);
	row->retained = last(s, HT_M_retained);
	row->trimmable = last(s, HT_M_trimmable);
	row->non_malloc_anon = last(s, HT_M_non_malloc_anon);
	row->pause_us = last(s, HT_M_pause_us);
	row->points = s->rows < HT_BOARD_POINTS ? s->rows : HT_BOARD_POINTS;
	for (size_t i = 0; i < row->points; i++)
		row->in_use_over_time[i] = in_use[i * s->rows / row->points];
}

static const bool shown[HT_METRIC_COUNT] = {
	[HT_M_rss] = true,	[HT_M_in_use] = true,
	[HT_M_retained] = true, [HT_M_trimmable] = true,
	[HT_M_pause_us] = true, [HT_M_non_malloc_anon] = true};

static int each(void *ctx, const struct ht_store_process *p)
{
	struct reading *r = ctx;
	HT_AUTO_SERIES struct ht_series s;
	struct ht_board_row *grown;

	if (p->last_ns < r->since_ns)
		return 0;
	ht_series_init(&s);
	r->code = ht_store_series_of(r->store, p->id, r->since_ns, INT64_MAX,
				     SERIES_ROWS, HT_SERIES_MEDIANS, shown, &s,
				     r->err);
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
			   struct ht_board *ret, struct ht_err *err)
{
	struct reading r = {store, ret, since_ns, HT_OK, err};
	enum ht_code code = ht_store_processes(store, each, &r, err);

	return code == HT_OK ? r.code : code;
}
