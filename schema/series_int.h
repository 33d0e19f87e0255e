/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a series, for series.c, buckets.c and lines.c only. */
#ifndef HT_SCHEMA_SERIES_INT_H
#define HT_SCHEMA_SERIES_INT_H

#include "schema/series.h"

/* Rows of a bucket. `measured` says where a list is known: what it does not
 * name there held nothing. */
struct ht_rows {
	size_t from, end;
	double *scratch; /* as many as the series has rows */
	bool *measured;	 /* one a row of the series */
};

/* A column of `capacity` cells; those from `rows` on become unknown. -1: out of
 * memory. */
int ht_series_grow(double **column, size_t rows, size_t capacity);
/* The n columns of one figure: one for all where they are shared. */
int ht_series_grow_all(const struct ht_series *s, double *c[], size_t n,
		       size_t rows, size_t capacity);
/* Whether the metric has columns of its own. */
bool ht_series_has(const struct ht_series *s, size_t metric);
int ht_series_grow_lines(struct ht_series *s, size_t capacity);
void ht_series_free_lines(struct ht_series *s);
/* The cells of the kept rows move together; those behind become unknown. */
void ht_series_keep_columns(double *const c[], size_t n, size_t rows,
			    const bool *keep);
void ht_series_keep_lines(struct ht_series *s, const bool *keep);

/* The n statistics of the rows into row `row` of `to`: each of the column of
 * its own. Rows that are samples have the same value in all: those are sorted
 * once. zeros: unknown where measured is 0. */
void ht_series_reduce(double *const from[], const enum ht_stat stats[], int n,
		      const struct ht_rows *r, bool zeros, double *const to[],
		      size_t row);
/* Begins the lists that some row in [from, end) measured in ret's last row. */
void ht_series_list_lines(const struct ht_series *s, size_t from, size_t end,
			  struct ht_series *ret);
/* Into ret's last row; -1: out of memory. */
int ht_series_reduce_line(const struct ht_list_line *l, const struct ht_rows *r,
			  struct ht_series *ret);

#endif
