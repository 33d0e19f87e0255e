/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes: a class that appears late was 0 before wherever other classes are
 * known; readers treat NaN beside known classes as 0.
 */
#include "schema/series.h"

#include <math.h>
#include <string.h>

#include "schema/series_int.h"

void ht_series_init(struct ht_series *s)
{
	memset(s, 0, sizeof(*s));
}

void ht_series_limit(struct ht_series *s, const bool metrics[HT_METRIC_COUNT])
{
	s->limited = true;
	memcpy(s->wanted, metrics, sizeof(s->wanted));
}

static bool has_columns(const struct ht_series *s, size_t metric)
{
	return !s->limited || s->wanted[metric];
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
		if (has_columns(s, m))
			free_columns(s->metric[m]);
	free(s->unknown);
	for (size_t i = 0; i < s->classes_n; i++) {
		free_columns(s->classes[i].bytes);
		free(s->classes[i].chunks);
	}
	for (size_t i = 0; i < s->mappings_n; i++) {
		free(s->mappings[i].anonymous);
		free(s->mappings[i].count);
		free(s->mappings[i].size);
		free(s->mappings[i].resident);
	}
	free(s->classes);
	free(s->mappings);
	ht_series_free_lines(s);
	memset(s, 0, sizeof(*s));
}

int ht_series_grow(double **column, size_t rows, size_t capacity)
{
	double *c = realloc(*column, capacity * sizeof(**column));

	if (!c)
		return -1;
	*column = c;
	for (size_t i = rows; i < capacity; i++)
		c[i] = NAN;
	return 0;
}

static int grow_metrics(struct ht_series *s, size_t capacity)
{
	int bad =
		s->limited ? ht_series_grow(&s->unknown, s->rows, capacity) : 0;

	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			if (has_columns(s, m))
				bad |= ht_series_grow(&s->metric[m][k], s->rows,
						      capacity);
			else
				s->metric[m][k] = s->unknown;
	return bad;
}

static int grow_mapping(struct ht_mapping_series *m, size_t rows,
			size_t capacity)
{
	return ht_series_grow(&m->anonymous, rows, capacity) |
	       ht_series_grow(&m->count, rows, capacity) |
	       ht_series_grow(&m->size, rows, capacity) |
	       ht_series_grow(&m->resident, rows, capacity);
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
	bad = grow_metrics(s, capacity);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < s->classes_n; i++)
			bad |= ht_series_grow(&s->classes[i].bytes[k], s->rows,
					      capacity);
	for (size_t i = 0; i < s->classes_n; i++)
		bad |= ht_series_grow(&s->classes[i].chunks, s->rows, capacity);
	for (size_t i = 0; i < s->mappings_n; i++)
		bad |= grow_mapping(&s->mappings[i], s->rows, capacity);
	bad |= ht_series_grow_lines(s, capacity);
	if (!bad)
		s->capacity = capacity;
	return bad;
}

/* More than three times the largest of the intervals before: nobody looked. */
static bool is_gap(const struct ht_series *s, int64_t time_ns)
{
	const int64_t *t = s->time_ns + s->rows;
	int64_t usual = 1;

	for (size_t i = 1; i <= 3 && i < s->rows; i++)
		if (t[-(ptrdiff_t)i] - t[-(ptrdiff_t)i - 1] > usual)
			usual = t[-(ptrdiff_t)i] - t[-(ptrdiff_t)i - 1];
	return s->rows >= 2 && time_ns - t[-1] > 3 * usual;
}

/* The wall clock stepped back to time_ns: see the header. */
static void move_back(struct ht_series *s, int64_t time_ns)
{
	const int64_t *t = s->time_ns + s->rows;
	int64_t usual = s->rows >= 2 ? t[-1] - t[-2] : 1;
	int64_t by = t[-1] - time_ns + (usual > 0 ? usual : 1);

	for (size_t i = 0; i < s->rows; i++)
		s->time_ns[i] -= by;
}

enum ht_code ht_series_reserve(struct ht_series *s, size_t rows,
			       struct ht_err *err)
{
	if (rows > s->capacity && grow_all(s, rows))
		return ht_fail(err, HT_NOMEM, "series of %zu rows", rows);
	return HT_OK;
}

enum ht_code ht_series_add_row(struct ht_series *s, int64_t time_ns,
			       struct ht_err *err)
{
	bool back = s->rows && time_ns <= s->time_ns[s->rows - 1];
	bool cut = back || is_gap(s, time_ns);

