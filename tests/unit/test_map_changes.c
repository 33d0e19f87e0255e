/* SPDX-License-Identifier: Apache-2.0 */
/* Map changes: heaps and mappings of two moments, each figure counted by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <stdio.h>

#include "cli/map_changes.h"

static struct ht_snapshot s[2];
static struct ht_map_changes told;
static struct ht_err err;

static int begin(void **state)
{
	(void)state;
	ht_snapshot_init(&s[0]);
	ht_snapshot_init(&s[1]);
	told = (struct ht_map_changes){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	ht_snapshot_fini(&s[0]);
	ht_snapshot_fini(&s[1]);
	ht_map_changes_fini(&told);
	return 0;
}

static void arena(int side, uint64_t index, uint64_t address)
{
	struct ht_arena *a = ht_snapshot_add_arena(&s[side]);

	assert_non_null(a);
	a->index = index;
	a->address = address;
}

static void heap(int side, uint64_t in, uint64_t address, uint64_t size,
		 uint64_t resident)
{
	struct ht_heap *h = ht_snapshot_add_heap(&s[side]);

	assert_non_null(h);
	*h = (struct ht_heap){.arena = in,
			      .address = address,
			      .size = size,
			      .resident = resident};
}

static void mapping(int side, uint64_t kind, const char *name, uint64_t count,
		    uint64_t size, uint64_t resident)
{
	struct ht_mapping *m = ht_snapshot_add_mapping(&s[side]);

	assert_non_null(m);
	m->kind = kind;
	m->count = count;
	m->size = size;
	m->resident = resident;
	snprintf(m->name, sizeof(m->name), "%s", name);
}

static void compare(enum ht_map_part part, uint64_t of_arena)
{
	ht_map_changes_fini(&told);
	assert_int_equal(ht_map_compare(s, part, of_arena, &told, &err), HT_OK);
}

static int64_t grown(size_t i)
{
	int64_t ret = 0;

	assert_true(i < told.n && ht_map_grown(&told.v[i], &ret));
	return ret;
}

static void heaps_come_go_and_change_and_the_rest_is_counted(void **state)
{
	int64_t all;

	(void)state;
	heap(0, 0, 0x1000, 100, 90);  /* as it was */
	heap(0, 1, 0x5000, 200, 150); /* grows */
	heap(0, 1, 0x9000, 300, 300); /* goes */
	heap(1, 1, 0x7000, 64, 32);   /* comes; in another order, too */
	heap(1, 1, 0x5000, 210, 160);
	heap(1, 0, 0x1000, 100, 90);
	compare(HT_MAP_HEAPS, HT_UNKNOWN);
	assert_int_equal(told.n, 3);
	assert_int_equal(told.same, 1);
	assert_int_equal(told.v[0].address, 0x9000);
	assert_true(told.v[0].there[0] && !told.v[0].there[1]);
	assert_int_equal(told.v[0].size[1], 0);
	assert_int_equal(grown(0), -300);
	assert_int_equal(told.v[1].address, 0x7000);
	assert_true(!told.v[1].there[0] && told.v[1].there[1]);
	assert_int_equal(grown(1), 32);
	assert_int_equal(told.v[2].address, 0x5000);
	assert_true(told.v[2].there[0] && told.v[2].there[1]);
	assert_int_equal(told.v[2].size[0], 200);
	assert_int_equal(told.v[2].size[1], 210);
	assert_int_equal(grown(2), 10);
	/* of all, the one that did not change too */
	assert_int_equal(told.sum.count[0], 3);
	assert_int_equal(told.sum.size[0], 600);
	assert_int_equal(told.sum.size[1], 374);
	assert_int_equal(told.sum.resident[0], 540);
	assert_int_equal(told.sum.resident[1], 282);
	assert_true(ht_map_grown(&told.sum, &all));
	assert_int_equal(all, -258);
}

static void what_a_moment_did_not_measure_did_not_go(void **state)
{
	(void)state;
	heap(0, 0, 0x1000, 100, 90);
	mapping(1, HT_MAPPING_STACK, "", 1, 8, 8);
	compare(HT_MAP_HEAPS, HT_UNKNOWN);
	assert_int_equal(told.n, 0);
	assert_true(told.measured[0] && !told.measured[1]);
	compare(HT_MAP_MAPPINGS, HT_UNKNOWN);
	assert_int_equal(told.n, 0);
	assert_true(!told.measured[0] && told.measured[1]);
}

