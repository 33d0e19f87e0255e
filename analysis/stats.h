/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stats: robust statistics of short series (at most HT_POINTS_MAX points), all
 * O(n^2) at most and without allocation. Times need not be even. No NaN goes
 * in; NaN comes out where there are too few points.
 */
#ifndef HT_ANALYSIS_STATS_H
#define HT_ANALYSIS_STATS_H

#include <stdbool.h>
#include <stddef.h>

#define HT_POINTS_MAX  96
#define HT_FLOORS_MAX  12
#define HT_LINE_POINTS 3 /* fewer are no line */

/* What is so by definition, and decides nothing. The rest: thresholds.def. */
#define HT_HOUR_S    3600
#define HT_DAY_S     86400
#define HT_DAY_H     24
#define HT_PAGE	     4096 /* of x86: no other machine is measured yet */
#define HT_MEDIAN    0.5
#define HT_P5	     0.05
#define HT_P10	     0.1
#define HT_P95	     0.95
#define HT_Z80	     1.28 /* standard errors on either side that hold 80 % */
#define HT_Z95	     1.96
#define HT_MAD_SIGMA 1.48 /* of a median absolute deviation */
#define HT_ROUNDING  1e-9 /* shares are exact only up to it */

/* One quantity over a window. On raw data the three values are the same. */
struct ht_points {
	size_t n;
	double t[HT_POINTS_MAX];    /* seconds since the window's begin */
	double x[HT_POINTS_MAX];    /* median of the bucket */
	double low[HT_POINTS_MAX];  /* its 10th percentile */
	double high[HT_POINTS_MAX]; /* its maximum */
};

/* The sum of products; x less `factor` times q. */
double ht_dot(const double *a, const double *b, size_t n);
void ht_take(double *x, double factor, const double *q, size_t n);

/* Linear between neighbours; q 0..1. */
double ht_quantile(const double *x, size_t n, double q);
double ht_median(const double *x, size_t n);
/* From the 5th to the 95th percentile. */
double ht_spread(const double *x, size_t n);

/* Median of all pairwise slopes (Theil 1950, Sen 1968). */
double ht_theil_sen(const double *t, const double *x, size_t n);
/* Sen's rank interval (80 %) of that slope for `effective` independent points:
 * half width of ranks HT_Z80 * sqrt(n (n - 1) (2n + 5) / 18). */
void ht_sen_interval(const double *t, const double *x, size_t n,
		     double effective, double *ret_low, double *ret_high);
/* Kendall's tau: (pairs up - pairs down) / pairs, ties count as neither. */
double ht_kendall(const double *x, size_t n);

/* A straight line through a series and how sure its rise is when neighbouring
 * points are alike. sigma = max(HT_MAD_SIGMA MAD, sigma_least rms) of the
 * residuals; rho = their lag-1 autocorrelation, clipped at outlier_sigmas, in
 * [0, correlation_most]; effective = max(effective_least, n (1 - rho) / (1 +
 * rho)); t = rise / (sigma sqrt(12 / effective)).
 */
struct ht_line {
	double slope, rise, t, effective, sigma;
};
struct ht_line ht_line_of(const double *t, const double *x, size_t n);

/* The window in k equal-time segments, each its 10th percentile; segments
 * without a point are left out. Returns how many there are. */
size_t ht_floors(const struct ht_points *p, size_t k, double *ret_t,
		 double *ret_x);
/* k for n points: HT_FLOORS_MAX, floors_some or floors_few. */
size_t ht_floors_count(size_t n);

/* Points of p with from <= t <= to, as shares of its span. */
void ht_points_part(const struct ht_points *p, double from, double to,
		    struct ht_points *ret);
double ht_points_span(const struct ht_points *p);
/* The last value; NaN of none. */
double ht_points_last(const struct ht_points *p);
/* Median of the last eighth less median of the first eighth. */
double ht_points_rise(const struct ht_points *p);
/* Median of the first eighth; of its first quarter where a quarter of the rise
 * lies within it already: what rises from the beginning has no level there. */
double ht_points_begin(const struct ht_points *p);

/* Where a flat stretch turns into a slope (least squares over all hinges):
 * index of the point from which it rises; 0: from the beginning. */
size_t ht_hinge(const struct ht_points *p);

#endif
