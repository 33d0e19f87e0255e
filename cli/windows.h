/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: two stretches of history side by side, by metric, chunk size, bin
 * and arena. A window's figure is the median of its rows, its spread the 10th
 * and 90th percentile. Pure: no clock, no I/O.
 */
#ifndef HT_CLI_WINDOWS_H
#define HT_CLI_WINDOWS_H

#include "schema/series.h"

enum ht_windows_part {
	HT_WINDOWS_METRICS,
	HT_WINDOWS_CLASSES, /* bytes and chunks in use */
	HT_WINDOWS_BINS,    /* of all arenas together */
	HT_WINDOWS_ARENAS,  /* bytes in use */
	HT_WINDOWS_PARTS
};

/* Of the rows that know the figure: the median, the 10th and the 90th
 * percentile, each the nearest rank, so that it was measured. NaN: no row does.
 */
struct ht_spread {
	double median, low, high;
};
/* Ratios that differ by less are equal. */
#define HT_WINDOWS_RATIO 0.001

struct ht_window_change {
	uint64_t key[HT_LINE_KEYS]; /* as in schema/lines.h; a metric: itself */
	const char *unit;
	struct ht_spread v[2];
	double chunks[2];	     /* medians; NaN: not known, or has none */
	uint64_t min_size, max_size; /* of a bin; else HT_UNKNOWN */
};

struct ht_window_changes {
	struct ht_window_change *v; /* bytes first, then what changed most */
	size_t n;
	size_t noise; /* how many differ by no more than they vary */
};

void ht_window_changes_fini(struct ht_window_changes *c);
#define HT_AUTO_WINDOW_CHANGES HT_CLEANUP(ht_window_changes_fini)

/* What differs between s[0] and s[1]. Left out is what is equal, and as noise
 * where the median of either window lies within the spread of the other. What
 * one of them does not know has NaN there and is not left out. What a window
 * measured and does not name was 0 in it; an arena that it names counts in the
 * rows that have it. ret: zeroed. HT_NOMEM. */
enum ht_code ht_windows_compare(const struct ht_series s[2],
				enum ht_windows_part part,
				struct ht_window_changes *ret,
				struct ht_err *err) HT_MUST_CHECK;
/* median of 1 - of 0; NaN where either is not known. */
double ht_window_change(const struct ht_window_change *c);

#endif
