/* SPDX-License-Identifier: Apache-2.0 */
/* Growth over hours and days: what load, day, steps and other classes explain
 * is no leak. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/verdict.h"
#include "common/clock.h"
#include "tests/lib/levels.h"
#include "tests/lib/made.h"

#define CLASSES 12
#define STEP_S	300
#define HOUR	(INT64_C(3600) * HT_NS_PER_S)
#define MIB	0x1p20
/* A full hour. */
#define T0 (INT64_C(1750032000) * HT_NS_PER_S)

/* Bytes of class i after so many hours; set by each test. */
typedef double (*shape)(size_t i, double h);

static double load_of(double h)
{
	return 1 + 0.3 * sin(2 * M_PI * (h - 9) / 24);
}

static double calm(size_t i, double h)
{
	return MIB * (20 + 10 * (double)i) * load_of(h);
}

static double leaks(size_t i, double h)
{
	return calm(i, h) + (i == 4 ? 4 * MIB * h : 0);
}

static double leaks_late(size_t i, double h)
{
	return calm(i, h) + (i == 4 ? 6 * MIB * fmax(0, h - 25 * 24) : 0);
}

static double leaked_once(size_t i, double h)
{
	return calm(i, h) + (i == 4 ? 6 * MIB * fmin(h, 24) : 0);
}

static double drifts(size_t i, double h)
{
	return calm(i, h) + (i == 2 ? MIB * (400 - h) : 0) +
	       (i == 9 ? MIB * h : 0);
}

static double fills(size_t i, double h)
{
	return calm(i, h) + (i == 4 ? 500 * MIB * (1 - exp(-h / 8)) : 0);
}

static double jumps(size_t i, double h)
{
	return calm(i, h) + (i == 4 && h > 90 ? 200 * MIB : 0);
}

static double gathers(size_t i, double h)
{
	return calm(i, h) + (i == 4 ? 30 * MIB * fmod(h, 7) : 0);
}

static void must(bool good)
{
	assert_true(good);
}

static void put_row(struct ht_series *s, shape of, double h)
{
	double x[CLASSES];

	for (size_t i = 0; i < CLASSES; i++)
		x[i] = of(i, h);
	ht_made_classes(s, x, CLASSES);
}

static void make(struct ht_series *s, shape of, double hours)
{
	struct ht_err err;

	ht_made_seed(5);
	ht_series_init(s);
	s->started_ns = T0 - HOUR;
	for (double t = 0; t < hours * 3600; t += STEP_S) {
		must(ht_series_add_row(s,
				       T0 + (int64_t)(t * (double)HT_NS_PER_S),
				       &err) == HT_OK);
		put_row(s, of, t / 3600);
	}
}

static struct ht_verdict after(shape of, double hours)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	make(&s, of, hours);
	ht_verdict(&s, s.time_ns[s.rows - 1], NULL, &v);
	return v;
}

static bool grows(const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK ||
	       v->label == HT_LABEL_NON_MALLOC_GROWTH;
}

static void never_grows(shape of, double from, double to)
{
	for (double h = from; h <= to; h += 3) {
		struct ht_verdict v = after(of, h);

		if (grows(&v) && v.confidence >= 0.8)
			fail_msg("%s %.2f after %.0f h: %s",
				 ht_label_names[v.label], v.confidence, h,
				 v.evidence[0]);
	}
}

static void no_morning_is_a_leak_not_even_the_first(void **state)
{
	(void)state;
	never_grows(calm, 3, 60);
}

static void a_leak_under_the_first_days_wave_is_found_and_dated(void **state)
{
	struct ht_verdict v = after(leaks, 26);

	(void)state;
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_int_equal(v.culprit_class, 32 + 16 * 4);
	assert_true(fabs(v.slope_bytes_per_hour / (4 * MIB) - 1) < 0.2);
	assert_true(v.since_ns - T0 < 4 * HOUR);
	assert_true(v.eta_low_ns < v.eta_at_ns && v.eta_at_ns < v.eta_high_ns);
}

