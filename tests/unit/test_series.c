/* SPDX-License-Identifier: Apache-2.0 */
/* Series: order, gaps, statistics, buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>

#include "common/clock.h"
#include "schema/series.h"

#define S HT_NS_PER_S
static struct ht_err err;

static void add(struct ht_series *s, int64_t at_s, double in_use)
{
	assert_int_equal(ht_series_add_row(s, at_s * S, &err), HT_OK);
	for (int k = 0; k < HT_STAT_COUNT; k++)
		s->metric[HT_M_in_use][k][s->rows - 1] = in_use;
}

static void a_gap_is_more_than_three_usual_intervals(void **state)
{
	static const int64_t at[] = {0, 10, 20, 21, 45, 80, 200};
	static const bool cut[] = {0, 0, 0, 0, 0, 0, 1};
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	for (size_t i = 0; i < 7; i++) {
		add(&s, at[i], 1);
		assert_int_equal(s.cut[i], cut[i]);
	}
}

static void a_step_back_keeps_distances_and_the_newest_times(void **state)
{
	static const int64_t want[] = {-20, -10, 0, 10};
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(&s, 1000, 1);
	add(&s, 1010, 2);
	add(&s, 0, 3);
	add(&s, 10, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(s.time_ns[i], want[i] * S);
	assert_true(s.cut[2] && !s.cut[3]);
}

static void statistics_are_ranks_that_were_measured(void **state)
{
	HT_AUTO_SERIES struct ht_series s, one;

	(void)state;
	ht_series_init(&s);
	ht_series_init(&one);
	for (int i = 0; i < 21; i++)
		add(&s, i, (double)((i * 8) % 21)); /* 0..20 in disorder */
	assert_int_equal(ht_series_bucket(&s, 0, 20 * S, &one, &err), HT_OK);
	assert_true(one.metric[HT_M_in_use][HT_STAT_MIN][0] == 0);
	assert_true(one.metric[HT_M_in_use][HT_STAT_P10][0] == 2);
	assert_true(one.metric[HT_M_in_use][HT_STAT_MEDIAN][0] == 10);
	assert_true(one.metric[HT_M_in_use][HT_STAT_MAX][0] == 20);
	assert_true(isnan(one.metric[HT_M_rss][HT_STAT_MAX][0]));
	assert_int_equal(ht_series_bucket(&s, 99 * S, INT64_MAX, &one, &err),
			 HT_OK);
	assert_int_equal(one.rows, 1); /* nothing there: no row */
}

static void a_class_that_is_not_listed_held_nothing(void **state)
{
	HT_AUTO_SERIES struct ht_series s, one;
	HT_AUTO_SNAPSHOT struct ht_snapshot snap;
	struct ht_size_class *c;

	(void)state;
	ht_series_init(&s);
	ht_series_init(&one);
	ht_snapshot_init(&snap);
	for (int i = 0; i < 3; i++) {
		snap.head.taken_at = (i + 1) * S;
		snap.size_classes.n = 0;
		c = i < 2 ? ht_snapshot_add_size_class(&snap) : NULL;
		if (c) { /* 32, then 48, then none measured */
			c->max_size = 32 + 16 * (uint64_t)i;
			c->in_use_bytes = 480;
			c->in_use_chunks = 10;
		}
		assert_int_equal(ht_series_add_snapshot(&s, &snap, &err),
				 HT_OK);
	}
	assert_true(s.classes[0].bytes[0][1] == 0);
	assert_true(isnan(s.classes[0].bytes[0][2]));
	assert_int_equal(ht_series_bucket(&s, 0, INT64_MAX, &one, &err), HT_OK);
	assert_true(one.classes[1].bytes[HT_STAT_MIN][0] == 0);
	assert_true(one.classes[1].bytes[HT_STAT_MAX][0] == 480);
}

static void a_window_has_at_most_the_buckets_asked_for(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	for (int i = 0; i < 1000; i++)
		add(&s, i, i);
	for (size_t buckets = 1; buckets < 1200; buckets += 97) {
		HT_AUTO_SERIES struct ht_series part;

		ht_series_init(&part);
		assert_int_equal(ht_series_window(&s, 100 * S, 899 * S, buckets,
						  &part, &err),
				 HT_OK);
		assert_int_equal(part.rows, buckets < 800 ? buckets : 800);
		assert_true(part.metric[HT_M_in_use][HT_STAT_MIN][0] == 100);
		assert_true(
			part.metric[HT_M_in_use][HT_STAT_MAX][part.rows - 1] ==
			899);
	}
}

static void
rows_that_are_kept_stay_as_they_were_and_tell_their_gaps(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	bool keep[100] = {false};

	(void)state;
	ht_series_init(&s);
	for (int i = 0; i < 100; i++)
		add(&s, i, i);
	for (int i = 0; i < 100; i += 10)
		keep[i] = i < 40 || i > 70;
	s.cut[5] = true;
	ht_series_keep_rows(&s, keep);
	assert_int_equal(s.rows, 6);
	for (size_t i = 0; i < 6; i++) {
		int was = (int)i * 10 + (i < 4 ? 0 : 40);

		assert_int_equal(s.time_ns[i], was * S);
		assert_true(s.metric[HT_M_in_use][HT_STAT_MEDIAN][i] == was);
		/* the mark of a row that went, and 30 s to 80 s */
		assert_int_equal(s.cut[i], i == 1 || i == 4);
	}
	add(&s, 100, 7);
	assert_true(s.metric[HT_M_in_use][HT_STAT_MAX][6] == 7);
	assert_true(isnan(s.metric[HT_M_rss][HT_STAT_MAX][6]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gap_is_more_than_three_usual_intervals),
		cmocka_unit_test(
			a_step_back_keeps_distances_and_the_newest_times),
		cmocka_unit_test(statistics_are_ranks_that_were_measured),
		cmocka_unit_test(a_class_that_is_not_listed_held_nothing),
		cmocka_unit_test(a_window_has_at_most_the_buckets_asked_for),
		cmocka_unit_test(
			rows_that_are_kept_stay_as_they_were_and_tell_their_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