	if (s->rows == s->capacity &&
	    grow_all(s, s->capacity ? 2 * s->capacity : 64))
		return ht_fail(err, HT_NOMEM, "series of %zu rows", s->rows);
	if (back)
		move_back(s, time_ns);
	s->time_ns[s->rows] = time_ns;
	s->cut[s->rows++] = cut;
	return HT_OK;
}

/* Callers ask in the same order again and again: the next one is likely. */
static struct ht_class_series *find_class(struct ht_series *s,
					  uint64_t max_size)
{
	for (size_t i = 0; i < s->classes_n; i++) {
		size_t at = (s->class_at + 1 + i) % s->classes_n;

		if (s->classes[at].max_size == max_size) {
			s->class_at = at;
			return &s->classes[at];
		}
	}
	return NULL;
}

struct ht_class_series *ht_series_class(struct ht_series *s, uint64_t max_size)
{
	struct ht_class_series *c = find_class(s, max_size);
	int bad = 0;

	if (c)
		return c;
	c = realloc(s->classes, (s->classes_n + 1) * sizeof(*c));
	if (!c)
		return NULL;
	s->classes = c;
	c += s->classes_n++;
	memset(c, 0, sizeof(*c));
	c->max_size = max_size;
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		bad |= ht_series_grow(&c->bytes[k], 0, s->capacity);
	bad |= ht_series_grow(&c->chunks, 0, s->capacity);
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
	return grow_mapping(m, 0, s->capacity) ? NULL : m;
}

/* --- from a snapshot ----------------------------------------------------- */

static double value_of(uint64_t v)
{
	return v == HT_UNKNOWN ? NAN : (double)v;
}

static void put_all(double *columns[HT_STAT_COUNT], size_t row, double value)
{
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		columns[k][row] = value;
}

enum ht_code ht_series_put_classes(struct ht_series *s,
				   const struct ht_snapshot *from,
				   struct ht_err *err)
{
	size_t row = s->rows - 1;

	for (size_t i = 0; i < s->classes_n && from->size_classs.n; i++) {
		put_all(s->classes[i].bytes, row, 0);
		s->classes[i].chunks[row] = 0;
	}
	for (size_t i = 0; i < from->size_classs.n; i++) {
		const struct ht_size_class *v = &from->size_classs.v[i];
		struct ht_class_series *c = ht_series_class(s, v->max_size);

		if (!c)
			return ht_fail(err, HT_NOMEM, "classes of row %zu",
				       row);
		put_all(c->bytes, row, value_of(v->in_use_bytes));
		c->chunks[row] = value_of(v->in_use_chunks);
	}
	return HT_OK;
}

enum ht_code ht_series_put_mappings(struct ht_series *s,
				    const struct ht_snapshot *from,
				    struct ht_err *err)
{
	size_t row = s->rows - 1;

	for (size_t i = 0; i < from->mappings.n; i++) {
		const struct ht_mapping *v = &from->mappings.v[i];
		struct ht_mapping_series *m =
			ht_series_mapping(s, v->kind, v->name);

		if (!m)
			return ht_fail(err, HT_NOMEM, "mappings of row %zu",
				       row);
		m->anonymous[row] = value_of(v->anonymous);
		m->count[row] = value_of(v->count);
		m->size[row] = value_of(v->size);
		m->resident[row] = value_of(v->resident);
	}
	return HT_OK;
}

enum ht_code ht_series_add_snapshot(struct ht_series *s,
				    const struct ht_snapshot *from,
				    struct ht_err *err)
{
	double values[HT_METRIC_COUNT];
	enum ht_code code = ht_series_add_row(s, from->head.taken_at, err);

	if (code != HT_OK)
		return code;
	if (s->rows == 1)
		s->started_ns = from->head.started_at;
	ht_metrics_of(from, values);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		put_all(s->metric[m], s->rows - 1, values[m]);
	code = ht_series_put_classes(s, from, err);
	if (code == HT_OK)
		code = ht_series_put_mappings(s, from, err);
	return code;
}

