/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who leaks: of sites, by what stays of their chunks and what their sizes grow
 * by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "agent/who/size_trend.h"
#include "analysis/who.h"

static struct ht_snapshot seen, before, after;

static struct ht_who_judged j;

static int begin(void **state)
{
	struct ht_windows *w;

	(void)state;
	ht_snapshot_init(&seen);
	ht_snapshot_init(&before);
	ht_snapshot_init(&after);
	w = ht_snapshot_add_windows(&seen);
	w->armed_us = 1000000;
	return 0;
}

static int end(void **state)
{
	(void)state;
	ht_who_judged_fini(&j);
	ht_snapshot_fini(&seen);
	ht_snapshot_fini(&before);
	ht_snapshot_fini(&after);
	return 0;
}

static void add_site(uint64_t old, uint64_t alive, uint64_t freed,
		     uint64_t size)
{
	struct ht_site *s = ht_snapshot_add_site(&seen);
	struct ht_site_size *z;

	s->samples = s->old_samples = old;
	s->alive = s->old_alive = alive;
	s->freed = s->old_freed = freed;
	s->moved = 0;
	s->bytes = old * size;
	s->min_size = s->max_size = size;
	z = ht_snapshot_add_site_size(&seen);
	*z = (struct ht_site_size){.site = seen.sites.n - 1,
				   .max_size = size,
				   .bytes = s->bytes,
				   .old_samples = old,
				   .old_alive = alive,
				   .old_freed = freed};
}

static void add_class(uint64_t size, uint64_t was, uint64_t is)
{
	struct ht_size_class *c = ht_snapshot_add_size_class(&before);

	c->max_size = size;
	c->in_use_bytes = was;
	c = ht_snapshot_add_size_class(&after);
	c->max_size = size;
	c->in_use_bytes = is;
}

static void judge(bool walked)
{
	const struct ht_who_in in = {.seen = &seen,
				     .before = walked ? &before : NULL,
				     .after = walked ? &after : NULL,
				     .seconds = 10};

	assert_int_equal(ht_who_judge(&in, &j, NULL), HT_OK);
}

static void wilsons_interval_is_as_published(void **state)
{
	double low, high;

	(void)state;
	ht_wilson(10, 10, &low, &high);
	assert_true(fabs(low - .7225) < .001 && fabs(high - 1) < 1e-9);
	ht_wilson(0, 10, &low, &high);
	assert_true(low < 1e-9 && fabs(high - .2775) < .001);
	ht_wilson(50, 100, &low, &high);
	assert_true(fabs(low - .4038) < .001 && fabs(high - .5962) < .001);
}

static void what_stays_in_sizes_that_grow_leaks(void **state)
{
	(void)state;
	add_site(1000, 3, 990, 224);
	add_site(20, 20, 0, 224);
	add_class(224, 100000, 200000);
	judge(true);
	assert_int_equal(j.v[0].site, 1);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_true(fabs(j.v[0].bytes_per_s - 10000) < 1);
	assert_true(fabs(j.v[0].share_of_growth - 1) < 1e-9);
	assert_true(j.v[0].confidence > .8);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_NO);
}

static void what_stays_in_sizes_that_do_not_grow_is_a_cache(void **state)
{
	(void)state;
	add_site(500, 500, 0, 224);
	add_class(224, 100000, 100500);
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_NO);
}

static void without_two_walks_nothing_is_said_of_leaking(void **state)
{
	(void)state;
	add_site(20, 20, 0, 224);
	judge(false);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_UNKNOWN);
	assert_true(isnan(j.v[0].bytes_per_s) && isnan(j.growth));
}

/* Of the site that was added last nothing but contents says that chunks were
 * freed. */
static void by_contents_alone(uint64_t old)
{
	seen.site_sizes.v[seen.site_sizes.n - 1].old_rewritten = old;
}

static void who_writes_to_what_he_keeps_leaks_where_its_sizes_grow(void **state)
{
	(void)state;
	add_site(45, 0, 45, 224);
	by_contents_alone(45);
	add_site(1000, 1, 999, 224); /* churn, seen free */
	by_contents_alone(100);
	add_site(1000, 0, 1000, 224); /* a cache: twenty times as much */
	by_contents_alone(1000);
	add_class(224, 100000, 200000);
	judge(true);
	assert_int_equal(j.v[0].site, 0);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_true(isnan(j.v[0].survival) && j.v[0].high > .99);
	assert_true(fabs(j.v[0].share_of_growth - 1) < .1);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_NO);
	assert_int_equal(j.v[2].leaking, HT_LEAKING_NO);
}

