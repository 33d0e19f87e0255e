/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on memory that comes in steps: one new level, a vector that doubles
 * and is written bit by bit, a table that is asked for once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "analysis/verdict.h"
#include "tests/lib/made.h"

#define ROWS  96
#define LEVEL 14e6

static void judge(const struct ht_series *s, size_t rows,
		  struct ht_verdict *ret)
{
	ht_verdict(s, s->time_ns[rows - 1], NULL, ret);
}

/* In use, of which only `written` is resident. */
static void make(struct ht_series *s, const double *in_use,
		 const double *written)
{
	ht_series_init(s);
	ht_made_in_use(s, in_use, ROWS, 0.1);
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s->metric[HT_M_in_use_arena][k][i] = LEVEL / 4;
			s->metric[HT_M_heap_resident][k][i] = LEVEL / 4;
			s->metric[HT_M_mmapped_resident][k][i] =
				written[i] - LEVEL / 4;
			s->metric[HT_M_rss_anon][k][i] = written[i];
			s->metric[HT_M_retained][k][i] = 0;
			s->metric[HT_M_non_malloc_anon][k][i] = 0;
		}
}

/* Little noise, then the new level: as a table that is read in anew looks.
 * Judged at every moment. */
static void one_new_level(double noise)
{
	double x[ROWS];

	for (size_t at = 5; at < ROWS - 5; at += 3) {
		HT_AUTO_SERIES struct ht_series s;

		ht_made_seed(at);
		ht_series_init(&s);
		for (size_t i = 0; i < ROWS; i++)
			x[i] = LEVEL * (i < at ? 1 : 1.8) *
			       (1 + noise * ht_made_normal());
		ht_made_in_use(&s, x, ROWS, 0.1);
		for (size_t n = 12; n <= ROWS; n += 2) {
			struct ht_verdict v;

			judge(&s, n, &v);
			assert_int_not_equal(v.label, HT_LABEL_LEAK);
		}
	}
}

static void one_new_level_is_no_leak_at_any_moment(void **state)
{
	(void)state;
	one_new_level(0.0005);
	one_new_level(0.002);
}

static void a_vector_that_doubles_and_is_filled_leaks(void **state)
{
	double in_use[ROWS], written[ROWS];

	(void)state;
	for (int late = 0; late < 20; late++) {
		HT_AUTO_SERIES struct ht_series s;
		struct ht_verdict v;
		double room = 1e6 * exp2((double)late / 20);

		ht_made_seed((uint64_t)late);
		for (size_t i = 0; i < ROWS; i++) {
			double filled = 4e5 * (double)(i + 1);

			while (room < filled)
				room *= 2;
			in_use[i] = LEVEL / 4 + room;
			written[i] =
				LEVEL / 4 + filled + 4e4 * ht_made_uniform();
		}
		make(&s, in_use, written);
		judge(&s, ROWS, &v);
		assert_int_equal(v.label, HT_LABEL_LEAK);
		assert_true(v.slope_bytes_per_hour > 60 * 3.6e5 &&
			    v.slope_bytes_per_hour < 60 * 4.4e5);
		for (size_t n = 24; n < ROWS; n++) {
			judge(&s, n, &v);
			assert_false(v.label != HT_LABEL_LEAK &&
				     v.confidence > 0.6);
		}
	}
}

/* Asked for at the beginning or in the midst, and filled from then on. */
static void a_table_that_was_asked_for_once_and_fills_is_no_leak(void **state)
{
	double in_use[ROWS], written[ROWS];

	(void)state;
	for (size_t at = 0; at < ROWS - 20; at += 3) {
		HT_AUTO_SERIES struct ht_series s;

		ht_made_seed(at);
		for (size_t i = 0; i < ROWS; i++) {
			in_use[i] = LEVEL / 2 + (i < at ? 0 : 60e6);
			written[i] = LEVEL / 2 + 4e4 * ht_made_uniform() +
				     (i < at ? 0 : 5e5 * (double)(i - at));
		}
		make(&s, in_use, written);
		for (size_t n = 12; n <= ROWS; n += 2) {
			struct ht_verdict v;

			judge(&s, n, &v);
			assert_int_not_equal(v.label, HT_LABEL_LEAK);
			assert_string_not_equal(v.reason, "warm");
		}
	}
}

/* A cache that is full before an eighth of the window is over has no level in
 * that eighth: it is called neither level before nor a step. */
