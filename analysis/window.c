/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/window.h"

#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "common/clock.h"

static double seconds(int64_t ns)
{
	return (double)ns / (double)HT_NS_PER_S;
}

/* What was looked at only after it had run for a while does not start. */
static bool ran_before(const struct ht_series *s, double skip)
{
	return s->started_ns && (double)(s->time_ns[0] - s->started_ns) > skip;
}

/* Where the window's rows begin, start-up left out. */
static size_t after_startup(const struct ht_series *s, size_t first,
			    size_t last)
{
	double skip = ht_t.startup_share *
		      (double)(s->time_ns[last] - s->time_ns[first]);

	if (first > 0 || ran_before(s, skip))
		return first;
	return ht_series_row_at(s, s->time_ns[0] + 1 + (int64_t)skip);
}

static void as_they_are(struct ht_window *w, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		w->begin[w->n] = i;
		w->t[w->n++] = seconds(w->s->time_ns[i] - w->from_ns);
	}
	w->begin[w->n] = end;
}

static void in_buckets(struct ht_window *w, size_t first, size_t end)
{
	double span = seconds(w->to_ns - w->from_ns);
	double width = span / HT_POINTS_MAX, sum = 0;
	size_t bucket = 0;

	for (size_t i = first; i < end; i++) {
		double t = seconds(w->s->time_ns[i] - w->from_ns);
		size_t at = width > 0 ? (size_t)(t / width) : 0;

		at = at < HT_POINTS_MAX ? at : HT_POINTS_MAX - 1;
		if (i == first || at != bucket) {
			w->begin[w->n++] = i;
			bucket = at;
			sum = 0;
		}
		sum += t;
		w->t[w->n - 1] = sum / (double)(i + 1 - w->begin[w->n - 1]);
	}
	w->begin[w->n] = end;
}

static double longest_late_gap(const struct ht_window *w)
{
	double half = w->t[w->n - 1] / 2, gap = 0;

	for (size_t i = 1; i < w->n; i++)
		if (w->t[i] > half)
			gap = fmax(gap, w->t[i] - w->t[i - 1]);
	return gap;
}

/* Half as many parts as there are buckets, so that jitter leaves none empty. */
static double filled(const struct ht_window *w)
{
	bool seen[HT_POINTS_MAX] = {false};
	size_t parts = w->n / 2, hits = 0;

	for (size_t i = 0; i < w->n; i++) {
		size_t p = (size_t)(w->t[i] / w->t[w->n - 1] * (double)parts);

		p = p < parts ? p : parts - 1;
		hits += !seen[p];
		seen[p] = true;
	}
	return (double)hits / (double)parts;
}

static const char *what_lacks(const struct ht_window *w)
{
	if ((double)w->n < ht_t.min_rows || w->t[w->n - 1] <= 0)
		return "too few samples";
	if (longest_late_gap(w) > ht_t.gap_share * w->t[w->n - 1])
		return "a gap in the second half";
	if (filled(w) < ht_t.filled_share)
		return "too many gaps";
	return NULL;
}

/* A history that keeps its last hours finer than the rest: rows as they are
 * would give those hours the most votes. */
static bool uneven(const struct ht_window *w, size_t first, size_t end)
{
	size_t parts = (end - first) / 2, held[HT_POINTS_MAX] = {0};
	double span = (double)(w->to_ns - w->from_ns);

	for (size_t i = first; i < end && parts && span > 0; i++) {
		double at = (double)(w->s->time_ns[i] - w->from_ns) / span;
		size_t p = (size_t)(at * (double)parts);

		p = p < parts ? p : parts - 1;
		if (++held[p] > (size_t)ht_t.uneven_rows)
			return true;
	}
	return false;
}

void ht_window_open(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
		    struct ht_window *ret)
{
	size_t first = ht_series_row_at(s, from_ns), end;

	memset(ret, 0, sizeof(*ret));
	ret->s = s;
	end = to_ns == INT64_MAX ? s->rows : ht_series_row_at(s, to_ns + 1);
	if (first < end)
		first = after_startup(s, first, end - 1);
	ret->lacks = "too few samples";
	if (first >= end)
		return;
	ret->from_ns = s->time_ns[first];
	ret->to_ns = s->time_ns[end - 1];
	ret->rows = end - first;
	if (ret->rows <= HT_POINTS_MAX && !uneven(ret, first, end))
		as_they_are(ret, first, end);
	else
		in_buckets(ret, first, end);
	ret->lacks = what_lacks(ret);
}

