/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/start_up.h"

#include <math.h>
#include <string.h>

#include "analysis/stats.h"
#include "analysis/thresholds.h"
#include "common/clock.h"

/* One figure of one life: a value a row. */
struct course {
	const struct ht_series *s;
	const double *x;
	size_t rows;
};

static int64_t born_ns(const struct ht_series *s)
{
	return s->started_ns && s->started_ns < s->time_ns[0] ? s->started_ns
							      : s->time_ns[0];
}

static double age_s(const struct course *c, size_t row)
{
	return (double)(c->s->time_ns[row] - born_ns(c->s)) /
	       (double)HT_NS_PER_S;
}

static struct course course_of(const struct ht_series *s, int64_t to_ns,
			       const struct ht_start_up *u)
{
	struct course c = {.s = s};

	if (!u->class)
		c.x = ht_need_rows(s, u->need, HT_STAT_MEDIAN);
	for (size_t i = 0; u->class && i < s->classes_n; i++)
		if (s->classes[i].max_size == u->class->max_size)
			c.x = s->classes[i].bytes[HT_STAT_MEDIAN];
	while (c.x && c.rows < s->rows && s->time_ns[c.rows] <= to_ns)
		c.rows++;
	return c;
}

/* Median of what is known of the rows; NaN: nothing is. */
static double middle(const struct course *c, size_t from, size_t end)
{
	double x[HT_POINTS_MAX];
	size_t n = 0, every = (end - from) / HT_POINTS_MAX + 1;

	for (size_t i = from; i < end; i += every)
		if (!isnan(c->x[i]))
			x[n++] = c->x[i];
	return n ? ht_median(x, n) : NAN;
}

/* What it came to within that age, as a life that began as this one would. */
static double reached(const struct course *c, double within_s, size_t *ret_row)
{
	double most = NAN;

	*ret_row = 0;
	while (*ret_row < c->rows && age_s(c, *ret_row) <= within_s) {
		most = fmax(most, c->x[*ret_row]);
		++*ret_row;
	}
	return most;
}

/* Bytes a second from the first third of those rows to the last; NaN: they are
 * too few, or too short a time. */
static double speed(const struct course *c, size_t from, double least_s)
{
	size_t third = c->rows > from ? (c->rows - from) / 3 : 0;
	double seconds;

	if (third == 0 || age_s(c, c->rows - 1) - age_s(c, from) < least_s)
		return NAN;
	seconds =
		age_s(c, c->rows - 1 - third / 2) - age_s(c, from + third / 2);
	return (middle(c, c->rows - third, c->rows) -
		middle(c, from, from + third)) /
	       seconds;
}

/* True: it came as far, and went no further at a pace that counts. */
static bool repeats(const struct ht_start_up *u, const struct course *c,
		    double age, bool *ret_tells, double *ret_level)
{
	double within = fmax(2 * age, HT_HOUR_S), far, on;
	size_t row;

	far = reached(c, within, &row);
	on = speed(c, row, within / 2);
	*ret_tells = !isnan(far) && !isnan(on);
	if (!*ret_tells || u->now > ht_t.start_up_over * far ||
	    on * age > ht_t.start_up_goes_on * (u->now - u->first))
		return false;
	*ret_level = middle(c, row, c->rows);
	return true;
}

void ht_start_up_find(const struct ht_series *s, int64_t to_ns,
		      const struct ht_class_series *class, enum ht_need need,
		      struct ht_start_up *ret)
{
	double level[HT_POINTS_MAX], age;
	struct course c;

	*ret = (struct ht_start_up){.class = class, .need = need};
	c = course_of(s, to_ns, ret);
	if (s->earlier_n == 0 || c.rows == 0)
		return;
	age = age_s(&c, c.rows - 1);
	ret->first = c.x[0];
	ret->now = c.x[c.rows - 1];
	if (!(ret->now > ret->first))
		return;
	for (size_t i = 0; i < s->earlier_n && i < HT_POINTS_MAX; i++) {
		struct course before =
			course_of(&s->earlier[i], INT64_MAX, ret);
		bool tells = false;

		if (before.rows &&
		    repeats(ret, &before, age, &tells, &level[ret->repeat]))
			ret->repeat++;
		ret->lives += tells ? 1 : 0;
	}
	if ((double)ret->repeat < ht_t.start_up_share * (double)ret->lives)
		ret->repeat = 0;
	if (ret->repeat)
		ret->level = ht_median(level, ret->repeat);
}
