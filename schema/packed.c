/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A column is runs of one value each: how many rows, then the value. Whole
 * numbers, which nearly all figures are, are told by their distance to the one
 * before.
 */
#include "schema/packed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"
#include "schema/bytes.h"
#include "schema/series_int.h"

#define WHOLE 0x1p53 /* whole numbers below this are exact */

/* What a run holds; beyond: the distance to the last whole number. */
enum value { UNKNOWN, EXACT, NEAR };

/* --- writing ------------------------------------------------------------- */

static bool is_whole(double v)
{
	return fabs(v) < WHOLE && v == floor(v);
}

/* Small for what is near zero on either side. */
static uint64_t folded(int64_t v)
{
	return v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1;
}

static void put_value(struct ht_bytes_out *o, double v, int64_t *last)
{
	if (isnan(v)) {
		ht_bytes_put_number(o, UNKNOWN);
	} else if (is_whole(v)) {
		ht_bytes_put_number(o, NEAR + folded((int64_t)v - *last));
		*last = (int64_t)v;
	} else {
		ht_bytes_put_number(o, EXACT);
		ht_bytes_put(o, &v, sizeof(v));
	}
}

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static void put_column(struct ht_bytes_out *o, const double *column,
		       size_t first, size_t end)
{
	int64_t last = 0;

	for (size_t i = first; i < end;) {
		size_t run = i + 1;

		while (run < end && same(column[run], column[i]))
			run++;
		ht_bytes_put_number(o, run - i);
		put_value(o, column[i], &last);
		i = run;
	}
}

/* The statistics of a figure: one that is the median's is not written. */
static void put_stats(struct ht_bytes_out *o, double *const c[HT_STAT_COUNT],
		      size_t first, size_t end)
{
	const double *median = c[HT_STAT_MEDIAN];

	put_column(o, median, first, end);
	for (size_t k = 0; k < HT_STAT_COUNT; k++) {
		size_t i = first;

		while (c[k] != median && i < end && same(c[k][i], median[i]))
			i++;
		if (k == HT_STAT_MEDIAN)
			continue;
		ht_bytes_put_number(o, c[k] != median && i < end);
		if (c[k] != median && i < end)
			put_column(o, c[k], first, end);
	}
}

static bool holds_some(const struct ht_class_series *c, size_t first,
		       size_t end)
{
	for (size_t i = first; i < end; i++)
		if (c->bytes[HT_STAT_MAX][i] > 0 || c->chunks[i] > 0)
			return true;
	return false;
}

static bool is_known(const struct ht_mapping_series *m, size_t first,
		     size_t end)
{
	for (size_t i = first; i < end; i++)
		if (!isnan(m->anonymous[i]) || !isnan(m->count[i]) ||
		    !isnan(m->size[i]) || !isnan(m->resident[i]))
			return true;
	return false;
}

static void put_classes(struct ht_bytes_out *o, const struct ht_series *s,
			size_t first, size_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < s->classes_n; i++)
		n += holds_some(&s->classes[i], first, end);
	ht_bytes_put_number(o, n);
	for (size_t i = 0; i < s->classes_n; i++) {
		if (!holds_some(&s->classes[i], first, end))
			continue;
		ht_bytes_put_number(o, s->classes[i].max_size);
		put_stats(o, s->classes[i].bytes, first, end);
		put_column(o, s->classes[i].chunks, first, end);
	}
}

static void put_mappings(struct ht_bytes_out *o, const struct ht_series *s,
			 size_t first, size_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < s->mappings_n; i++)
		n += is_known(&s->mappings[i], first, end);
	ht_bytes_put_number(o, n);
	for (size_t i = 0; i < s->mappings_n; i++) {
		const struct ht_mapping_series *m = &s->mappings[i];

		if (!is_known(m, first, end))
			continue;
		ht_bytes_put_number(o, m->kind);
		ht_bytes_put(o, m->name, strlen(m->name) + 1);
		put_column(o, m->anonymous, first, end);
		put_column(o, m->count, first, end);
		put_column(o, m->size, first, end);
		put_column(o, m->resident, first, end);
	}
}

enum ht_code ht_packed_make(const struct ht_series *s, size_t first, size_t end,
			    struct ht_packed *ret, struct ht_err *err)
{
	struct ht_bytes_out o = {0};
	int64_t last_ns = 0;
	uint8_t *fit;

