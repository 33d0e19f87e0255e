/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s
 * Verdicts on recorded runs of the labelled workloads. `build/tools/rates -v
 * tests/workloads/traces/open` prints each one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/trace.h"

#define OPEN "tests/workloads/traces/open"
#define OWN  "tests/workloads/traces/own"

struct count {
	size_t runs, strict, forbidden, differs;
	size_t moments, fine, wrong_leaks;
	size_t leak_said, leak_true, leak_right;
};

static bool in(unsigned set, enum ht_label l)
{
	return set >> l & 1;
}

static void at_end(const struct ht_trace *t, void *ctx)
{
	struct count *c = ctx;
	struct ht_verdict v;

	ht_verdict(&t->series, t->series.time_ns[t->series.rows - 1], NULL, &v);
	c->runs++;
	c->strict += v.label == t->label;
	c->forbidden += in(t->forbid, v.label);
	c->differs +=
		v.label != t->label && v.label != HT_LABEL_INSUFFICIENT_DATA;
	c->leak_said += v.label == HT_LABEL_LEAK;
	c->leak_true += t->label == HT_LABEL_LEAK;
	c->leak_right += v.label == HT_LABEL_LEAK && t->label == HT_LABEL_LEAK;
	if (v.label != t->label)
		print_message("%s: %s instead of %s\n", t->name,
			      ht_label_names[v.label],
			      ht_label_names[t->label]);
}

static void every_moment(const struct ht_trace *t, void *ctx)
{
	struct count *c = ctx;
	size_t leaks_in_a_row = 0;

	for (size_t i = 0; i < t->series.rows; i++) {
		int64_t at = t->series.time_ns[i];
		struct ht_verdict v;
		bool fine;

		ht_verdict(&t->series, at, NULL, &v);
		fine = in(ht_trace_now(t, at), v.label) || v.label == t->label;
		c->moments++;
		c->fine += fine;
		leaks_in_a_row = !fine && v.label == HT_LABEL_LEAK
					 ? leaks_in_a_row + 1
					 : 0;
		c->wrong_leaks += leaks_in_a_row >= 2;
	}
}

static struct count judge(const char *set, size_t every,
			  void (*how)(const struct ht_trace *, void *))
{
	struct count c = {0};

	ht_trace_each(set, every, how, &c);
	return c;
}

static void the_open_set_is_right_in_27_of_28(void **state)
{
	struct count c = judge(OPEN, 1, at_end);

	(void)state;
	assert_int_equal(c.runs, 28);
	assert_true(c.strict >= 27);
	assert_int_equal(c.forbidden, 0);
	assert_int_equal(c.leak_right, c.leak_true);
	assert_int_equal(c.leak_said, c.leak_true);
}

static void every_second_sample_is_enough(void **state)
{
	struct count c = judge(OPEN, 2, at_end);

	(void)state;
	assert_true(c.strict >= 27);
	assert_int_equal(c.forbidden, 0);
}

static void fewer_samples_give_the_same_or_no_verdict(void **state)
{
	(void)state;
	assert_int_equal(judge(OPEN, 2, at_end).differs, 0);
	assert_int_equal(judge(OPEN, 3, at_end).differs, 0);
	assert_int_equal(judge(OPEN, 4, at_end).differs, 0);
}

static void the_second_set_is_right_in_95_percent(void **state)
{
	struct count c = judge(OWN, 1, at_end);

	(void)state;
	assert_true(c.runs >= 20);
	assert_true(100 * c.strict >= 95 * c.runs);
	assert_int_equal(c.forbidden, 0);
	assert_int_equal(judge(OWN, 2, at_end).forbidden, 0);
}

static void every_moment_is_acceptable_and_no_leak_is_wrong_twice(void **state)
{
	static const char *const sets[] = {OPEN, OWN};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t every = 1; every <= 2; every++) {
			struct count c = judge(sets[i], every, every_moment);

			assert_true(100 * c.fine >= 98 * c.moments);
			assert_int_equal(c.wrong_leaks, 0);
		}
	}
}

/* --- what light looks give ------------------------------------------- */

#define ROUND 6 /* looks until the slices have come round */

/* The first moment at which a leak is told; the last row and more: never. */
static size_t first_leak(const struct ht_series *s)
{
	for (size_t i = 0; i < s->rows; i++) {
		struct ht_verdict v;

		ht_verdict(s, s->time_ns[i], NULL, &v);
		if (v.label == HT_LABEL_LEAK)
			return i;
	}
	return s->rows;
}

/* Size classes where a round ends alone, and what pins is known to walks. */
static void thin(struct ht_series *s)
{
	for (size_t c = 0; c < s->classes_n; c++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			for (size_t i = 0; i < s->rows; i++)
				if (i % ROUND)
					s->classes[c].bytes[k][i] = NAN;
}

static void leak_when_thinned(const struct ht_trace *t, void *ctx)
{
	struct ht_trace *own = (struct ht_trace *)(uintptr_t)t;
	struct count *c = ctx;
	size_t whole, thinned;

	if (t->label != HT_LABEL_LEAK)
		return;
	whole = first_leak(&own->series);
	thin(&own->series);
	thinned = first_leak(&own->series);
	print_message("%s: a leak from row %zu, of light looks from %zu\n",
		      t->name, whole, thinned);
	c->runs++;
	c->leak_said += thinned < t->series.rows;
	c->differs += thinned > whole + ROUND;
}

static void light_looks_find_a_leak_as_early(void **state)
{
	struct count c = judge(OPEN, 1, leak_when_thinned);

	(void)state;
	assert_true(c.runs >= 3);
	assert_int_equal(c.leak_said, c.runs);
	assert_int_equal(c.differs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(light_looks_find_a_leak_as_early),
		cmocka_unit_test(the_open_set_is_right_in_27_of_28),
		cmocka_unit_test(every_second_sample_is_enough),
		cmocka_unit_test(fewer_samples_give_the_same_or_no_verdict),
		cmocka_unit_test(the_second_set_is_right_in_95_percent),
		cmocka_unit_test(
			every_moment_is_acceptable_and_no_leak_is_wrong_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
