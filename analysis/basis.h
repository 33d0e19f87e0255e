/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Basis: what growth of one size class is held against over a window of hours
 * or days: the load (as it is, squared, and as a lagging follower), the day
 * (waves of 24 and 12 hours, once the window holds them), and then every hinge
 * (level until t, a slope from there on) and every step. All are fitted
 * together: an orthonormal set is made once for all classes of a window.
 */
#ifndef HT_ANALYSIS_BASIS_H
#define HT_ANALYSIS_BASIS_H

#include "analysis/stats.h"

#define HT_HINGES 17
#define HT_BASIS                                                               \
	16 /* a mean a life (8), 3 of load, 4 of the day, one to spare */
enum ht_clock { HT_CLOCK_TIME, HT_CLOCK_WORK, HT_CLOCKS };

struct ht_basis {
	size_t n;
	double t[HT_POINTS_MAX]; /* hours */
	bool load_known, work_known, day_known;
	double load[HT_POINTS_MAX];
	/* hours of wall time, and the work done scaled to them */
	double clock[HT_CLOCKS][HT_POINTS_MAX];
	size_t k;
	double q[HT_BASIS][HT_POINTS_MAX];
	size_t hinges, at[HT_HINGES]; /* index of the first point */
	/* what q leaves of them, and its square */
	double hinge[HT_CLOCKS][HT_HINGES][HT_POINTS_MAX];
	double hinge2[HT_CLOCKS][HT_HINGES];
	double step[HT_POINTS_MAX][HT_POINTS_MAX], step2[HT_POINTS_MAX];
};

/* n, t, load_known, load, and work (cumulated, any unit; work_known) must be
 * there; makes the rest. */
void ht_basis_make(struct ht_basis *b, const double *work);

/* For who fits something else than hinges and steps: an empty basis (n, t and
 * what is known of the load stay), and one more vector of n values; what the
 * others nearly make up is left out. Then the load in its three forms, and the
 * day as far as `span` hours let it be known. */
void ht_basis_begin(struct ht_basis *b);
void ht_basis_add(struct ht_basis *b, const double *x);
void ht_basis_add_load(struct ht_basis *b);
void ht_basis_add_day(struct ht_basis *b, double span);
/* x less all that the basis explains of it. */
void ht_basis_leave(const struct ht_basis *b, double *x);
/* How many times fewer points count where neighbours are alike (the lag-1
 * autocorrelation rho of x): (1 + rho) / (1 - rho), 39 at most. */
double ht_basis_inflation(const double *x, size_t n);

/* How a series goes on beside what the basis explains. Bytes, hours. */
struct ht_trend {
	double mean, begin, end; /* hours; when it began to rise or fall */
	double slope, se, t;	 /* per hour; negative: it falls */
	double rise;		 /* slope * (end - begin) */
	double spread;		 /* p95 - p5 of what is left */
	double pace, pace_se;	 /* speed of the last 40 % against the rest */
	double late_t;		 /* the last 40 % alone */
	enum ht_clock clock;	 /* in which it is steadier */
	double filling;		 /* ht_trend_filling(), once it is asked for */
	double drop; /* deepest fall beside load and day, steps included */
	size_t steps;
	double step_at, step; /* the largest; NaN: none */
};
void ht_trend_of(const struct ht_basis *b, const double *x,
		 struct ht_trend *ret);
/* What the best curve that levels off leaves unexplained of x against what the
 * best line leaves: below 1 it fills, well above it does not. */
double ht_trend_filling(const struct ht_basis *b, const double *x);

#endif
