/* SPDX-License-Identifier: Apache-2.0 */
/* Made: series from formulas, the same on every machine. */
#ifndef HT_TESTS_MADE_H
#define HT_TESTS_MADE_H

#include "schema/series.h"

/* A small generator of random numbers (xoshiro256** by Blackman and Vigna). */
void ht_made_seed(uint64_t seed);
double ht_made_uniform(void); /* 0..1, ends excluded */
double ht_made_normal(void);

/* Fills an empty series with n rows, one a minute with up to `jitter` of it:
 * in use, resident heap and anonymous memory are x[i] bytes, nothing else is
 * there. */
void ht_made_in_use(struct ht_series *s, const double *x, size_t n,
		    double jitter);
/* One value into all statistics of the last row. */
void ht_made_put(struct ht_series *s, enum ht_metric m, double value);
/* Into the last row: size classes of 32, 48, 64... bytes with x[i] bytes in
 * use, give or take 0.4 %; all of it resident in arenas, nothing kept, 10 MiB
 * beside malloc, a limit of 8 GiB. */
void ht_made_classes(struct ht_series *s, const double *x, size_t n);

#endif
