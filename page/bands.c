/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "page/page_int.h"

const char *const ht_page_band_names[HT_PAGE_BANDS] = {
	[HT_BAND_FILES] = "files and shared memory",
	[HT_BAND_OUTSIDE] = "outside malloc: other anonymous memory, stacks",
	[HT_BAND_MMAPPED] = "mmapped chunks",
	[HT_BAND_HELD] = "heap, in use and overhead",
	[HT_BAND_KEPT] = "free, kept by glibc",
	[HT_BAND_TRIMMABLE] = "free, malloc_trim(0) would return it"};

static double not_below_0(double v)
{
	return v < 0 ? 0 : v; /* NaN stays */
}

/* What is unknown stays so; it is then part of what is left of RSS. */
static void split(const struct ht_series *s, size_t row,
		  double v[HT_PAGE_BANDS])
{
	double retained = s->metric[HT_M_retained][HT_STAT_MEDIAN][row];
	double heap = s->metric[HT_M_heap_resident][HT_STAT_MEDIAN][row];
	double rest = s->metric[HT_M_rss][HT_STAT_MEDIAN][row];

	v[HT_BAND_FILES] = s->metric[HT_M_rss_file][HT_STAT_MEDIAN][row] +
			   s->metric[HT_M_rss_shmem][HT_STAT_MEDIAN][row];
	v[HT_BAND_MMAPPED] =
		s->metric[HT_M_mmapped_resident][HT_STAT_MEDIAN][row];
	v[HT_BAND_HELD] = not_below_0(heap - retained);
	v[HT_BAND_TRIMMABLE] = s->metric[HT_M_trimmable][HT_STAT_MEDIAN][row];
	v[HT_BAND_KEPT] = not_below_0(retained - v[HT_BAND_TRIMMABLE]);
	v[HT_BAND_OUTSIDE] = NAN;
	for (int b = 0; b < HT_PAGE_BANDS; b++)
		rest -= isnan(v[b]) ? 0 : v[b];
	v[HT_BAND_OUTSIDE] = not_below_0(rest);
	for (int b = 0; isnan(rest) && b < HT_PAGE_BANDS; b++)
		v[b] = NAN;
}

double *ht_page_bands(const struct ht_series *s)
{
	double *cells = calloc(s->rows * HT_PAGE_BANDS, sizeof(*cells));
	double v[HT_PAGE_BANDS];

	for (size_t row = 0; cells && row < s->rows; row++) {
		split(s, row, v);
		for (size_t b = 0; b < HT_PAGE_BANDS; b++)
			cells[b * s->rows + row] = v[b];
	}
	return cells;
}
