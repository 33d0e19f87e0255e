/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets: one row that stands for many. Every statistic is the nearest rank,
 * so that it was measured.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schema/series.h"
#include "schema/series_int.h"

enum { FEW = 16 };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Those of a minute. */
static void sort_few(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		double x = v[i];
		size_t at = i;

		for (; at > 0 && v[at - 1] > x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
}

/* Most figures of a bucket rest or grow: in order already. */
static void sort(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i - 1] > v[i]) {
			if (n <= FEW)
				sort_few(v, n);
			else
				qsort(v, n, sizeof(*v), ascending);
			return;
		}
}

/* Nearest rank of n sorted values; NaN when there are none. */
static double statistic(const double *v, size_t n, enum ht_stat stat)
{
	if (n == 0)
		return NAN;
	switch (stat) {
	case HT_STAT_MIN:
		return v[0];
	case HT_STAT_P10:
		return v[(n - 1) / 10];
	case HT_STAT_MEDIAN:
		return v[(n - 1) / 2];
	case HT_STAT_MAX:
	case HT_STAT_COUNT:
		break;
	}
	return v[n - 1];
}

/* The known values of a column, sorted, into scratch. zeros: unknown beside
 * known size classes is 0. */
static size_t gather(const double *column, const struct ht_rows *r, bool zeros)
{
	size_t n = 0;

	for (size_t i = r->from; i < r->end; i++)
		if (!isnan(column[i]))
			r->scratch[n++] = column[i];
		else if (zeros && r->measured[i])
			r->scratch[n++] = 0;
	sort(r->scratch, n);
	return n;
}

static double median(const double *column, const struct ht_rows *r, bool zeros)
{
	size_t n = gather(column, r, zeros);

	return statistic(r->scratch, n, HT_STAT_MEDIAN);
}

void ht_series_reduce(double *const from[], const enum ht_stat stats[], int n,
		      const struct ht_rows *r, bool zeros, double *const to[],
		      size_t row)
{
	size_t bytes = (r->end - r->from) * sizeof(double), known = 0;
	bool shared = n > 1 && to[0] == to[1];

	for (int k = 0; k < n; k++) {
		if (k == 0 || (from[k] != from[k - 1] &&
			       memcmp(from[k] + r->from, from[k - 1] + r->from,
				      bytes) != 0))
			known = gather(from[k], r, zeros);
		if (!shared || stats[k] == HT_STAT_MEDIAN)
			to[k][row] = statistic(r->scratch, known, stats[k]);
	}
}

static void reduce(double *const from[HT_STAT_COUNT], const struct ht_rows *r,
		   bool zeros, double *const to[HT_STAT_COUNT], size_t row)
{
	static const enum ht_stat stats[HT_STAT_COUNT] = {
		HT_STAT_MIN, HT_STAT_P10, HT_STAT_MEDIAN, HT_STAT_MAX};

	ht_series_reduce(from, stats, HT_STAT_COUNT, r, zeros, to, row);
}

static void mark_measured(const struct ht_series *s, const struct ht_rows *r)
{
	for (size_t i = r->from; i < r->end; i++) {
		r->measured[i] = false;
		for (size_t c = 0; c < s->classes_n && !r->measured[i]; c++)
			r->measured[i] =
				!isnan(s->classes[c].bytes[HT_STAT_MIN][i]);
	}
}

static void reduce_class(const struct ht_class_series *c,
			 const struct ht_rows *r, struct ht_class_series *to,
			 size_t row)
{
	reduce(c->bytes, r, true, to->bytes, row);
	to->chunks[row] = median(c->chunks, r, true);
}

static void reduce_mapping(const struct ht_mapping_series *m,
			   const struct ht_rows *r,
			   struct ht_mapping_series *to, size_t row)
{
	to->anonymous[row] = median(m->anonymous, r, false);
	to->count[row] = median(m->count, r, false);
	to->size[row] = median(m->size, r, false);
	to->resident[row] = median(m->resident, r, false);
}

/* --- one after the other ------------------------------------------------- */

/* All that is reduced, counted through: metrics, classes, mappings, lines. -1:
 * out of memory. */
static int reduce_one(const struct ht_series *s, const struct ht_rows *r,
		      size_t i, struct ht_series *ret)
{
	size_t row = ret->rows - 1;

	if (i < HT_METRIC_COUNT) {
		if (ht_series_has(s, i) && ht_series_has(ret, i))
			reduce(s->metric[i], r, false, ret->metric[i], row);
		return 0;
	}
	i -= HT_METRIC_COUNT;
	if (i < s->classes_n) {
		struct ht_class_series *to =
			ht_series_class(ret, s->classes[i].max_size);

		if (to)
			reduce_class(&s->classes[i], r, to, row);
		return to ? 0 : -1;
	}
	i -= s->classes_n;
	if (i < s->mappings_n) {
		const struct ht_mapping_series *m = &s->mappings[i];
		struct ht_mapping_series *to =
			ht_series_mapping(ret, m->kind, m->name);

		if (to)
			reduce_mapping(m, r, to, row);
		return to ? 0 : -1;
	}
	return ht_series_reduce_line(&s->lines[i - s->mappings_n], r, ret);
}