static void of_two_who_may_nobody_is_blamed(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		add_site(45, 0, 45, 224);
		by_contents_alone(45);
	}
	add_class(224, 100000, 200000);
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_UNKNOWN);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_UNKNOWN);
}

static void nor_where_what_stays_of_others_is_what_grows(void **state)
{
	(void)state;
	add_site(45, 0, 45, 224);
	by_contents_alone(45);
	add_site(45, 45, 0, 224);
	add_class(224, 100000, 200000);
	judge(true);
	assert_int_equal(j.v[0].site, 1);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_NO);
}

static void nor_where_its_sizes_do_not_grow(void **state)
{
	(void)state;
	add_site(45, 0, 45, 224);
	by_contents_alone(45);
	add_class(224, 100000, 100000);
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_NO);
}

static void two_chunks_are_no_lead(void **state)
{
	(void)state;
	add_site(2, 2, 0, 224);
	add_site(0, 0, 0, 224);
	add_class(224, 100000, 200000);
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_UNKNOWN);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_UNKNOWN);
}

/* What a site of another size grows by is not its. */
static void the_growth_of_other_sizes_is_not_blamed(void **state)
{
	struct ht_site_size *z;

	(void)state;
	add_site(400, 220, 180, 512); /* a pool: half live long */
	add_site(30, 30, 0, 224);
	z = ht_snapshot_add_site_size(&seen);
	*z = (struct ht_site_size){.site = 0,
				   .max_size = 2048,
				   .bytes = 90000,
				   .old_samples = 40,
				   .old_alive = 20,
				   .old_freed = 20};
	seen.sites.v[0].max_size = 2048;
	seen.sites.v[0].min_size = 112;
	add_class(224, 100000, 200000);
	add_class(512, 500000, 501000);
	add_class(2048, 500000, 499000);
	judge(true);
	assert_int_equal(j.v[0].site, 1);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_NO);
}

/* Some chunks of a busy site always seem to stay. */
static void a_little_that_seems_to_stay_is_no_leak(void **state)
{
	(void)state;
	add_site(3000, 15, 2900, 224);
	add_class(224, 100000, 200000);
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_NO);
}

/* malloc gives a chunk one step larger where what would be left is none: of
 * that step the site of the one below is held, not who is seen to keep a
 * little. */
static void a_step_above_what_leaks_is_its_own(void **state)
{
	struct ht_site_size *z;

	(void)state;
	add_site(20, 20, 0, 208);
	add_site(1000, 47, 940, 80); /* a little seems to stay */
	for (uint64_t size = 96; size <= 336; size += 16) {
		z = ht_snapshot_add_site_size(&seen);
		*z = seen.site_sizes.v[1];
		z->max_size = size;
	}
	add_class(208, 100000, 200000);
	add_class(224, 100000, 110000);
	judge(true);
	assert_int_equal(j.v[0].site, 0);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_NO);
}

/* 500 calls of 512 bytes in a second of windows: 256 kB a second. */
static void add_moved(bool growing)
{
	struct ht_site *s;

	add_site(500, 0, 0, 512);
	s = &seen.sites.v[seen.sites.n - 1];
	s->moved = 500;
	s->growing = growing;
}

static void what_realloc_makes_larger_and_larger_leaks(void **state)
{
	(void)state;
	add_moved(true);
	add_site(1000, 0, 1000, 224);
	add_class(4096, 1000000, 3000000); /* 200 kB a second */
	judge(true);
	assert_int_equal(j.v[0].site, 0);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_true(fabs(j.v[0].share_of_growth - 1) < 1e-9);
	assert_true(fabs(j.v[0].bytes_per_s - 200000) < 1);
	assert_true(j.v[0].confidence < .8);
}

static void what_realloc_moves_is_not_held_for_others_growth(void **state)
{
	(void)state;
	add_moved(true);
	add_site(1000, 1000, 0, 224);
	add_class(224, 1000000, 3000000);
	judge(true);
	assert_int_equal(j.v[0].site, 1);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_YES);
	assert_int_equal(j.v[1].leaking, HT_LEAKING_NO);
}

