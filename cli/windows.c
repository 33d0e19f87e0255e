/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct ht_spread unknown = {NAN, NAN, NAN};

void ht_window_changes_fini(struct ht_window_changes *c)
{
	free(c->v);
	*c = (struct ht_window_changes){0};
}

double ht_window_change(const struct ht_window_change *c)
{
	return c->v[1].median - c->v[0].median;
}

/* --- one window ----------------------------------------------------------- */

/* What is read of one window. */
struct window {
	const struct ht_series *s;
	double *sorted; /* room for all rows */
	bool *zero;	/* rows where a class that is not known held nothing */
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* zero: rows in which what is not known is 0; NULL: none. */
static struct ht_spread spread_of(const struct window *w, const double *x,
				  const bool *zero)
{
	size_t n = 0;

	for (size_t row = 0; row < w->s->rows; row++) {
		if (!isnan(x[row]))
			w->sorted[n++] = x[row];
		else if (zero && zero[row])
			w->sorted[n++] = 0;
	}
	if (!n)
		return unknown;
	qsort(w->sorted, n, sizeof(*w->sorted), ascending);
	return (struct ht_spread){.median = w->sorted[(n - 1) / 2],
				  .low = w->sorted[(n - 1) / 10],
				  .high = w->sorted[(9 * n + 9) / 10 - 1]};
}

/* Of what no row of a window names. */
static struct ht_spread absent(const struct window *w, const bool *zero)
{
	for (size_t row = 0; zero && row < w->s->rows; row++)
		if (zero[row])
			return (struct ht_spread){0, 0, 0};
	return unknown;
}

static enum ht_code window_init(struct window *w, const struct ht_series *s,
				struct ht_err *err)
{
	w->s = s;
	w->sorted = calloc(s->rows + 1, sizeof(*w->sorted));
	w->zero = calloc(s->rows + 1, sizeof(*w->zero));
	if (!w->sorted || !w->zero)
		return ht_fail(err, HT_NOMEM, "out of memory");
	for (size_t row = 0; row < s->rows; row++)
		for (size_t i = 0; i < s->classes_n && !w->zero[row]; i++)
			w->zero[row] = !isnan(
				s->classes[i].bytes[HT_STAT_MEDIAN][row]);
	return HT_OK;
}

static void window_fini(struct window *w)
{
	free(w->sorted);
	free(w->zero);
}

/* --- both ----------------------------------------------------------------- */

/* The entry with this key; one that is new holds what absence means. */
static struct ht_window_change *entry(struct ht_window_changes *c,
				      const uint64_t key[HT_LINE_KEYS],
				      struct ht_spread none[2])
{
	struct ht_window_change *v;

	for (size_t i = 0; i < c->n; i++)
		if (!memcmp(c->v[i].key, key, sizeof(c->v[i].key)))
			return &c->v[i];
	v = reallocarray(c->v, c->n + 1, sizeof(*v));
	if (!v)
		return NULL;
	c->v = v;
	v = &c->v[c->n++];
	*v = (struct ht_window_change){
		.unit = "bytes",
		.v = {none[0], none[1]},
		.chunks = {none[0].median, none[1].median},
		.min_size = HT_UNKNOWN,
		.max_size = HT_UNKNOWN};
	memcpy(v->key, key, sizeof(v->key));
	return v;
}

/* Left out: counts since the start of the process, which differ whatever it
 * does; what is the machine's; what is the look's. */
static bool says_nothing(size_t m)
{
	return m == HT_M_minflt || m == HT_M_majflt || m == HT_M_cpu_ns ||
	       m == HT_M_limit || m == HT_M_pause_us;
}

static bool add_metrics(const struct window w[2], enum ht_windows_part part,
			struct ht_window_changes *c)
{
	struct ht_spread none[2] = {unknown, unknown};

	(void)part;
	for (size_t m = 0; m < HT_METRIC_COUNT; m++) {
		struct ht_window_change *one;

		if (says_nothing(m))
			continue;
		one = entry(c, (uint64_t[HT_LINE_KEYS]){m}, none);
		if (!one)
			return false;
		one->unit = ht_metric_infos[m].unit;
		for (int i = 0; i < 2; i++)
			one->v[i] = spread_of(
				&w[i], w[i].s->metric[m][HT_STAT_MEDIAN], NULL);
	}
	return true;
}

static bool add_classes(const struct window w[2], enum ht_windows_part part,
			struct ht_window_changes *c)
{
	struct ht_spread none[2] = {absent(&w[0], w[0].zero),
				    absent(&w[1], w[1].zero)};

	(void)part;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < w[i].s->classes_n; k++) {
			const struct ht_class_series *x = &w[i].s->classes[k];
			struct ht_window_change *one = entry(
				c, (uint64_t[HT_LINE_KEYS]){x->max_size}, none);

			if (!one)
				return false;
			one->v[i] = spread_of(&w[i], x->bytes[HT_STAT_MEDIAN],
					      w[i].zero);
			one->chunks[i] =
				spread_of(&w[i], x->chunks, w[i].zero).median;
		}
	return true;
}

