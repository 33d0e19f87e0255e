/* SPDX-License-Identifier: Apache-2.0 */
/* Growth that comes again in each life of a program: what one life is too short
 * to tell. */
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
#define STEP_S	 300
#define HOUR	 (INT64_C(3600) * HT_NS_PER_S)
#define MIB	 0x1p20
#define LEAKS_IN 4
/* A full hour. */
#define T0 (INT64_C(1750032000) * HT_NS_PER_S)

/* Bytes of class i, so many hours after the first life began, in a life of that
 * age. */
typedef double (*shape)(size_t i, double h, double age);

static double calm(size_t i, double h, double age)
{
	(void)age;
	return MIB * (20 + 10 * (double)i) *
	       (1 + 0.3 * sin(2 * M_PI * (h - 9) / 24));
}

static double leaks(size_t i, double h, double age)
{
	return calm(i, h, age) + (i == LEAKS_IN ? 4 * MIB * age : 0);
}

static double fills(size_t i, double h, double age)
{
	return calm(i, h, age) +
	       (i == LEAKS_IN ? 60 * MIB * (1 - exp(-age / 2)) : 0);
}

static double fills_slowly(size_t i, double h, double age)
{
	return calm(i, h, age) +
	       (i == LEAKS_IN ? 120 * MIB * (1 - exp(-age / 12)) : 0);
}

/* The fix came with the fifth. */
static double mended(size_t i, double h, double age)
{
	return h < 4 * 8 ? leaks(i, h, age) : calm(i, h, age);
}

static double of_the_newest_alone(size_t i, double h, double age)
{
	return h < 4 * 8 ? calm(i, h, age) : leaks(i, h, age);
}

static void must(bool good)
{
	assert_true(good);
}

static void put_row(struct ht_series *s, shape of, double h, double age)
{
	double x[CLASSES];

	for (size_t i = 0; i < CLASSES; i++)
		x[i] = of(i, h, age);
	ht_made_classes(s, x, CLASSES);
}

static void make(struct ht_series *s, shape of, double from, double hours)
{
	struct ht_err err;

	ht_series_init(s);
	s->started_ns = T0 + (int64_t)(from * (double)HOUR);
	for (double age = 0; age < hours; age += STEP_S / 3600.0) {
		must(ht_series_add_row(
			     s, s->started_ns + (int64_t)(age * (double)HOUR),
			     &err) == HT_OK);
		put_row(s, of, from + age, age);
	}
}

/* After `lives` lives of eight hours, the newest of which is `age` old; blind:
 * nothing is known of those before. */
static struct ht_verdict after(shape of, size_t lives, double age, bool blind)
{
	struct ht_store_lives before = {.n = lives - 1};
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	ht_made_seed(5);
	for (size_t i = 0; i < before.n; i++)
		make(&before.life[i], of, 8 * (double)i, 8);
	make(&s, of, 8 * (double)before.n, age);
	s.earlier = before.life;
	s.earlier_n = blind ? 0 : before.n;
	ht_verdict(&s, s.time_ns[s.rows - 1], NULL, &v);
	ht_store_lives_fini(&before);
	return v;
}

static bool grows(const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK ||
	       v->label == HT_LABEL_NON_MALLOC_GROWTH;
}

static bool says(const struct ht_verdict *v, const char *words)
{
	for (size_t i = 0; i < v->evidence_n; i++)
		if (strstr(v->evidence[i], words))
			return true;
	return false;
}

static void what_one_life_cannot_tell_five_tell_surely(void **state)
{
	struct ht_verdict alone = after(leaks, 5, 7.5, true);
	struct ht_verdict v = after(leaks, 5, 7.5, false);

	(void)state;
	assert_false(grows(&alone) && alone.confidence >= 0.8);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_true(v.confidence >= 0.8);
	assert_int_equal(v.culprit_class, 32 + 16 * LEAKS_IN);
	assert_true(fabs(v.slope_bytes_per_hour / (4 * MIB) - 1) < 0.2);
	assert_true(llabs(v.since_ns - (T0 + 32 * HOUR)) < HOUR / 2);
	assert_true(says(&v, "5 lives of the program"));
}

static void a_leak_is_told_by_the_second_life_and_not_yet_surely(void **state)
{
	struct ht_verdict v = after(leaks, 2, 7.5, false);

	(void)state;
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_true(v.confidence < 0.8);
}

static void never_sure(shape of)
{
	for (size_t lives = 2; lives <= 8; lives++)
		for (double age = 2.5; age < 8; age += 2.5) {
			struct ht_verdict v = after(of, lives, age, false);

			if (grows(&v) && v.confidence >= 0.8)
				fail_msg("%zu lives, %.1f h: %s %.2f: %s",
					 lives, age, ht_label_names[v.label],
					 v.confidence, v.evidence[0]);
		}
}

static void the_load_of_each_life_is_no_leak(void **state)
{
	(void)state;
	never_sure(calm);
}

static void what_each_life_repeats_and_ends_is_start_up(void **state)
{
	struct ht_verdict v = after(fills, 6, 7.5, false);

	(void)state;
	assert_false(grows(&v));
	never_sure(fills);
}

static void a_cache_that_no_life_fills_to_its_end_is_never_sure(void **state)
{
	(void)state;
	never_sure(fills_slowly);
}

static void a_newest_life_that_grows_no_more_is_mended(void **state)
{
	struct ht_verdict v = after(mended, 5, 7.5, false);

	(void)state;
	assert_false(grows(&v));
}

static void one_life_alone_proves_nothing_of_the_others(void **state)
{
	struct ht_verdict v = after(of_the_newest_alone, 5, 7.5, false);

	(void)state;
	assert_false(says(&v, "lives of the program"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_life_cannot_tell_five_tell_surely),
		cmocka_unit_test(
			a_leak_is_told_by_the_second_life_and_not_yet_surely),
		cmocka_unit_test(the_load_of_each_life_is_no_leak),
		cmocka_unit_test(what_each_life_repeats_and_ends_is_start_up),
		cmocka_unit_test(
			a_cache_that_no_life_fills_to_its_end_is_never_sure),
		cmocka_unit_test(a_newest_life_that_grows_no_more_is_mended),
		cmocka_unit_test(one_life_alone_proves_nothing_of_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
