/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heatmap.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/plot.h"
#include "cli/table.h"
#include "common/cleanup.h"

enum {
	SHADES = 8,
	LABEL_MAX = 26,
	VALUE_WIDTH = 11,
	CELLS_MIN = 8,
	LEGEND_MIN = 72
};

/* As in ht_spark(): eighths of a cell, or signs that grow. */
static const char *const shades[2][SHADES + 1] = {
	{" ", "_", ".", ":", "-", "=", "+", "*", "#"},
	{" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586",
	 "\u2587", "\u2588"}};
static const char *const unknown[2] = {"?", "\u00b7"};

/* What is drawn, and how. */
struct map {
	const struct ht_term *term;
	const struct ht_heatmap *h;
	int label, cells;
	double high;  /* of all values */
	double *cell; /* of one row */
};

static double highest(const struct ht_heatmap *h)
{
	double high = 0;

	for (size_t i = 0; i < h->n; i++)
		for (size_t at = 0; at < h->times; at++)
			high = fmax(high, h->rows[i].value[at]);
	return high;
}

/* Highest value of a shade. Three decades: a bin of some KiB is seen beside one
 * of MiB, and so is one that grows by the factor of 2.4. */
static double reach(const struct map *m, int shade)
{
	return m->high * pow(10, 3.0 * (shade - SHADES) / SHADES);
}

static int shade_of(const struct map *m, double v)
{
	int s = 1;

	if (isnan(v) || !(v > 0))
		return 0;
	while (s < SHADES && v > reach(m, s))
		s++;
	return s;
}

static size_t cell_of(const struct map *m, size_t at)
{
	const int64_t *t = m->h->time_ns;
	double span = (double)(t[m->h->times - 1] - t[0]) + 1;

	return (size_t)((double)(t[at] - t[0]) / span * m->cells);
}

/* Nobody looked between this row and the one before: three times as long as
 * usual. */
static bool is_gap(const struct map *m, size_t at)
{
	const int64_t *t = m->h->time_ns;
	size_t n = m->h->times;

	if (at == 0 || at == n)
		return true;
	return t[at] - t[at - 1] > 3 * ((t[n - 1] - t[0]) / (int64_t)(n - 1));
}

/* A cell between two rows repeats the one before; in a gap it is unknown. */
static void fill_cells(const struct map *m, const double *value)
{
	size_t next = 0;
	double held = NAN;

	for (size_t c = 0; c < (size_t)m->cells; c++) {
		double v = NAN;
		bool any = false;

		for (; next < m->h->times && cell_of(m, next) == c; next++) {
			v = fmax(v, value[next]);
			any = true;
		}
		held = any ? v : is_gap(m, next) ? NAN : held;
		m->cell[c] = held;
	}
}

/* "small 5, 80 B", cut to the width. */
static void put_label(const struct map *m, const char *label)
{
	printf("%-*.*s %s", m->label, m->label, label,
	       m->term->utf8 ? "\u2502" : "|");
}

static double newest(const struct ht_heatmap *h, const double *value)
{
	for (size_t at = h->times; at-- > 0;)
		if (!isnan(value[at]))
			return value[at];
	return NAN;
}

static void put_row(const struct map *m, const struct ht_heat_row *r)
{
	const char *const *shade = shades[m->term->utf8];
	char text[HT_NUMBER_TEXT];

	fill_cells(m, r->value);
	put_label(m, r->label);
	for (int c = 0; c < m->cells; c++)
		fputs(isnan(m->cell[c]) ? unknown[m->term->utf8]
					: shade[shade_of(m, m->cell[c])],
		      stdout);
	printf("%*s\n", VALUE_WIDTH,
	       ht_value_text(m->h->unit, newest(m->h, r->value), m->h->bytes,
			     text));
}

/* What each other shade reaches to. */
static void put_legend(const struct map *m)
{
	const char *const *shade = shades[m->term->utf8];
	char text[HT_NUMBER_TEXT];

	int step = m->term->width < LEGEND_MIN ? 4 : 2;

	for (int s = step; s <= SHADES; s += step)
		printf("%s to %s, ", shade[s],
		       ht_value_text(m->h->unit, round(reach(m, s)),
				     m->h->bytes, text));
	printf("%s unknown\n", unknown[m->term->utf8]);
}

enum ht_code ht_heatmap_print(const struct ht_term *t,
			      const struct ht_heatmap *h, struct ht_err *err)
{
	struct map m = {.term = t, .h = h, .high = highest(h)};
	HT_AUTO_FREE double *cell = NULL;

	for (size_t i = 0; i < h->n; i++)
		if ((int)strlen(h->rows[i].label) > m.label)
			m.label = (int)strlen(h->rows[i].label);
	if (m.label > LABEL_MAX)
		m.label = LABEL_MAX;
	m.cells = t->width - m.label - 2 - VALUE_WIDTH;
	if (m.cells < CELLS_MIN)
		m.cells = CELLS_MIN;
	cell = calloc((size_t)m.cells, sizeof(*cell));
	if (!cell)
		return ht_fail(err, HT_NOMEM, "out of memory for a heat map");
	m.cell = cell;
	for (size_t i = 0; i < h->n; i++)
		put_row(&m, &h->rows[i]);
	ht_time_axis(m.label + 2, m.cells, h->time_ns[0],
		     h->time_ns[h->times - 1]);
	put_legend(&m);
	return HT_OK;
}