/* Figure `name` of a list's table; there is one. */
static size_t figure_of(const struct ht_line_kind *k, const char *name)
{
	size_t f = 0;

	while (f + 1 < k->figures_n && strcmp(k->figures[f], name) != 0)
		f++;
	return f;
}

static const struct {
	enum ht_lines list;
	const char *bytes, *chunks; /* NULL: has none */
} lists[HT_WINDOWS_PARTS] = {
	[HT_WINDOWS_BINS] = {HT_LINES_BINS, "bytes", "chunks"},
	[HT_WINDOWS_ARENAS] = {HT_LINES_ARENAS, "in_use", NULL},
};

static void take_line(const struct window *w, int side,
		      enum ht_windows_part part, const struct ht_list_line *l,
		      struct ht_window_change *ret)
{
	const struct ht_line_kind *k = &ht_line_kinds[l->list];
	const char *chunks = lists[part].chunks;
	size_t f = figure_of(k, lists[part].bytes);

	ret->v[side] = spread_of(w, l->value[f][HT_MIDDLE], NULL);
	if (chunks) {
		f = figure_of(k, chunks);
		ret->chunks[side] =
			spread_of(w, l->value[f][HT_MIDDLE], NULL).median;
	} else {
		ret->chunks[0] = ret->chunks[1] = NAN;
	}
	if (l->min_size != HT_UNKNOWN) {
		ret->min_size = l->min_size;
		ret->max_size = l->max_size;
	}
}

static bool add_lines(const struct window w[2], enum ht_windows_part part,
		      struct ht_window_changes *c)
{
	enum ht_lines list = lists[part].list;
	struct ht_spread none[2] = {absent(&w[0], w[0].s->listed[list]),
				    absent(&w[1], w[1].s->listed[list])};

	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < w[i].s->lines_n; k++) {
			const struct ht_list_line *l = &w[i].s->lines[k];
			struct ht_window_change *one;

			if (l->list != list)
				continue;
			one = entry(c, l->key, none);
			if (!one)
				return false;
			take_line(&w[i], i, part, l, one);
		}
	return true;
}

static bool (*const add[HT_WINDOWS_PARTS])(const struct window w[2],
					   enum ht_windows_part part,
					   struct ht_window_changes *c) = {
	[HT_WINDOWS_METRICS] = add_metrics,
	[HT_WINDOWS_CLASSES] = add_classes,
	[HT_WINDOWS_BINS] = add_lines,
	[HT_WINDOWS_ARENAS] = add_lines,
};

/* --- what is told --------------------------------------------------------- */

static bool within(double x, const struct ht_spread *s)
{
	return x >= s->low && x <= s->high;
}

static bool same(const struct ht_window_change *c)
{
	if (isnan(c->v[0].median) || isnan(c->v[1].median))
		return isnan(c->v[0].median) && isnan(c->v[1].median);
	return ht_window_change(c) == 0;
}

/* Comparisons with NaN are false: what is not known is no noise. */
static bool noise(const struct ht_window_change *c)
{
	return (!strcmp(c->unit, "ratio") &&
		fabs(ht_window_change(c)) < HT_WINDOWS_RATIO) ||
	       within(c->v[0].median, &c->v[1]) ||
	       within(c->v[1].median, &c->v[0]);
}

/* In bytes the difference; else as a share of the larger: units differ. What
 * one window does not know comes last. */
static double weight(const struct ht_window_change *c)
{
	double change = fabs(ht_window_change(c));

	if (isnan(change))
		return -1;
	return !strcmp(c->unit, "bytes") ? change
					 : change / fmax(fabs(c->v[0].median),
							 fabs(c->v[1].median));
}

static int most_first(const void *a, const void *b)
{
	const struct ht_window_change *x = a, *y = b;
	bool bytes[2] = {!strcmp(x->unit, "bytes"), !strcmp(y->unit, "bytes")};
	double w[2] = {weight(x), weight(y)};

	if ((w[0] < 0) != (w[1] < 0))
		return w[0] < 0 ? 1 : -1;
	if (bytes[0] != bytes[1])
		return bytes[0] ? -1 : 1;
	if (w[0] != w[1])
		return w[0] > w[1] ? -1 : 1;
	return memcmp(x->key, y->key, sizeof(x->key));
}

static void keep_told(struct ht_window_changes *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (same(&c->v[i]))
			continue;
		if (noise(&c->v[i]))
			c->noise++;
		else
			c->v[kept++] = c->v[i];
	}
	c->n = kept;
	if (kept)
		qsort(c->v, kept, sizeof(*c->v), most_first);
}

enum ht_code ht_windows_compare(const struct ht_series s[2],
				enum ht_windows_part part,
				struct ht_window_changes *ret,
				struct ht_err *err)
{
	struct window w[2] = {0};
	enum ht_code code = window_init(&w[0], &s[0], err);

	if (code == HT_OK)
		code = window_init(&w[1], &s[1], err);
	if (code == HT_OK && !add[part](w, part, ret))
		code = ht_fail(err, HT_NOMEM, "out of memory");
	window_fini(&w[0]);
	window_fini(&w[1]);
	if (code == HT_OK)
		keep_told(ret);
	return code;
}