	ht_packed_fini(ret);
	if (first >= end)
		return HT_OK;
	for (size_t i = first; i < end; i++) {
		ht_bytes_put_number(&o, folded(s->time_ns[i] - last_ns));
		last_ns = s->time_ns[i];
	}
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (ht_series_has(s, m))
			put_stats(&o, s->metric[m], first, end);
	put_classes(&o, s, first, end);
	put_mappings(&o, s, first, end);
	if (o.bad) {
		free(o.bytes);
		return ht_fail(err, HT_NOMEM, "no memory to pack %zu rows",
			       end - first);
	}
	fit = realloc(o.bytes, o.n);
	*ret = (struct ht_packed){fit ?: o.bytes, o.n, end - first,
				  s->time_ns[first], last_ns};
	return HT_OK;
}

void ht_packed_fini(struct ht_packed *p)
{
	free(p->bytes);
	*p = (struct ht_packed){0};
}

/* --- reading ------------------------------------------------------------- */

/* Rows from `skip` on go into a series from `to` on. */
struct in {
	struct ht_bytes_in b;
	size_t rows, skip, to;
};

static int64_t unfolded(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static double get_value(struct in *in, int64_t *last)
{
	uint64_t tag = ht_bytes_get_number(&in->b);
	double v = NAN;

	if (tag == EXACT) {
		ht_bytes_get(&in->b, &v, sizeof(v));
	} else if (tag >= NEAR) {
		*last += unfolded(tag - NEAR);
		v = (double)*last;
	}
	return v;
}

static void get_column(struct in *in, double *column)
{
	int64_t last = 0;

	for (size_t row = 0; row < in->rows;) {
		size_t end = row + ht_bytes_get_number(&in->b);
		double v = get_value(in, &last);

		HT_ASSERT(end > row && end <= in->rows);
		for (size_t i = row < in->skip ? in->skip : row; i < end; i++)
			column[in->to + i - in->skip] = v;
		row = end;
	}
}

static void get_stats(struct in *in, double *const c[HT_STAT_COUNT])
{
	const size_t n = in->rows - in->skip;

	get_column(in, c[HT_STAT_MEDIAN]);
	for (size_t k = 0; k < HT_STAT_COUNT; k++) {
		if (k == HT_STAT_MEDIAN)
			continue;
		if (ht_bytes_get_number(&in->b))
			get_column(in, c[k]);
		else if (c[k] != c[HT_STAT_MEDIAN])
			memcpy(c[k] + in->to, c[HT_STAT_MEDIAN] + in->to,
			       n * sizeof(*c[k]));
	}
}

static enum ht_code get_times(struct in *in, int64_t from_ns,
			      struct ht_series *ret, struct ht_err *err)
{
	enum ht_code code = HT_OK;
	int64_t time_ns = 0;

	in->to = ret->rows;
	for (size_t i = 0; i < in->rows; i++) {
		time_ns += unfolded(ht_bytes_get_number(&in->b));
		if (time_ns < from_ns)
			in->skip = i + 1;
		else if (code == HT_OK)
			code = ht_series_add_row(ret, time_ns, err);
	}
	return code;
}

static enum ht_code get_classes(struct in *in, struct ht_series *ret,
				struct ht_err *err)
{
	for (size_t n = ht_bytes_get_number(&in->b); n > 0; n--) {
		struct ht_class_series *c =
			ht_series_class(ret, ht_bytes_get_number(&in->b));

		if (!c)
			return ht_fail(err, HT_NOMEM, "no memory for classes");
		get_stats(in, c->bytes);
		get_column(in, c->chunks);
	}
	return HT_OK;
}

static enum ht_code get_mappings(struct in *in, struct ht_series *ret,
				 struct ht_err *err)
{
	for (size_t n = ht_bytes_get_number(&in->b); n > 0; n--) {
		uint64_t kind = ht_bytes_get_number(&in->b);
		const char *name = (const char *)in->b.at;
		struct ht_mapping_series *m;

		in->b.at += strlen(name) + 1;
		m = ht_series_mapping(ret, kind, name);
		if (!m)
			return ht_fail(err, HT_NOMEM, "no memory for mappings");
		get_column(in, m->anonymous);
		get_column(in, m->count);
		get_column(in, m->size);
		get_column(in, m->resident);
	}
	return HT_OK;
}

enum ht_code ht_packed_append(const struct ht_packed *p, int64_t from_ns,
			      struct ht_series *ret, struct ht_err *err)
{
	struct in in = {.b = {p->bytes, p->bytes + p->n}, .rows = p->rows};
	enum ht_code code;

	if (!p->bytes || p->last_ns < from_ns)
		return HT_OK;
	code = ht_series_reserve(ret, ret->rows + p->rows, err);
	if (code == HT_OK)
		code = get_times(&in, from_ns, ret, err);
	if (code != HT_OK)
		return code;
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (ht_series_has(ret, m))
			get_stats(&in, ret->metric[m]);
	code = get_classes(&in, ret, err);
	if (code == HT_OK)
		code = get_mappings(&in, ret, err);
	return code;
}