static void a_leak_late_in_a_long_life_is_found_within_half_a_day(void **state)
{
	struct ht_verdict before = after(leaks_late, 25 * 24);
	struct ht_verdict v = after(leaks_late, 25 * 24 + 12);

	(void)state;
	assert_false(grows(&before));
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_true(v.confidence >= 0.8);
	assert_true(llabs(v.since_ns - (T0 + 25 * 24 * HOUR)) < 3 * HOUR);
}

static void a_leak_that_ended_is_none(void **state)
{
	struct ht_verdict v = after(leaked_once, 72);

	(void)state;
	assert_false(grows(&v));
}

static void bytes_that_change_class_are_no_leak(void **state)
{
	(void)state;
	never_grows(drifts, 24, 150);
}

static void a_cache_a_step_and_what_is_dropped_again_are_no_leaks(void **state)
{
	(void)state;
	never_grows(fills, 9, 60);
	never_grows(jumps, 85, 120);
	never_grows(gathers, 16, 60);
}

/* The command line reads a whole life, the daemon seven days. */
static void a_week_of_a_long_life_is_judged_like_all_of_it(void **state)
{
	static const shape shapes[] = {calm, leaks, leaks_late, fills};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct ht_series raw, whole, week;
		struct ht_levels levels;
		struct ht_verdict a, b;
		int64_t to;

		make(&raw, shapes[i], 26 * 24 + 7.3);
		to = raw.time_ns[raw.rows - 1];
		ht_series_init(&whole);
		ht_series_init(&week);
		ht_levels_make(&raw, &levels);
		ht_levels_mixed(&levels, 0, to, &whole);
		ht_levels_mixed(&levels, to - 168 * HOUR, to, &week);
		ht_verdict(&whole, to, NULL, &a);
		ht_verdict(&week, to, NULL, &b);
		assert_int_equal(a.label, b.label);
		assert_true(a.confidence == b.confidence);
		assert_string_equal(a.evidence[0], b.evidence[0]);
		ht_levels_fini(&levels);
		ht_series_fini(&raw);
		ht_series_fini(&whole);
		ht_series_fini(&week);
	}
}

static void seconds_are_never_sure_and_say_when_to_ask_again(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;
	double x[60];

	(void)state;
	ht_series_init(&s);
	for (size_t i = 0; i < 60; i++)
		x[i] = MIB * (100 + 5 * (double)i);
	ht_made_in_use(&s, x, 60, 0);
	for (size_t i = 0; i < 60; i++)
		s.time_ns[i] /= 60; /* a second each */
	ht_verdict(&s, s.time_ns[59], NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_true(v.confidence <= 0.6);
	assert_non_null(strstr(v.evidence[v.evidence_n - 1], "ask again in"));
}

static bool tells_of_work(const struct ht_series *s)
{
	struct ht_verdict v;

	ht_verdict(s, s->time_ns[s->rows - 1], NULL, &v);
	assert_true(grows(&v));
	for (size_t i = 0; i < v.evidence_n; i++)
		if (strstr(v.evidence[i], "of processor time"))
			return true;
	return false;
}

/* What a verdict does not set is what an earlier call left there. */
static __attribute__((noinline)) void leave_figures_on_the_stack(void)
{
	volatile double left[1 << 17];

	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		left[i] = 3600;
}

static void work_that_nobody_measured_is_not_told(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	make(&s, leaks, 30);
	leave_figures_on_the_stack();
	assert_false(tells_of_work(&s));
	for (size_t i = 0; i < s.rows; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_cpu_ns][k][i] = 1e9 * (double)i;
	assert_true(tells_of_work(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_morning_is_a_leak_not_even_the_first),
		cmocka_unit_test(
			a_leak_under_the_first_days_wave_is_found_and_dated),
		cmocka_unit_test(
			a_leak_late_in_a_long_life_is_found_within_half_a_day),
		cmocka_unit_test(a_leak_that_ended_is_none),
		cmocka_unit_test(bytes_that_change_class_are_no_leak),
		cmocka_unit_test(
			a_cache_a_step_and_what_is_dropped_again_are_no_leaks),
		cmocka_unit_test(
			a_week_of_a_long_life_is_judged_like_all_of_it),
		cmocka_unit_test(
			seconds_are_never_sure_and_say_when_to_ask_again),
		cmocka_unit_test(work_that_nobody_measured_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
