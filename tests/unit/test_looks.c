/* SPDX-License-Identifier: Apache-2.0 */
/* Walk or light look: by what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "link/looks.h"

#define MS HT_NS_PER_MS
#define GB (UINT64_C(1) << 30)

/* Of an interval of 10 s and 1 % of a processor. */
static struct ht_looks_limits target = {.choice = HT_LOOKS_AUTO,
					.budget_ns = 100 * MS};

/* One look of a heap: a walk takes `full_ms`, a light look `light_ms` and for
 * each GiB of its slice as much as a walk does. Returns whether it was light.
 */
static bool look(struct ht_looks *l, uint64_t system, int64_t full_ms,
		 int64_t light_ms, int64_t *ret_cpu_ns)
{
	struct ht_request r = {0};
	struct ht_snapshot s;
	bool light;

	ht_looks_choose(l, &target, &r);
	light = r.flags & HT_LOOK_LIGHTLY;
	*ret_cpu_ns = full_ms * MS;
	if (light)
		*ret_cpu_ns = light_ms * MS +
			      (int64_t)((double)full_ms * (double)MS *
					(double)r.slice_max / (double)system);
	ht_snapshot_init(&s);
	s.totals.system = system;
	s.totals.in_use = system / 2;
	s.stop.look = light ? HT_LOOK_LIGHT : HT_LOOK_FULL;
	ht_looks_note(l, &target, &s, *ret_cpu_ns, 1);
	ht_snapshot_fini(&s);
	return light;
}

/* 100 GiB with as many free chunks as may be gone to, 10 us each. */
static void look_at_lists(struct ht_looks *l, int64_t *ret_cpu_ns)
{
	struct ht_request r = {0};
	struct ht_snapshot s;

	ht_looks_choose(l, &target, &r);
	*ret_cpu_ns = 30000 * MS;
	if (r.flags & HT_LOOK_LIGHTLY)
		*ret_cpu_ns = (int64_t)(r.chunks_max * 10000 +
					r.slice_max * 30000 /
						(100 * GB / (uint64_t)MS));
	ht_snapshot_init(&s);
	s.totals.system = 100 * GB;
	s.totals.in_use = 50 * GB;
	s.stop.look = r.flags & HT_LOOK_LIGHTLY ? HT_LOOK_LIGHT : HT_LOOK_FULL;
	ht_looks_note(l, &target, &s, *ret_cpu_ns, 1);
	ht_snapshot_fini(&s);
}

static void small_heaps_are_walked_at_any_interval(void **state)
{
	struct ht_looks l = {0};
	int64_t cpu_ns;

	(void)state;
	target.budget_ns = MS;
	for (int i = 0; i < 20; i++)
		assert_false(look(&l, GB / 32, 9, 5, &cpu_ns));
	target.budget_ns = 100 * MS;
}

static void a_walk_within_its_share_stays(void **state)
{
	struct ht_looks l = {0};
	int64_t cpu_ns;

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_false(look(&l, GB / 4, 99, 5, &cpu_ns));
}

static void
a_dearer_one_becomes_light_and_its_slices_fill_the_share(void **state)
{
	struct ht_looks l = {0};
	int64_t cpu_ns;

	(void)state;
	assert_false(look(&l, 4 * GB, 1200, 20, &cpu_ns));
	for (int i = 0; i < 20; i++)
		assert_true(look(&l, 4 * GB, 1200, 20, &cpu_ns));
	/* the share of 10 s is 100 ms, and no more */
	assert_in_range(cpu_ns, 70 * MS, 100 * MS);
	assert_in_range(l.slice, 4 * GB * 50 / 1200, 4 * GB * 80 / 1200);
}

static void a_hundred_gigabytes_cost_as_much_as_one(void **state)
{
	struct ht_looks small = {0}, large = {0};
	int64_t of_small, of_large;

	(void)state;
	for (int i = 0; i < 30; i++) {
		look(&small, GB, 300, 20, &of_small);
		look(&large, 100 * GB, 30000, 20, &of_large);
	}
	assert_true(small.light && large.light);
	assert_in_range(of_large, of_small / 2, of_small * 2);
}

static void a_heap_that_shrank_is_walked_again(void **state)
{
	struct ht_looks l = {0};
	int64_t cpu_ns;

	(void)state;
	look(&l, 4 * GB, 1200, 20, &cpu_ns);
	assert_true(look(&l, 4 * GB, 1200, 20, &cpu_ns));
	assert_true(look(&l, GB / 8, 38, 5, &cpu_ns)); /* it shows here */
	assert_false(look(&l, GB / 8, 38, 5, &cpu_ns));
}