static size_t count_all(const struct ht_series *s)
{
	return HT_METRIC_COUNT + s->classes_n + s->mappings_n + s->lines_n;
}

static void free_rows(struct ht_rows *r)
{
	free(r->scratch);
	free(r->measured);
}

static enum ht_code begin(const struct ht_series *s,
			  const struct ht_series_bucket *b,
			  struct ht_series *ret, struct ht_err *err)
{
	int64_t middle = s->time_ns[b->from + (b->end - 1 - b->from) / 2];
	enum ht_code code = ht_series_add_row(ret, middle, err);

	if (code != HT_OK)
		return code;
	ret->cut[ret->rows - 1] = false;
	for (size_t i = b->from; i < b->end; i++)
		ret->cut[ret->rows - 1] |= s->cut[i];
	ht_series_list_lines(s, b->from, b->end, ret);
	return HT_OK;
}

bool ht_series_bucket_made(const struct ht_series *s,
			   const struct ht_series_bucket *b)
{
	return b->from == b->end || b->made >= count_all(s);
}

enum ht_code ht_series_bucket_some(const struct ht_series *s,
				   struct ht_series_bucket *b, size_t n,
				   struct ht_series *ret, struct ht_err *err)
{
	HT_CLEANUP(free_rows)
	struct ht_rows r = {.from = b->from,
			    .end = b->end,
			    .scratch = malloc((s->rows + 1) * sizeof(double)),
			    .measured = malloc(s->rows + 1)};
	size_t all = count_all(s);
	size_t until = n < all - b->made ? b->made + n : all;

	if (!r.scratch || !r.measured)
		return ht_fail(err, HT_NOMEM, "a bucket of %zu rows",
			       b->end - b->from);
	mark_measured(s, &r);
	for (; b->made < until; b->made++)
		if (reduce_one(s, &r, b->made, ret))
			return ht_fail(err, HT_NOMEM, "lists of a bucket");
	return HT_OK;
}

static enum ht_code make_bucket(const struct ht_series *s,
				struct ht_series_bucket *b,
				struct ht_series *ret, struct ht_err *err)
{
	enum ht_code code = begin(s, b, ret, err);

	b->made = 0;
	if (code == HT_OK)
		code = ht_series_bucket_some(s, b, SIZE_MAX, ret, err);
	return code;
}

static void take_rows(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
		      struct ht_series_bucket *ret)
{
	*ret = (struct ht_series_bucket){
		.from = ht_series_row_at(s, from_ns),
		.end = to_ns == INT64_MAX ? s->rows
					  : ht_series_row_at(s, to_ns + 1)};
	if (ret->end < ret->from)
		ret->end = ret->from;
}

enum ht_code ht_series_bucket_begin(const struct ht_series *s, int64_t from_ns,
				    int64_t to_ns, struct ht_series *ret,
				    struct ht_series_bucket *b,
				    struct ht_err *err)
{
	take_rows(s, from_ns, to_ns, b);
	return b->from == b->end ? HT_OK : begin(s, b, ret, err);
}

enum ht_code ht_series_bucket(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, struct ht_series *ret,
			      struct ht_err *err)
{
	struct ht_series_bucket b;

	take_rows(s, from_ns, to_ns, &b);
	return b.from == b.end ? HT_OK : make_bucket(s, &b, ret, err);
}

enum ht_code ht_series_window(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, size_t buckets,
			      struct ht_series *ret, struct ht_err *err)
{
	struct ht_series_bucket r;
	enum ht_code code = HT_OK;
	size_t end, first;
	double width = 1;

	take_rows(s, from_ns, to_ns, &r);
	first = r.from;
	end = r.end;
	ret->started_ns = s->started_ns;
	memcpy(ret->target, s->target, sizeof(ret->target));
	ret->pid = s->pid;
	ret->step_ns = s->step_ns;
	if (buckets > 0 && buckets < end - first) { /* else each its own */
		width = (double)(s->time_ns[end - 1] - s->time_ns[first] + 1) /
			(double)buckets;
		ret->step_ns = (int64_t)width;
	}
	while (r.from < end && code == HT_OK) {
		double at = (double)(s->time_ns[r.from] - s->time_ns[first]);
		double limit = (floor(at / width) + 1) * width;

		for (r.end = r.from + 1; r.end < end; r.end++)
			if ((double)(s->time_ns[r.end] - s->time_ns[first]) >=
			    limit)
				break;
		code = make_bucket(s, &r, ret, err);
		r.from = r.end;
	}
	return code;
}
