/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load: what rises and falls together. Size classes, threads, processor time
 * and faults of a service follow the work that it does; the common factor of
 * their ups and downs is its load. A leak is what that factor leaves over.
 */
#ifndef HT_ANALYSIS_LOAD_H
#define HT_ANALYSIS_LOAD_H

#include "analysis/stats.h"

/* x: `series` rows of n values, HT_POINTS_MAX apart. Straight lines are taken
 * out first, so that growth makes no factor. The first principal component of
 * what is left (each series in its own standard deviations); its members are
 * those that it explains (r >= load_member); the load is at each moment the
 * median of what the members say, growth of a minority left aside. False: fewer
 * than three members. ret: n values, mean 0, standard deviation 1. */
bool ht_load_find(const double (*x)[HT_POINTS_MAX], size_t series,
		  const double *t, size_t n, double ret[HT_POINTS_MAX]);

#endif
