/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times: rows must be in order. A row that is not later than the last one (the
 * wall clock stepped back) is put one nanosecond after it and marked as a cut.
 * Classes: a class that appears late was 0 before wherever other classes are
 * known; readers treat NaN beside known classes as 0.
 */
#include "schema/series.h"

#include <math.h>
#include <string.h>

void ht_series_init(struct ht_series *s)
{
	memset(s, 0, sizeof(*s));
}

static void free_columns(double *c[HT_STAT_COUNT])
{
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		free(c[k]);
}

void ht_series_fini(struct ht_series *s)
{
	free(s->time_ns);
	free(s->cut);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		free_columns(s->metric[m]);
	for (size_t i = 0; i < s->classes_n; i++) {
		free_columns(s->classes[i].bytes);
		free(s->classes[i].chunks);
	}
	for (size_t i = 0; i < s->mappings_n; i++) {
		free(s->mappings[i].anonymous);
		free(s->mappings[i].count);
	}
	free(s->classes);
	free(s->mappings);
	memset(s, 0, sizeof(*s));
}

static int grow(double **column, size_t rows, size_t capacity)
{
	double *c = realloc(*column, capacity * sizeof(**column));

	if (!c)
		return -1;
	*column = c;
	for (size_t i = rows; i < capacity; i++)
		c[i] = NAN;
	return 0;
}

static int grow_all(struct ht_series *s, size_t capacity)
{
	int64_t *t = realloc(s->time_ns, capacity * sizeof(*t));
	bool *cut;
	int bad = 0;

	if (!t)
		return -1;
	s->time_ns = t;
	cut = realloc(s->cut, capacity * sizeof(*cut));
	if (!cut)
		return -1;
	s->cut = cut;
	for (size_t k = 0; k < HT_STAT_COUNT; k++) {
		for (size_t m = 0; m < HT_METRIC_COUNT; m++)
			bad |= grow(&s->metric[m][k], s->rows, capacity);
		for (size_t i = 0; i < s->classes_n; i++)
			bad |= grow(&s->classes[i].bytes[k], s->rows, capacity);
	}
	for (size_t i = 0; i < s->classes_n; i++)
		bad |= grow(&s->classes[i].chunks, s->rows, capacity);
	for (size_t i = 0; i < s->mappings_n; i++) {
		bad |= grow(&s->mappings[i].anonymous, s->rows, capacity);
		bad |= grow(&s->mappings[i].count, s->rows, capacity);
	}
	if (!bad)
		s->capacity = capacity;
	return bad;
}

/* More than three times the interval before it: nobody was looking. */
static bool is_gap(const struct ht_series *s, int64_t time_ns)
{
	const int64_t *t = s->time_ns + s->rows;

	return s->rows >= 2 && time_ns - t[-1] > 3 * (t[-1] - t[-2]) &&
	       t[-1] - t[-2] > 1;
}

enum ht_code ht_series_add_row(struct ht_series *s, int64_t time_ns,
			       struct ht_err *err)
{
	bool back = s->rows && time_ns <= s->time_ns[s->rows - 1];
	bool cut = back || is_gap(s, time_ns);

	if (s->rows == s->capacity &&
	    grow_all(s, s->capacity ? 2 * s->capacity : 64))
		return ht_fail(err, HT_NOMEM, "series of %zu rows", s->rows);
	s->time_ns[s->rows] = back ? s->time_ns[s->rows - 1] + 1 : time_ns;
	s->cut[s->rows++] = cut;
	return HT_OK;
}

struct ht_class_series *ht_series_class(struct ht_series *s, uint64_t max_size)
{
	struct ht_class_series *c;
	int bad = 0;

	for (size_t i = 0; i < s->classes_n; i++)
		if (s->classes[i].max_size == max_size)
			return &s->classes[i];
	c = realloc(s->classes, (s->classes_n + 1) * sizeof(*c));
	if (!c)
		return NULL;
	s->classes = c;
	c += s->classes_n++;
	memset(c, 0, sizeof(*c));
	c->max_size = max_size;
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		bad |= grow(&c->bytes[k], 0, s->capacity);
	bad |= grow(&c->chunks, 0, s->capacity);
	return bad ? NULL : c;
}

struct ht_mapping_series *ht_series_mapping(struct ht_series *s, uint64_t kind,
					    const char *name)
{
	struct ht_mapping_series *m;

	for (size_t i = 0; i < s->mappings_n; i++)
		if (s->mappings[i].kind == kind &&
		    strcmp(s->mappings[i].name, name) == 0)
			return &s->mappings[i];
	m = realloc(s->mappings, (s->mappings_n + 1) * sizeof(*m));
	if (!m)
		return NULL;
	s->mappings = m;
	m += s->mappings_n++;
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	snprintf(m->name, sizeof(m->name), "%s", name);
	if (grow(&m->anonymous, 0, s->capacity) |
	    grow(&m->count, 0, s->capacity))
		return NULL;
	return m;
}

/* --- from a snapshot ---------------------------------------------------------
 */

static double value_of(uint64_t v)
{
	return v == HT_UNKNOWN ? NAN : (double)v;
}

static void put_all(double *columns[HT_STAT_COUNT], size_t row, double value)
{
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		columns[k][row] = value;
}

static int add_classes(struct ht_series *s, const struct ht_snapshot *from)
{
	size_t row = s->rows - 1;

	for (size_t i = 0; i < from->size_classs.n; i++) {
		const struct ht_size_class *v = &from->size_classs.v[i];
		struct ht_class_series *c = ht_series_class(s, v->max_size);

		if (!c)
			return -1;
		put_all(c->bytes, row, value_of(v->in_use_bytes));
		c->chunks[row] = value_of(v->in_use_chunks);
	}
	return 0;
}

