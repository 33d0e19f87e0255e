/* SPDX-License-Identifier: Apache-2.0 */
/* Window: a stretch of a series, reduced to at most HT_POINTS_MAX equal-time
 * buckets. Raw rows, when they are few enough, stay as they are. */
#ifndef HT_ANALYSIS_WINDOW_H
#define HT_ANALYSIS_WINDOW_H

#include "analysis/needs.h"
#include "analysis/stats.h"

struct ht_window {
	const struct ht_series *s; /* borrowed */
	int64_t from_ns, to_ns;	   /* first and last row that is used */
	size_t rows;		   /* rows that are used */
	size_t n;		   /* buckets that hold any */
	size_t begin[HT_POINTS_MAX +
		     1];	 /* bucket i: rows begin[i]..begin[i+1] */
	double t[HT_POINTS_MAX]; /* seconds since from_ns */
	const char *lacks; /* why there is too little data; NULL: enough */
};

/* Rows of s in [from, to]. At the beginning of a history the first row and the
 * first startup_share of the time are left out: programs that start look like
 * programs that grow. */
void ht_window_open(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
		    struct ht_window *ret);

/* One value a bucket, NaN where unknown: the 10th percentile of the rows' 10th
 * percentiles, the median of their medians, the largest of their maxima. */
void ht_window_column(const struct ht_window *w, enum ht_need m,
		      enum ht_stat stat, double ret[HT_POINTS_MAX]);
/* The same of one size class; a class that a row does not list counts 0 there
 * when the row lists others. */
void ht_window_class(const struct ht_window *w, const struct ht_class_series *c,
		     enum ht_stat stat, double ret[HT_POINTS_MAX]);
/* The same of any column with one value a row. */
void ht_window_rows(const struct ht_window *w, const double *rows,
		    enum ht_stat stat, double ret[HT_POINTS_MAX]);

/* Points from aligned columns; buckets where any is NaN are left out. */
void ht_window_points(const struct ht_window *w, const double *low,
		      const double *x, const double *high,
		      struct ht_points *ret);

#endif
