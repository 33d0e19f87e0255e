/* SPDX-License-Identifier: Apache-2.0 */
/* Thread caches that change while they are read: what the walk could not find
 * of them is uncertain, to the byte, and nothing is a finding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/fakeheap.h"

#define WORD   8u
#define BIN    2u
#define CACHED 3u  /* in this bin, as fakeheap.c puts them there */
#define SIZE   64u /* of each */
#define MINOR  36u

static struct fake fake;
static struct ht_walk_in in;
static struct ht_roots *roots;
static uint64_t cache; /* tcache_perthread_struct */

static int build(void **state)
{
	struct ht_err err;

	(void)state;
	assert_int_equal(fake_build(&fake, MINOR, WORD, &err), HT_OK);
	in = (struct ht_walk_in){.located = &fake.located,
				 .reader = &fake.reader,
				 .pages = &fake.pages,
				 .maps = &fake.maps,
				 .threads = &fake.thread,
				 .threads_n = 1,
				 .moving = true};
	cache = fake_get(&fake, fake.thread.thread_pointer + 0x40);
	roots = NULL;
	return 0;
}

static int drop(void **state)
{
	(void)state;
	ht_roots_fini(roots);
	fake_free(&fake);
	return 0;
}

static void read_roots(void)
{
	struct ht_err err;

	assert_int_equal(ht_roots_read(&in, &roots, &err), HT_OK);
}

/* What was read so far, walked: the uncertain bytes. */
static uint64_t walk(uint64_t *ret_cached)
{
	struct ht_snapshot s;
	struct ht_err err;
	uint64_t uncertain;

	ht_snapshot_init(&s);
	assert_int_equal(ht_walk(&in, roots, &s, &err), HT_OK);
	assert_int_equal(ht_snapshot_check(&s, &err), HT_OK);
	assert_int_equal(s.findings.n, 0);
	*ret_cached = s.totals.tcache;
	uncertain = s.stop.uncertain_bytes;
	ht_snapshot_fini(&s);
	return uncertain;
}

/* The first entry leads into nothing, as one does that was taken out of the
 * list and written to. */
static void spoil_first_link(void)
{
	uint64_t first = fake.cached + 2 * WORD;

	fake_put(&fake, first, first >> 12 ^ 0x4141414141414140);
}

/* The counters are 16 bits wide. */
static void set_counter(uint64_t count)
{
	uint64_t at = cache + 2 * (BIN & ~3u), shift = 16 * (BIN & 3u);
	uint64_t word = fake_get(&fake, at) & ~(UINT64_C(0xffff) << shift);

	fake_put(&fake, at, word | count << shift);
}

static void a_cache_at_rest_leaves_nothing_uncertain(void **state)
{
	uint64_t cached;

	(void)state;
	read_roots();
	assert_int_equal(walk(&cached), 0);
	assert_int_equal(cached, CACHED * SIZE);
}

static void chunks_behind_a_cut_are_uncertain(void **state)
{
	uint64_t cached;

	(void)state;
	spoil_first_link();
	read_roots();
	assert_true(ht_roots_in_flux(roots));
	assert_int_equal(walk(&cached), (CACHED - 1) * SIZE);
	assert_int_equal(cached, SIZE);
}

static void a_list_without_a_head_is_uncertain_as_its_counter_says(void **state)
{
	uint64_t cached;

	(void)state;
	fake_put(&fake, cache + fake.f->at_entries + BIN * WORD, 0);
	read_roots();
	assert_int_equal(walk(&cached), CACHED * SIZE);
	assert_int_equal(cached, 0);
}

static void what_a_cache_grew_by_during_the_walk_is_uncertain(void **state)
{
	uint64_t cached;

	(void)state;
	read_roots();
	set_counter(CACHED + 4);
	assert_int_equal(walk(&cached), 4 * SIZE);
}

static void a_cache_that_is_gone_after_the_walk_is_not_asked(void **state)
{
	uint64_t cached;

	(void)state;
	read_roots();
	set_counter(0x4141);
	assert_int_equal(walk(&cached), 0);
}

static void a_torn_cache_is_left_out_until_it_is_wanted_as_it_is(void **state)
{
	struct ht_walk_in nobody = in;
	struct ht_err err;
	uint64_t cached;

	(void)state;
	spoil_first_link();
	nobody.threads_n = 0;
	assert_int_equal(ht_roots_read(&nobody, &roots, &err), HT_OK);
	assert_int_equal(ht_roots_add_threads(&in, roots, false, &err),
			 HT_BUSY);
	assert_int_equal(ht_roots_add_threads(&in, roots, true, &err), HT_OK);
	assert_int_equal(walk(&cached), (CACHED - 1) * SIZE);
	assert_int_equal(cached, SIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, build, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cache_at_rest_leaves_nothing_uncertain),
		TEST(chunks_behind_a_cut_are_uncertain),
		TEST(a_list_without_a_head_is_uncertain_as_its_counter_says),
		TEST(what_a_cache_grew_by_during_the_walk_is_uncertain),
		TEST(a_cache_that_is_gone_after_the_walk_is_not_asked),
		TEST(a_torn_cache_is_left_out_until_it_is_wanted_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
