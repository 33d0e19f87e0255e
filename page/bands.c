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

/* 0 for what is unknown: it is then part of what is left of RSS. */
static double at(const struct ht_series *s, enum ht_metric m, size_t row)
{
	double v = s->metric[m][HT_STAT_MEDIAN][row];

	return isfinite(v) ? v : 0;
}

static void split(const struct ht_series *s, size_t row,
		  double v[HT_PAGE_BANDS])
{
	double retained = at(s, HT_M_retained, row);
	double rest = s->metric[HT_M_rss][HT_STAT_MEDIAN][row];

	v[HT_BAND_FILES] =
		at(s, HT_M_rss_file, row) + at(s, HT_M_rss_shmem, row);
	v[HT_BAND_MMAPPED] = at(s, HT_M_mmapped_resident, row);
	v[HT_BAND_HELD] = fmax(at(s, HT_M_heap_resident, row) - retained, 0);
	v[HT_BAND_TRIMMABLE] = at(s, HT_M_trimmable, row);
	v[HT_BAND_KEPT] = fmax(retained - v[HT_BAND_TRIMMABLE], 0);
	v[HT_BAND_OUTSIDE] = 0;
	for (int b = 0; b < HT_PAGE_BANDS; b++)
		rest -= v[b];
	v[HT_BAND_OUTSIDE] = fmax(rest, 0);
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
