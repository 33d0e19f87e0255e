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

bool ht_series_has(const struct ht_series *s, size_t metric)
{
	return !s->limited || s->wanted[metric];
}

/* The statistics may share a column. */
static void free_columns(double *c[HT_STAT_COUNT])
{
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		if (k == 0 || c[k] != c[0])
			free(c[k]);
}

void ht_series_share(struct ht_series *s)
{
	s->shared = true;
}

int ht_series_grow_all(const struct ht_series *s, double *c[], size_t n,
		       size_t rows, size_t capacity)
{
	int bad = ht_series_grow(&c[0], rows, capacity);

	for (size_t k = 1; k < n; k++)
		if (s->shared)
			c[k] = c[0];
		else
			bad |= ht_series_grow(&c[k], rows, capacity);
	return bad;
}

void ht_series_fini(struct ht_series *s)
{
	free(s->time_ns);
	free(s->cut);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (ht_series_has(s, m))
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
		if (ht_series_has(s, m))
			bad |= ht_series_grow_all(s, s->metric[m],
						  HT_STAT_COUNT, s->rows,
						  capacity);
		else
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				s->metric[m][k] = s->unknown;
	return bad;
}

static int grow_class(const struct ht_series *s, struct ht_class_series *c,
		      size_t rows, size_t capacity)
{
	return ht_series_grow_all(s, c->bytes, HT_STAT_COUNT, rows, capacity) |
	       ht_series_grow(&c->chunks, rows, capacity);
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
	for (size_t i = 0; i < s->classes_n; i++)
		bad |= grow_class(s, &s->classes[i], s->rows, capacity);
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

/* The kept cells first, then cells that are unknown, for rows to come. */
static void keep_cells(double *c, size_t rows, const bool *keep)
{
	size_t to = 0;

	for (size_t i = 0; i < rows; i++)
		if (keep[i])
			c[to++] = c[i];
	while (to < rows)
		c[to++] = NAN;
}

void ht_series_keep_columns(double *const c[], size_t n, size_t rows,
			    const bool *keep)
{
	for (size_t k = 0; k < n; k++)
		if (k == 0 || c[k] != c[0])
			keep_cells(c[k], rows, keep);
}

static void keep_times(struct ht_series *s, const bool *keep)
{
	size_t all = s->rows;
	bool cut = false;

	s->rows = 0;
	for (size_t i = 0; i < all; i++) {
		cut |= s->cut[i];
		if (!keep[i])
			continue;
		s->cut[s->rows] = cut || is_gap(s, s->time_ns[i]);
		s->time_ns[s->rows++] = s->time_ns[i];
		cut = false;
	}
}

void ht_series_keep_rows(struct ht_series *s, const bool *keep)
{
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (ht_series_has(s, m))
			ht_series_keep_columns(s->metric[m], HT_STAT_COUNT,
					       s->rows, keep);
	for (size_t i = 0; i < s->classes_n; i++) {
		ht_series_keep_columns(s->classes[i].bytes, HT_STAT_COUNT,
				       s->rows, keep);
		keep_cells(s->classes[i].chunks, s->rows, keep);
	}
	for (size_t i = 0; i < s->mappings_n; i++) {
		keep_cells(s->mappings[i].anonymous, s->rows, keep);
		keep_cells(s->mappings[i].count, s->rows, keep);
		keep_cells(s->mappings[i].size, s->rows, keep);
		keep_cells(s->mappings[i].resident, s->rows, keep);
	}
	ht_series_keep_lines(s, keep);
	keep_times(s, keep);
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

size_t ht_series_row_at(const struct ht_series *s, int64_t time_ns)
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

	if (c)
		return c;
	c = realloc(s->classes, (s->classes_n + 1) * sizeof(*c));
	if (!c)
		return NULL;
	s->classes = c;
	c += s->classes_n++;
	memset(c, 0, sizeof(*c));
	c->max_size = max_size;
	return grow_class(s, c, 0, s->capacity) ? NULL : c;
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

	for (size_t i = 0; i < s->classes_n && from->size_classes.n; i++) {
		put_all(s->classes[i].bytes, row, 0);
		s->classes[i].chunks[row] = 0;
	}
	for (size_t i = 0; i < from->size_classes.n; i++) {
		const struct ht_size_class *v = &from->size_classes.v[i];
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
	s->pid = from->head.pid;
	ht_metrics_of(from, values);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		put_all(s->metric[m], s->rows - 1, values[m]);
	code = ht_series_put_classes(s, from, err);
	if (code == HT_OK)
		code = ht_series_put_mappings(s, from, err);
	return code;
}