static void what_is_not_known_is_no_change_of_a_size(void **state)
{
	int64_t all;

	(void)state;
	heap(0, 0, 0x1000, 100, HT_UNKNOWN);
	heap(1, 0, 0x1000, 100, 50);
	heap(0, 0, 0x2000, 100, HT_UNKNOWN);
	heap(1, 0, 0x2000, 100, HT_UNKNOWN);
	heap(0, 0, 0x3000, 10, 10);
	heap(1, 0, 0x3000, 20, 20);
	compare(HT_MAP_HEAPS, HT_UNKNOWN);
	assert_int_equal(told.same, 1);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.v[0].address, 0x3000);
	assert_int_equal(told.v[1].address, 0x1000);
	assert_false(ht_map_grown(&told.v[1], &all));
	assert_int_equal(told.sum.resident[0], HT_UNKNOWN);
	assert_int_equal(told.sum.resident[1], HT_UNKNOWN);
	assert_int_equal(told.sum.size[1], 220);
	assert_false(ht_map_grown(&told.sum, &all));
}

static void an_arena_is_the_same_whatever_its_position(void **state)
{
	(void)state;
	arena(0, 0, 0xa0);
	arena(0, 1, 0xa1);
	arena(1, 0, 0xa0);
	arena(1, 1, 0xa2); /* a new one: what was 1 is 2 now */
	arena(1, 2, 0xa1);
	heap(0, 0, 0x1000, 10, 10);
	heap(0, 1, 0x5000, 20, 20);
	heap(0, 1, 0x6000, 20, 20);
	heap(1, 0, 0x1000, 11, 11);
	heap(1, 1, 0x9000, 30, 30);
	heap(1, 2, 0x5000, 25, 25);
	compare(HT_MAP_HEAPS, HT_UNKNOWN);
	assert_int_equal(told.n, 4);
	assert_int_equal(told.v[0].arena, 1); /* 0x9000, +30 */
	assert_int_equal(told.v[1].arena, 2); /* 0x6000, gone with what was 1 */
	assert_int_equal(told.v[1].address, 0x6000);
	assert_int_equal(told.v[2].arena, 2);
	compare(HT_MAP_HEAPS, 2);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.v[0].address, 0x6000);
	assert_int_equal(told.v[1].address, 0x5000);
	assert_int_equal(told.sum.size[0], 40);
	assert_int_equal(told.sum.size[1], 25);
	/* Of a moment whose arenas are not listed it is not known. */
	ht_snapshot_cut(&s[0], HT_RECORD_arena, 0);
	ht_snapshot_cut(&s[1], HT_RECORD_heap, 2);
	compare(HT_MAP_HEAPS, HT_UNKNOWN);
	assert_int_equal(told.v[0].arena, 1);
	assert_int_equal(told.v[1].arena, HT_UNKNOWN);
}

static void mappings_are_told_by_kind_and_name(void **state)
{
	(void)state;
	mapping(0, HT_MAPPING_STACK, "", 4, 400, 40);
	mapping(0, HT_MAPPING_FILE_CLEAN, "a.so", 5, 50, 50);
	mapping(0, HT_MAPPING_FILE_CLEAN, "b.so", 1, 9, 9);
	mapping(1, HT_MAPPING_STACK, "", 6, 600,
		40); /* two that are not used */
	mapping(1, HT_MAPPING_FILE_CLEAN, "a.so", 5, 50, 30);
	mapping(1, HT_MAPPING_FILE_CLEAN, "b.so", 1, 9, 9);
	mapping(1, HT_MAPPING_FILE_CLEAN, "c.so", 2, 7, 0);
	compare(HT_MAP_MAPPINGS, 3); /* heaps have arenas, mappings have none */
	assert_int_equal(told.same, 1);
	assert_int_equal(told.n, 3);
	assert_string_equal(told.v[0].name, "a.so");
	assert_int_equal(grown(0), -20);
	assert_int_equal(told.v[1].kind, HT_MAPPING_STACK);
	assert_int_equal(told.v[1].count[0], 4);
	assert_int_equal(told.v[1].count[1], 6);
	assert_int_equal(grown(1), 0);
	assert_string_equal(told.v[2].name, "c.so");
	assert_false(told.v[2].there[0]);
	assert_int_equal(told.sum.count[1], 14);
}

static void rows_of_one_name_are_added_up(void **state)
{
	(void)state;
	mapping(0, HT_MAPPING_FILE_CLEAN, "", 1, 10, 5);
	mapping(0, HT_MAPPING_FILE_CLEAN, "", 2, 20, 5);
	mapping(1, HT_MAPPING_FILE_CLEAN, "", 3, 30, 10);
	mapping(1, HT_MAPPING_STACK, "", 1, 1, 1);
	compare(HT_MAP_MAPPINGS, HT_UNKNOWN);
	assert_int_equal(told.same, 1);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].kind, HT_MAPPING_STACK);
	assert_int_equal(told.sum.size[0], 30);
	assert_int_equal(told.sum.size[1], 31);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(heaps_come_go_and_change_and_the_rest_is_counted),
		TEST(what_a_moment_did_not_measure_did_not_go),
		TEST(what_is_not_known_is_no_change_of_a_size),
		TEST(an_arena_is_the_same_whatever_its_position),
		TEST(mappings_are_told_by_kind_and_name),
		TEST(rows_of_one_name_are_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