static void what_fills_from_the_beginning_was_not_flat_before(void **state)
{
	double x[ROWS];

	(void)state;
	for (size_t full = 8; full <= ROWS / 3; full++) {
		HT_AUTO_SERIES struct ht_series s;
		struct ht_verdict v;

		ht_made_seed(full);
		ht_series_init(&s);
		for (size_t i = 0; i < ROWS; i++)
			x[i] = LEVEL / 14 +
			       LEVEL * fmin(1, (double)i / (double)full) +
			       1e4 * ht_made_normal();
		ht_made_in_use(&s, x, ROWS, 0.1);
		judge(&s, ROWS, &v);
		assert_true(v.label == HT_LABEL_CACHE_WARMUP ||
			    v.label == HT_LABEL_STABLE);
		for (size_t i = 0; i < v.evidence_n; i++)
			assert_null(strstr(v.evidence[i], "flat before"));
	}
}

/* That nothing is wrong is not sure where memory outside malloc rose by half.
 */
static void calm_is_less_sure_the_more_rose_outside_malloc(void **state)
{
	double x[ROWS], sure = 1;

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		x[i] = LEVEL;
	for (int rose = 0; rose <= 4; rose += 2) {
		HT_AUTO_SERIES struct ht_series s;
		struct ht_verdict v;

		make(&s, x, x);
		for (size_t i = 0; i < ROWS; i++)
			for (size_t k = 0; k < HT_STAT_COUNT; k++) {
				double outside =
					LEVEL + (i < 30 ? 0 : rose * LEVEL / 4);

				s.metric[HT_M_non_malloc_anon][k][i] = outside;
				s.metric[HT_M_rss_anon][k][i] = LEVEL + outside;
				s.metric[HT_M_rss_shmem][k][i] = 0;
			}
		judge(&s, ROWS, &v);
		assert_int_equal(v.label, HT_LABEL_STABLE);
		assert_true(rose ? v.confidence <= 0.65 : v.confidence >= 0.9);
		assert_true(v.confidence <= sure);
		sure = v.confidence;
	}
}

/* The heap of a language that its collector makes larger once, in `takes` of
 * the first `rows` samples, up to `last`; in `parts` rises with rests between.
 */
static enum ht_label outside_rises(size_t rows, size_t takes, size_t last,
				   int parts)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;
	double flat[ROWS];

	for (size_t i = 0; i < ROWS; i++)
		flat[i] = LEVEL;
	ht_made_seed(7);
	ht_series_init(&s);
	ht_made_in_use(&s, flat, ROWS, 0);
	for (size_t i = 0; i < ROWS; i++) {
		double way = fmin(1, fmax(0, 1 - ((double)last - (double)i) /
							     (double)takes));
		double outside =
			45e6 * (1 + 0.002 * ht_made_normal()) +
			20e6 * (parts > 1 ? floor(way * parts) / parts : way);

		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s.metric[HT_M_non_malloc_anon][k][i] = outside;
			s.metric[HT_M_rss_anon][k][i] = LEVEL + outside;
		}
	}
	judge(&s, rows, &v);
	return v.label;
}

static void a_heap_that_was_made_larger_once_does_not_grow(void **state)
{
	(void)state;
	for (size_t rows = 40; rows <= 80; rows += 10)
		for (size_t takes = 1; takes <= 8; takes++)
			for (size_t last = rows / 2; last + rows / 10 < rows;
			     last++)
				assert_int_equal(
					outside_rises(rows, takes, last, 1),
					HT_LABEL_STABLE);
}

static void one_that_is_still_made_larger_grows(void **state)
{
	(void)state;
	for (size_t rows = 40; rows <= 80; rows += 10) {
		for (size_t takes = rows / 3; takes < rows; takes += 5)
			assert_int_equal(
				outside_rises(rows, takes, rows - 1, 1),
				HT_LABEL_NON_MALLOC_GROWTH);
		/* it has rested before, and went on */
		assert_int_equal(outside_rises(rows, rows - 1, rows - 1, 8),
				 HT_LABEL_NON_MALLOC_GROWTH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_new_level_is_no_leak_at_any_moment),
		cmocka_unit_test(a_vector_that_doubles_and_is_filled_leaks),
		cmocka_unit_test(
			a_table_that_was_asked_for_once_and_fills_is_no_leak),
		cmocka_unit_test(
			what_fills_from_the_beginning_was_not_flat_before),
		cmocka_unit_test(
			calm_is_less_sure_the_more_rose_outside_malloc),
		cmocka_unit_test(
			a_heap_that_was_made_larger_once_does_not_grow),
		cmocka_unit_test(one_that_is_still_made_larger_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