/* A heap that moved while it was read, by more than a tenth of all that malloc
 * has, mmapped chunks too: such a walk is no sample, not a low or a high one.
 */
struct doubt {
	const double *in_use, *in_use_arena, *system, *uncertain;
};

static struct doubt doubt_of(const struct ht_series *s)
{
	return (struct doubt){
		.in_use = ht_need_rows(s, HT_NEED_in_use, HT_STAT_MEDIAN),
		.in_use_arena =
			ht_need_rows(s, HT_NEED_in_use_arena, HT_STAT_MEDIAN),
		.system = ht_need_rows(s, HT_NEED_system, HT_STAT_MEDIAN),
		.uncertain = ht_need_rows(s, HT_NEED_uncertain, HT_STAT_MEDIAN),
	};
}

static bool doubtful(const struct doubt *d, size_t row)
{
	double mmapped;

	if (!(d->uncertain[row] > 0))
		return false;
	mmapped = d->in_use[row] - d->in_use_arena[row];
	return d->uncertain[row] >
	       ht_t.uncertain_share *
		       (d->system[row] + (mmapped > 0 ? mmapped : 0));
}

/* A bucket of more rows is judged by evenly picked ones (the largest and the
 * smallest value are always seen). */
#define BUCKET_ROWS HT_POINTS_MAX

static double reduce(const struct ht_series *s, const double *rows, size_t from,
		     size_t end, enum ht_stat stat)
{
	const struct doubt doubt = doubt_of(s);
	double part[BUCKET_ROWS], high = -INFINITY, low = INFINITY;
	size_t stride = (end - from + BUCKET_ROWS - 1) / BUCKET_ROWS, n = 0;

	for (size_t i = from; i < end; i++) {
		if (isnan(rows[i]) || doubtful(&doubt, i))
			continue;
		high = rows[i] > high ? rows[i] : high;
		low = rows[i] < low ? rows[i] : low;
		if ((i - from) % stride == 0)
			part[n++] = rows[i];
	}
	if (high < low)
		return NAN;
	if (stat == HT_STAT_MAX || n == 0)
		return high;
	if (stat == HT_STAT_MIN)
		return low;
	return ht_quantile(part, n, stat == HT_STAT_P10 ? HT_P10 : HT_MEDIAN);
}

void ht_window_rows(const struct ht_window *w, const double *rows,
		    enum ht_stat stat, double ret[HT_POINTS_MAX])
{
	for (size_t b = 0; b < w->n; b++)
		ret[b] = rows ? reduce(w->s, rows, w->begin[b], w->begin[b + 1],
				       stat)
			      : NAN;
}

void ht_window_column(const struct ht_window *w, enum ht_need m,
		      enum ht_stat stat, double ret[HT_POINTS_MAX])
{
	ht_window_rows(w, ht_need_rows(w->s, m, stat), stat, ret);
}

static bool lists_classes(const struct ht_window *w, size_t from, size_t end)
{
	const struct doubt doubt = doubt_of(w->s);

	for (size_t k = 0; k < w->s->classes_n; k++)
		for (size_t i = from; i < end; i++)
			if (!isnan(w->s->classes[k].bytes[HT_STAT_MEDIAN][i]) &&
			    !doubtful(&doubt, i))
				return true;
	return false;
}

void ht_window_class(const struct ht_window *w, const struct ht_class_series *c,
		     enum ht_stat stat, double ret[HT_POINTS_MAX])
{
	ht_window_rows(w, c->bytes[stat], stat, ret);
	for (size_t b = 0; b < w->n; b++)
		if (isnan(ret[b]) &&
		    lists_classes(w, w->begin[b], w->begin[b + 1]))
			ret[b] = 0;
}

void ht_window_points(const struct ht_window *w, const double *low,
		      const double *x, const double *high,
		      struct ht_points *ret)
{
	ret->n = 0;
	for (size_t b = 0; b < w->n; b++) {
		if (isnan(low[b]) || isnan(x[b]) || isnan(high[b]))
			continue;
		ret->t[ret->n] = w->t[b];
		ret->low[ret->n] = low[b];
		ret->x[ret->n] = x[b];
		ret->high[ret->n++] = high[b];
	}
}