static void what_realloc_moves_and_begins_anew_is_not_blamed(void **state)
{
	(void)state;
	add_moved(false);
	add_class(4096, 1000000, 3000000);
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_UNKNOWN);
	ht_who_judged_fini(&j);
	after.size_classes.v[0].in_use_bytes = 1010000; /* 1 kB a second */
	judge(true);
	assert_int_equal(j.v[0].leaking, HT_LEAKING_NO);
}

/* Twenty windows of twenty calls. */
/* Who writes to new pages first is not who keeps memory. */
static void by_growth_nobody_leaks_and_shares_are_of_what_was_seen(void **state)
{
	static const uint64_t bytes[] = {3000000, 1000000};

	(void)state;
	seen.windows.v[0].way = HT_WAY_GROWTH;
	seen.windows.v[0].armed_us = 2000000;
	for (int i = 0; i < 2; i++) {
		struct ht_site *s = ht_snapshot_add_site(&seen);

		s->bytes = bytes[i];
		s->samples = s->unknown = 1;
	}
	judge(false);
	assert_int_equal(j.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(j.v[i].site, i);
		assert_int_equal(j.v[i].leaking, HT_LEAKING_UNKNOWN);
		assert_true(isnan(j.v[i].survival));
		assert_true(isnan(j.v[i].confidence));
		assert_true(fabs(j.v[i].share_of_growth -
				 (double)bytes[i] / 4e6) < 1e-9);
		assert_true(fabs(j.v[i].bytes_per_s - (double)bytes[i] / 2) <
			    1e-3);
	}
}

static void sizes_that_rise_are_told_from_those_that_vary(void **state)
{
	struct ht_size_trend rises = {0}, saw = {0}, falls = {0}, few = {0};
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 400; i++) {
		double noise = 4000. * rand_r(&seed) / RAND_MAX;
		uint64_t window = (uint64_t)i / 20;

		ht_size_trend_add(&rises, window, i * .05,
				  10000 + noise + 10 * i);
		/* all at one height in each window, and anew after some */
		ht_size_trend_add(&saw, window, i * .05,
				  512 * (1. + (double)(window * 7 % 16)));
		ht_size_trend_add(&falls, window, i * .05,
				  10000 + noise - 10 * i);
		ht_size_trend_add(&few, (uint64_t)i / 100, i * .05, i);
	}
	assert_true(ht_size_trend_rises(&rises));
	assert_false(ht_size_trend_rises(&saw));
	assert_false(ht_size_trend_rises(&falls));
	assert_false(ht_size_trend_rises(&few));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilsons_interval_is_as_published),
		cmocka_unit_test_setup_teardown(
			what_stays_in_sizes_that_grow_leaks, begin, end),
		cmocka_unit_test_setup_teardown(
			what_stays_in_sizes_that_do_not_grow_is_a_cache, begin,
			end),
		cmocka_unit_test_setup_teardown(
			without_two_walks_nothing_is_said_of_leaking, begin,
			end),
		cmocka_unit_test_setup_teardown(
			who_writes_to_what_he_keeps_leaks_where_its_sizes_grow,
			begin, end),
		cmocka_unit_test_setup_teardown(of_two_who_may_nobody_is_blamed,
						begin, end),
		cmocka_unit_test_setup_teardown(
			nor_where_what_stays_of_others_is_what_grows, begin,
			end),
		cmocka_unit_test_setup_teardown(nor_where_its_sizes_do_not_grow,
						begin, end),
		cmocka_unit_test_setup_teardown(two_chunks_are_no_lead, begin,
						end),
		cmocka_unit_test_setup_teardown(
			the_growth_of_other_sizes_is_not_blamed, begin, end),
		cmocka_unit_test_setup_teardown(
			a_little_that_seems_to_stay_is_no_leak, begin, end),
		cmocka_unit_test_setup_teardown(
			a_step_above_what_leaks_is_its_own, begin, end),
		cmocka_unit_test_setup_teardown(
			what_realloc_makes_larger_and_larger_leaks, begin, end),
		cmocka_unit_test_setup_teardown(
			what_realloc_moves_is_not_held_for_others_growth, begin,
			end),
		cmocka_unit_test_setup_teardown(
			what_realloc_moves_and_begins_anew_is_not_blamed, begin,
			end),
		cmocka_unit_test_setup_teardown(
			by_growth_nobody_leaks_and_shares_are_of_what_was_seen,
			begin, end),
		cmocka_unit_test(sizes_that_rise_are_told_from_those_that_vary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