/* Its lists are so long that following them costs more than the walk. */
static void what_light_looks_do_not_fit_is_walked(void **state)
{
	struct ht_looks l = {0};
	int64_t cpu_ns;
	int light = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		light += look(&l, 2 * GB, 600, 3000, &cpu_ns);
	assert_in_range(light, 1, 10);
	assert_false(l.light);
}

/* What lists take gives way as slices do, down to half of the share. */
static void long_lists_are_followed_as_far_as_the_share_goes(void **state)
{
	struct ht_looks l = {0};
	int64_t cpu_ns = 0;

	(void)state;
	look_at_lists(&l, &cpu_ns);
	assert_false(l.light && l.light_ns);
	for (int i = 0; i < 40; i++)
		look_at_lists(&l, &cpu_ns);
	assert_true(l.light);
	assert_in_range(cpu_ns, 70 * MS, 100 * MS);
	/* 10 us a chunk: half of 100 ms for some 5000 */
	assert_in_range(l.chunks, 4000, 5200);
	assert_true(l.slice > GB / 64);
}

/* The agent keeps its rounds between looks, or it is asked for the lists
 * whole. */
static void what_ends_with_its_sample_follows_all(void **state)
{
	struct ht_looks l = {.full_ns = 9000 * MS};
	struct ht_request r = {.flags = HT_LAST_REQUEST};

	(void)state;
	ht_looks_choose(&l, &target, &r);
	assert_true(r.flags & HT_LOOK_LIGHTLY);
	assert_int_equal(r.slice_max, 0);
	assert_int_equal(r.chunks_max, 1 << 20);
}

static void one_that_could_not_count_what_is_free_is_the_last(void **state)
{
	struct ht_looks l = {0};
	struct ht_snapshot s;
	int64_t cpu_ns;

	(void)state;
	look(&l, 2 * GB, 600, 20, &cpu_ns);
	assert_true(look(&l, 2 * GB, 600, 20, &cpu_ns));
	ht_snapshot_init(&s);
	s.totals.system = 2 * GB;
	s.stop.look = HT_LOOK_LIGHT;
	ht_looks_note(&l, &target, &s, 20 * MS, 1);
	ht_snapshot_fini(&s);
	assert_false(look(&l, 2 * GB, 600, 20, &cpu_ns));
	assert_true(look(&l, 8 * GB, 2400, 20, &cpu_ns) ||
		    look(&l, 8 * GB, 2400, 20, &cpu_ns));
}

static void what_the_file_says_holds(void **state)
{
	struct ht_looks full = {0}, light = {0};
	int64_t cpu_ns;

	(void)state;
	target.choice = HT_LOOKS_FULL;
	for (int i = 0; i < 5; i++)
		assert_false(look(&full, 8 * GB, 2400, 20, &cpu_ns));
	target.choice = HT_LOOKS_LIGHT;
	for (int i = 0; i < 5; i++)
		assert_true(look(&light, GB / 64, 5, 2, &cpu_ns));
	target.choice = HT_LOOKS_AUTO;
}

static void classes_age_from_where_they_were_whole(void **state)
{
	struct ht_looks l = {0};
	struct ht_snapshot s;
	struct ht_quality *q;

	(void)state;
	assert_int_equal(ht_looks_classes_age_ns(&l, 5 * HT_NS_PER_S), -1);
	ht_snapshot_init(&s);
	s.stop.look = HT_LOOK_LIGHT;
	ht_looks_note(&l, &target, &s, 0, HT_NS_PER_S);
	assert_int_equal(ht_looks_classes_age_ns(&l, 5 * HT_NS_PER_S), -1);
	q = ht_snapshot_add_quality(&s);
	assert_non_null(q);
	strcpy(q->figures, "size_classes");
	q->how = HT_HOW_SLICES;
	q->age_us = 3000000;
	assert_non_null(ht_snapshot_add_size_class(&s));
	ht_looks_note(&l, &target, &s, 0, 2 * HT_NS_PER_S);
	assert_int_equal(ht_looks_classes_age_ns(&l, 5 * HT_NS_PER_S),
			 6 * HT_NS_PER_S);
	ht_snapshot_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_heaps_are_walked_at_any_interval),
		cmocka_unit_test(a_walk_within_its_share_stays),
		cmocka_unit_test(
			a_dearer_one_becomes_light_and_its_slices_fill_the_share),
		cmocka_unit_test(a_hundred_gigabytes_cost_as_much_as_one),
		cmocka_unit_test(a_heap_that_shrank_is_walked_again),
		cmocka_unit_test(what_light_looks_do_not_fit_is_walked),
		cmocka_unit_test(
			one_that_could_not_count_what_is_free_is_the_last),
		cmocka_unit_test(
			long_lists_are_followed_as_far_as_the_share_goes),
		cmocka_unit_test(what_ends_with_its_sample_follows_all),
		cmocka_unit_test(what_the_file_says_holds),
		cmocka_unit_test(classes_age_from_where_they_were_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
