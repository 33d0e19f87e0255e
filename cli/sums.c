/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sums.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define LATE 3 /* usual distances after the last row */

void ht_sums_fini(struct ht_sums *s)
{
	free(s->time_ns);
	free(s->value);
	*s = (struct ht_sums){0};
}

bool ht_sums_adds(const struct ht_trend_metric *m)
{
	return strcmp(m->unit, "ratio") != 0;
}

static int64_t last_of(const struct ht_series *s)
{
	return s->time_ns[s->rows - 1];
}

static int64_t ends_ns(const struct ht_series *s)
{
	int64_t usual = s->rows > 1 ? (last_of(s) - s->time_ns[0]) /
					      (int64_t)(s->rows - 1)
				    : 0;

	return last_of(s) + LATE * usual;
}

static enum ht_code lay_times(const struct ht_series *s, size_t n,
			      size_t points, struct ht_sums *ret,
			      struct ht_err *err)
{
	int64_t from = INT64_MAX, to = 0;

	for (size_t i = 0; i < n; i++) {
		if (!s[i].rows)
			continue;
		from = s[i].time_ns[0] < from ? s[i].time_ns[0] : from;
		to = last_of(&s[i]) > to ? last_of(&s[i]) : to;
	}
	if (from > to || points < 2)
		return HT_OK;
	ret->time_ns = calloc(points, sizeof(*ret->time_ns));
	ret->value = calloc(points, sizeof(*ret->value));
	if (!ret->time_ns || !ret->value)
		return ht_fail(err, HT_NOMEM, "out of memory for a sum");
	ret->n = points;
	for (size_t i = 0; i < points; i++)
		ret->time_ns[i] =
			from + (int64_t)((double)(to - from) * (double)i /
					 (double)(points - 1));
	ret->time_ns[points - 1] = to;
	return HT_OK;
}

/* One process into the sum; its newest value that is known counts, which of
 * PSS may be some rows old. */
static void add_one(const struct ht_series *s, const struct ht_trend_metric *m,
		    struct ht_sums *ret, bool *lived)
{
	bool adds = ht_sums_adds(m);
	double value = NAN;
	size_t next = 0; /* row */

	for (size_t k = 0; s->rows && k < ret->n; k++) {
		int64_t at = ret->time_ns[k];

		for (; next < s->rows && s->time_ns[next] <= at; next++) {
			double v = ht_measure_at(m, s, HT_STAT_MEDIAN, next);

			value = isnan(v) ? value : v;
		}
		if (!next || at > ends_ns(s))
			continue;
		if (!lived[k] || (!adds && !(value < ret->value[k])))
			ret->value[k] = value;
		else if (adds)
			ret->value[k] += value;
		lived[k] = true;
	}
}

/* Those from `first` to before `end`, at the times of all. */
static enum ht_code make(const struct ht_series *s, size_t n, size_t first,
			 size_t end, const struct ht_trend_metric *m,
			 size_t points, struct ht_sums *ret, struct ht_err *err)
{
	enum ht_code code = lay_times(s, n, points, ret, err);
	HT_AUTO_FREE bool *lived = calloc(ret->n + 1, sizeof(*lived));

	if (code == HT_OK && !lived)
		code = ht_fail(err, HT_NOMEM, "out of memory for a sum");
	for (size_t i = first; code == HT_OK && i < end; i++)
		add_one(&s[i], m, ret, lived);
	for (size_t k = 0; code == HT_OK && k < ret->n; k++)
		if (!lived[k])
			ret->value[k] = NAN;
	return code;
}

enum ht_code ht_sums_make(const struct ht_series *s, size_t n,
			  const struct ht_trend_metric *m, size_t points,
			  struct ht_sums *ret, struct ht_err *err)
{
	return make(s, n, 0, n, m, points, ret, err);
}

enum ht_code ht_sums_of_one(const struct ht_series *s, size_t n, size_t one,
			    const struct ht_trend_metric *m, size_t points,
			    struct ht_sums *ret, struct ht_err *err)
{
	return make(s, n, one, one + 1, m, points, ret, err);
}
