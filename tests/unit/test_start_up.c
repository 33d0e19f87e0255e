/* SPDX-License-Identifier: Apache-2.0 */
/* The first hours of a life, beside those of the lives before it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/verdict.h"
#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/made.h"

#define CLASSES	 12
#define GROWS_IN 4
#define STEP_S	 60
#define LIFE_H	 8
#define HOUR	 (INT64_C(3600) * HT_NS_PER_S)
#define MIB	 0x1p20
#define T0	 (INT64_C(1750032000) * HT_NS_PER_S)

/* Bytes of the class that grows, in a life of that age, the how many-th. */
typedef double (*shape)(double age, size_t life);

static double loads_its_data(double age, size_t life)
{
	(void)life;
	return 200 * MIB * (1 - exp(-age / .4));
}

static double leaks(double age, size_t life)
{
	(void)life;
	return 40 * MIB * age;
}

static double loads_then_leaks(double age, size_t life)
{
	return loads_its_data(age, life) + leaks(age, life);
}

static double loads_more_of_late(double age, size_t life)
{
	return loads_its_data(age, life) * (life == 4 ? 3 : 1);
}

static double others_loaded_nothing(double age, size_t life)
{
	return life == 4 ? loads_its_data(age, life) : 10 * MIB;
}

static void make(struct ht_series *s, shape of, size_t life, double hours)
{
	struct ht_err err;
	double x[CLASSES];

	ht_series_init(s);
	s->started_ns = T0 + (int64_t)life * LIFE_H * HOUR;
	for (double age = 0; age < hours; age += STEP_S / 3600.0) {
		for (size_t i = 0; i < CLASSES; i++)
			x[i] = MIB * (20 + 10 * (double)i);
		x[GROWS_IN] = MIB + of(age, life);
		if (ht_series_add_row(
			    s, s->started_ns + (int64_t)(age * (double)HOUR),
			    &err) != HT_OK)
			abort();
		ht_made_classes(s, x, CLASSES);
	}
}

/* Of the fifth life, so many hours old, where so many of the lives before it
 * are known. */
static struct ht_verdict fifth(shape of, size_t known, double age)
{
	struct ht_store_lives before = {.n = known};
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	ht_made_seed(7);
	for (size_t i = 0; i < known; i++)
		make(&before.life[i], of, 4 - known + i, LIFE_H);
	make(&s, of, 4, age);
	s.earlier = before.life;
	s.earlier_n = before.n;
	ht_verdict(&s, s.time_ns[s.rows - 1], NULL, &v);
	ht_store_lives_fini(&before);
	return v;
}

static void starts_up(shape of, size_t known, double age, bool expected)
{
	struct ht_verdict v = fifth(of, known, age);

	if ((v.why == HT_REASON_START_UP) != expected)
		fail_msg("%zu lives known, %.2f h: %s %.2f %s: %s", known, age,
			 ht_label_names[v.label], v.confidence, v.reason,
			 v.evidence[0]);
}

static void what_no_life_before_shows_looks_like_a_leak(void **state)
{
	struct ht_verdict v = fifth(loads_its_data, 0, .5);

	(void)state;
	assert_int_equal(v.label, HT_LABEL_LEAK);
	starts_up(loads_its_data, 0, .5, false);
}

static void what_each_life_loads_and_ends_is_start_up(void **state)
{
	struct ht_verdict v = fifth(loads_its_data, 4, .5);

	(void)state;
	assert_int_equal(v.label, HT_LABEL_CACHE_WARMUP);
	assert_string_equal(v.reason, "start_up");
	assert_non_null(strstr(v.evidence[0], "4 of 4 lives"));
	assert_true(v.confidence >= .75);
	for (double age = .2; age < .8; age += .1)
		starts_up(loads_its_data, 4, age, true);
}

static void one_life_before_is_believed_less(void **state)
{
	struct ht_verdict one = fifth(loads_its_data, 1, .5);
	struct ht_verdict four = fifth(loads_its_data, 4, .5);

	(void)state;
	assert_int_equal(one.why, HT_REASON_START_UP);
	assert_true(one.confidence < four.confidence);
}

static void a_leak_of_each_life_is_no_start_up(void **state)
{
	(void)state;
	for (double age = .3; age < 1.9; age += .2) {
		starts_up(leaks, 4, age, false);
		starts_up(leaks, 1, age, false);
	}
}

static void what_goes_on_after_loading_is_no_end(void **state)
{
	struct ht_verdict v = fifth(loads_then_leaks, 4, 1.8);

	(void)state;
	assert_int_equal(v.label, HT_LABEL_LEAK);
}

static void more_than_lives_before_came_to_is_no_start_up(void **state)
{
	(void)state;
	starts_up(loads_more_of_late, 4, .5, false);
	starts_up(others_loaded_nothing, 4, .5, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_life_before_shows_looks_like_a_leak),
		cmocka_unit_test(what_each_life_loads_and_ends_is_start_up),
		cmocka_unit_test(one_life_before_is_believed_less),
		cmocka_unit_test(a_leak_of_each_life_is_no_start_up),
		cmocka_unit_test(what_goes_on_after_loading_is_no_end),
		cmocka_unit_test(more_than_lives_before_came_to_is_no_start_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