static int add_mappings(struct ht_series *s, const struct ht_snapshot *from)
{
	size_t row = s->rows - 1;

	for (size_t i = 0; i < from->mappings.n; i++) {
		const struct ht_mapping *v = &from->mappings.v[i];
		struct ht_mapping_series *m =
			ht_series_mapping(s, v->kind, v->name);

		if (!m)
			return -1;
		m->anonymous[row] = value_of(v->anonymous);
		m->count[row] = value_of(v->count);
	}
	return 0;
}

enum ht_code ht_series_add_snapshot(struct ht_series *s,
				    const struct ht_snapshot *from,
				    struct ht_err *err)
{
	uint64_t values[HT_METRIC_COUNT];
	enum ht_code code = ht_series_add_row(s, from->head.taken_at, err);

	if (code != HT_OK)
		return code;
	if (s->rows == 1)
		s->started_ns = from->head.started_at;
	ht_metrics_of(from, values);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		put_all(s->metric[m], s->rows - 1, value_of(values[m]));
	if (add_classes(s, from) || add_mappings(s, from))
		return ht_fail(err, HT_NOMEM, "size classes of row %zu",
			       s->rows);
	return HT_OK;
}

/* --- a part of it, in buckets
 * ------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The statistic of rows [from, end) of one column; scratch holds as many. */
static double reduce(const double *column, size_t from, size_t end,
		     enum ht_stat stat, double *scratch)
{
	size_t n = 0;

	for (size_t i = from; i < end; i++)
		if (!isnan(column[i]))
			scratch[n++] = column[i];
	if (n == 0)
		return NAN;
	qsort(scratch, n, sizeof(*scratch), ascending);
	switch (stat) {
	case HT_STAT_MIN:
		return scratch[0];
	case HT_STAT_P10:
		return scratch[(n - 1) / 10];
	case HT_STAT_MEDIAN:
		return scratch[(n - 1) / 2];
	default:
		return scratch[n - 1];
	}
}

struct rows {
	size_t from, end;
	double *scratch;
};

static void reduce_metrics(const struct ht_series *s, const struct rows *r,
			   struct ht_series *ret)
{
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			ret->metric[m][k][ret->rows - 1] =
				reduce(s->metric[m][k], r->from, r->end,
				       (enum ht_stat)k, r->scratch);
}

static int reduce_parts(const struct ht_series *s, const struct rows *r,
			struct ht_series *ret)
{
	size_t row = ret->rows - 1;

	for (size_t i = 0; i < s->classes_n; i++) {
		const struct ht_class_series *c = &s->classes[i];
		struct ht_class_series *to = ht_series_class(ret, c->max_size);

		if (!to)
			return -1;
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			to->bytes[k][row] = reduce(c->bytes[k], r->from, r->end,
						   (enum ht_stat)k, r->scratch);
		to->chunks[row] = reduce(c->chunks, r->from, r->end,
					 HT_STAT_MEDIAN, r->scratch);
	}
	for (size_t i = 0; i < s->mappings_n; i++) {
		const struct ht_mapping_series *m = &s->mappings[i];
		struct ht_mapping_series *to =
			ht_series_mapping(ret, m->kind, m->name);

		if (!to)
			return -1;
		to->anonymous[row] = reduce(m->anonymous, r->from, r->end,
					    HT_STAT_MEDIAN, r->scratch);
		to->count[row] = reduce(m->count, r->from, r->end,
					HT_STAT_MEDIAN, r->scratch);
	}
	return 0;
}

static enum ht_code add_bucket(const struct ht_series *s, const struct rows *r,
			       struct ht_series *ret, struct ht_err *err)
{
	int64_t middle = s->time_ns[r->from + (r->end - 1 - r->from) / 2];
	enum ht_code code = ht_series_add_row(ret, middle, err);

	if (code != HT_OK)
		return code;
	ret->cut[ret->rows - 1] = false;
	for (size_t i = r->from; i < r->end; i++)
		ret->cut[ret->rows - 1] |= s->cut[i];
	reduce_metrics(s, r, ret);
	if (reduce_parts(s, r, ret))
		return ht_fail(err, HT_NOMEM, "size classes of a bucket");
	return HT_OK;
}

enum ht_code ht_series_window(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, size_t buckets,
			      struct ht_series *ret, struct ht_err *err)
{
	HT_AUTO_FREE double *scratch = malloc((s->rows + 1) * sizeof(*scratch));
	struct rows r = {.scratch = scratch};
	enum ht_code code;
	size_t end = s->rows;
	double width;

	if (!scratch)
		return ht_fail(err, HT_NOMEM, "a window of %zu rows", s->rows);
	while (r.from < end && s->time_ns[r.from] < from_ns)
		r.from++;
	while (end > r.from && s->time_ns[end - 1] > to_ns)
		end--;
	ret->started_ns = s->started_ns;
	memcpy(ret->target, s->target, sizeof(ret->target));
	if (buckets == 0 || buckets >= end - r.from)
		buckets = SIZE_MAX; /* every row its own */
	width = r.from < end ? (double)(s->time_ns[end - 1] -
					s->time_ns[r.from] + 1) /
				       (double)buckets
			     : 1;
	for (int64_t begin = r.from < end ? s->time_ns[r.from] : 0;
	     r.from < end; r.from = r.end) {
		double at = (double)(s->time_ns[r.from] - begin);
		double limit = (floor(at / width) + 1) * width;

		r.end = r.from + 1;
		while (r.end < end &&
		       (double)(s->time_ns[r.end] - begin) < limit)
			r.end++;
		code = add_bucket(s, &r, ret, err);
		if (code != HT_OK)
			return code;
	}
	return HT_OK;
}
