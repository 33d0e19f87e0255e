/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/levels.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"

static const int64_t level_s[HT_LEVELS] = {60, 600, 3600};

static void must(enum ht_code code, const struct ht_err *err)
{
	if (code == HT_OK)
		return;
	fprintf(stderr, "levels: %s\n", err->msg);
	exit(1);
}

static void like(const struct ht_series *from, struct ht_series *to)
{
	ht_series_init(to);
	if (from->limited)
		ht_series_limit(to, from->wanted);
	to->started_ns = from->started_ns;
	memcpy(to->target, from->target, sizeof(to->target));
}

void ht_levels_make(const struct ht_series *raw, struct ht_levels *ret)
{
	ret->raw = raw;
	for (size_t i = 0; i < HT_LEVELS; i++) {
		struct ht_series *to = &ret->rolled[i];
		int64_t step = level_s[i] * HT_NS_PER_S;
		int64_t at = raw->time_ns[0] - raw->time_ns[0] % step;
		struct ht_err err;

		like(raw, to);
		for (; at <= raw->time_ns[raw->rows - 1]; at += step) {
			size_t rows = to->rows;

			must(ht_series_bucket(raw, at, at + step - 1, to, &err),
			     &err);
			if (to->rows > rows)
				to->time_ns[rows] = at + step / 2;
		}
	}
}

void ht_levels_fini(struct ht_levels *l)
{
	for (size_t i = 0; i < HT_LEVELS; i++)
		ht_series_fini(&l->rolled[i]);
}

/* Rows [first, end) of `from` behind those of `to`. */
static void append(const struct ht_series *from, size_t first, size_t end,
		   struct ht_series *to)
{
	size_t at = to->rows, n = end - first, size = n * sizeof(double);
	struct ht_err err;

	if (first >= end)
		return;
	must(ht_series_reserve(to, at + n, &err), &err);
	for (size_t i = first; i < end; i++)
		must(ht_series_add_row(to, from->time_ns[i], &err), &err);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			if (!from->limited || from->wanted[m])
				memcpy(to->metric[m][k] + at,
				       from->metric[m][k] + first, size);
	for (size_t c = 0; c < from->classes_n; c++) {
		const struct ht_class_series *source = &from->classes[c];
		struct ht_class_series *target =
			ht_series_class(to, source->max_size);

		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			memcpy(target->bytes[k] + at, source->bytes[k] + first,
			       size);
		memcpy(target->chunks + at, source->chunks + first, size);
	}
}

void ht_levels_mixed(const struct ht_levels *l, int64_t from_ns, int64_t to_ns,
		     struct ht_series *ret)
{
	/* as in the store: how far back each level is used; coarsest first */
	static const int64_t age_s[HT_LEVELS] = {24 * 3600, 6 * 3600, 3600};

	ht_series_fini(ret);
	like(l->raw, ret);
	must(ht_series_reserve(ret, 1024, NULL), NULL);
	for (size_t i = 0; i < HT_LEVELS; i++) {
		const struct ht_series *s = &l->rolled[HT_LEVELS - 1 - i];
		int64_t half = level_s[HT_LEVELS - 1 - i] * HT_NS_PER_S / 2;
		int64_t end = to_ns - age_s[i] * HT_NS_PER_S;

		end -= end % (3600 * HT_NS_PER_S);
		if (end - 1 < from_ns)
			continue;
		append(s, ht_series_row_at(s, from_ns + half),
		       ht_series_row_at(s, end + half), ret);
		from_ns = end;
	}
	append(l->raw, ht_series_row_at(l->raw, from_ns),
	       ht_series_row_at(l->raw, to_ns + 1), ret);
}