/* --- in buckets ---------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Most figures of a bucket rest or grow: in order already. */
static void sort(double *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i - 1] > v[i]) {
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

	for (int k = 0; k < n; k++) {
		if (k == 0 || memcmp(from[k] + r->from, from[k - 1] + r->from,
				     bytes) != 0)
			known = gather(from[k], r, zeros);
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

static void reduce_metrics(const struct ht_series *s, const struct ht_rows *r,
			   struct ht_series *ret)
{
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (has_columns(s, m) && has_columns(ret, m))
			reduce(s->metric[m], r, false, ret->metric[m],
			       ret->rows - 1);
}

static int reduce_classes(const struct ht_series *s, const struct ht_rows *r,
			  struct ht_series *ret)
{
	size_t row = ret->rows - 1;

	mark_measured(s, r);
	for (size_t i = 0; i < s->classes_n; i++) {
		const struct ht_class_series *c = &s->classes[i];
		struct ht_class_series *to = ht_series_class(ret, c->max_size);

		if (!to)
			return -1;
		reduce(c->bytes, r, true, to->bytes, row);
		to->chunks[row] = median(c->chunks, r, true);
	}
	return 0;
}

static int reduce_mappings(const struct ht_series *s, const struct ht_rows *r,
			   struct ht_series *ret)
{
	size_t row = ret->rows - 1;

	for (size_t i = 0; i < s->mappings_n; i++) {
		const struct ht_mapping_series *m = &s->mappings[i];
		struct ht_mapping_series *to =
			ht_series_mapping(ret, m->kind, m->name);

		if (!to)
			return -1;
		to->anonymous[row] = median(m->anonymous, r, false);
		to->count[row] = median(m->count, r, false);
		to->size[row] = median(m->size, r, false);
		to->resident[row] = median(m->resident, r, false);
	}
	return 0;
}

static enum ht_code add_bucket(const struct ht_series *s,
			       const struct ht_rows *r, struct ht_series *ret,
			       struct ht_err *err)
{
	int64_t middle = s->time_ns[r->from + (r->end - 1 - r->from) / 2];
	enum ht_code code = ht_series_add_row(ret, middle, err);

	if (code != HT_OK)
		return code;
	ret->cut[ret->rows - 1] = false;
	for (size_t i = r->from; i < r->end; i++)
		ret->cut[ret->rows - 1] |= s->cut[i];
	reduce_metrics(s, r, ret);
	if (reduce_classes(s, r, ret) || reduce_mappings(s, r, ret) ||
	    ht_series_reduce_lines(s, r, ret))
		return ht_fail(err, HT_NOMEM, "lists of a bucket");
	return HT_OK;
}

static void free_rows(struct ht_rows *r)
{
	free(r->scratch);
	free(r->measured);
}

/* First row that is not before time_ns. */
static size_t lower_bound(const struct ht_series *s, int64_t time_ns)
{
	size_t low = 0, high = s->rows;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->time_ns[middle] < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Rows in [from, to], with room to reduce them. free_rows() after. */
static enum ht_code take_rows(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, struct ht_rows *ret,
			      struct ht_err *err)
{
	*ret = (struct ht_rows){
		.from = lower_bound(s, from_ns),
		.end = to_ns == INT64_MAX ? s->rows : lower_bound(s, to_ns + 1),
		.scratch = malloc((s->rows + 1) * sizeof(double)),
		.measured = malloc(s->rows + 1)};
	if (!ret->scratch || !ret->measured)
		return ht_fail(err, HT_NOMEM, "a window of %zu rows", s->rows);
	if (ret->end < ret->from)
		ret->end = ret->from;
	return HT_OK;
}

enum ht_code ht_series_bucket(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, struct ht_series *ret,
			      struct ht_err *err)
{
	HT_CLEANUP(free_rows) struct ht_rows r = {0};
	enum ht_code code = take_rows(s, from_ns, to_ns, &r, err);

	if (code != HT_OK || r.from == r.end)
		return code;
	return add_bucket(s, &r, ret, err);
}

enum ht_code ht_series_window(const struct ht_series *s, int64_t from_ns,
			      int64_t to_ns, size_t buckets,
			      struct ht_series *ret, struct ht_err *err)
{
	HT_CLEANUP(free_rows) struct ht_rows r = {0};
	enum ht_code code = take_rows(s, from_ns, to_ns, &r, err);
	size_t end = r.end, first = r.from;
	double width = 1;

	if (code != HT_OK)
		return code;
	ret->started_ns = s->started_ns;
	memcpy(ret->target, s->target, sizeof(ret->target));
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
		code = add_bucket(s, &r, ret, err);
		r.from = r.end;
	}
	return code;
}
