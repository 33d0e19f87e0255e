/* SPDX-License-Identifier: Apache-2.0 */
/* Main arenas that are not one run of brk, against mallinfo2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/look.h"
#include "tests/lib/target.h"

#define LIMIT_MS 20000

/* Walks odd_heap KIND and holds its first arena to what mallinfo2 said. */
static void walk_kind(const char *kind, struct ht_snapshot *s)
{
	struct program target = program_start("odd_heap", kind, (char *)NULL);
	unsigned long system, used, free_bytes, top;
	struct ht_look how = {0};
	struct ht_err err = {0};
	enum ht_code code;
	char line[256];

	assert_true(program_line(&target, line, sizeof(line), LIMIT_MS));
	assert_int_equal(sscanf(line, "mallinfo %lu %lu %lu %lu", &system,
				&used, &free_bytes, &top),
			 4);
	process_sleeps(target.pid, LIMIT_MS);
	code = ht_look(target.pid, &how, s, &err);
	program_end(&target);
	if (code != HT_OK || ht_snapshot_check(s, &err) != HT_OK)
		fail_msg("%s: %s", kind, err.msg);
	for (size_t i = 0; i < s->findings.n; i++)
		print_message("%s: %s\n", kind, s->findings.v[i].text);
	assert_int_equal(s->findings.n, 0);
	assert_int_equal(s->stop.uncertain_bytes, 0);
	assert_int_equal(s->arenas.v[0].system, system);
	assert_int_equal(s->arenas.v[0].free - s->arenas.v[0].tcache,
			 free_bytes);
	assert_int_equal(s->arenas.v[0].in_use + s->arenas.v[0].tcache +
				 s->arenas.v[0].overhead,
			 used);
	assert_int_equal(s->arenas.v[0].top, top);
}

static void a_foreign_sbrk_is_stepped_over(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("foreign", &s);
	assert_in_range(s.arenas.v[0].overhead, 50000, 50100);
	assert_int_equal(s.warnings.n, 1);
	ht_snapshot_fini(&s);
}

/* Resident bytes outside malloc that lie below brk. */
static uint64_t below_brk(const struct ht_snapshot *s)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->mappings.n; i++)
		if (s->mappings.v[i].kind == HT_MAPPING_BRK_OTHER)
			bytes += s->mappings.v[i].anonymous;
	return bytes;
}

static uint64_t cause(const struct ht_snapshot *s, enum ht_cause cause)
{
	return ht_snapshot_cause(s, cause);
}

/* What `pieces` of `bytes` in all are: overhead to malloc, whose system_mem
 * counts them, and in memory the pages of somebody else. */
static void hold_foreign(const char *kind, uint64_t pieces, uint64_t bytes)
{
	struct ht_snapshot s;
	uint64_t pages = 0;

	walk_kind(kind, &s);
	assert_in_range(s.arenas.v[0].overhead, bytes,
			bytes + 64 * pieces + 4096);
	assert_int_equal(s.warnings.n, 1);
	assert_in_range(below_brk(&s), bytes - 8192 * pieces, bytes);
	assert_in_range(s.totals.non_malloc_anon, below_brk(&s),
			below_brk(&s) + (1 << 20));
	assert_true(cause(&s, HT_CAUSE_HEAP_OVERHEAD) <= 8192 * pieces + 4096);
	assert_true(s.totals.heap_resident <=
		    s.totals.system - bytes + 8192 * pieces + 4096);
	for (size_t i = 0; i < s.heaps.n; i++)
		pages += s.heaps.v[i].resident;
	assert_int_equal(pages, s.totals.heap_resident);
	ht_snapshot_fini(&s);
}

static void what_others_took_from_brk_is_not_mallocs_memory(void **state)
{
	(void)state;
	hold_foreign("foreign", 1, 50000);
	hold_foreign("strangers", 99, 4950000);
}

static void a_large_stranger_hides_nothing_behind_it(void **state)
{
	(void)state;
	hold_foreign("large", 1, 120000008);
}

static void a_gap_right_before_the_top_is_no_damage(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("gap_top", &s);
	assert_in_range(s.arenas.v[0].overhead, 16, 100);
	ht_snapshot_fini(&s);
}

static void gaps_before_brk_was_blocked_hide_nothing(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("gaps_blocked", &s);
	assert_int_equal(s.arenas.v[0].contiguous, 0);
	assert_in_range(s.arenas.v[0].overhead, 75000, 79000);
	ht_snapshot_fini(&s);
}

static void a_gap_after_brk_was_blocked_is_no_part_of_the_arena(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("blocked_gap", &s);
	assert_int_equal(s.arenas.v[0].contiguous, 0);
	assert_in_range(s.arenas.v[0].overhead, 16, 600);
	ht_snapshot_fini(&s);
}

static void an_arena_that_nobody_used_is_empty(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("untouched", &s);
	assert_int_equal(s.totals.in_use_chunks, 0);
	assert_int_equal(s.totals.mmapped_chunks, 0);
	assert_int_equal(s.warnings.n, 0);
	ht_snapshot_fini(&s);
}

static void an_arena_that_left_brk_is_found_whole(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("blocked", &s);
	assert_int_equal(s.arenas.v[0].contiguous, 0);
	assert_true(s.heaps.n > 2);
	ht_snapshot_fini(&s);
}

static void a_second_libc_has_its_own_arena(void **state)
{
	struct ht_snapshot s;

	(void)state;
	walk_kind("second", &s);
	assert_int_equal(s.arenas.n, 2);
	assert_int_equal(s.arenas.v[1].space, 1);
	assert_true(s.arenas.v[1].in_use >= 1000 * 2016);
	assert_true(s.arenas.v[1].free >= 1000 * 2016);
	ht_snapshot_fini(&s);
}

/* Each to the byte: a thousand blocks, and what printing took. */
static void each_has_its_own(const struct ht_snapshot *s)
{
	for (size_t i = 1; i < s->arenas.n; i++) {
		assert_in_range(s->arenas.v[i].in_use, 1000 * 2016,
				1001 * 2016);
		assert_true(s->arenas.v[i].free >= 1000 * 2016);
	}
	assert_int_equal(s->warnings.n, 0);
}

/* Where the kernel made one mapping of what several have, nothing says whose it
 * is. */
static void libcs_side_by_side_are_no_damage(void **state)
{
	struct program target =
		program_start("odd_heap", "libcs", (char *)NULL);
	struct ht_look how = {0};
	struct ht_snapshot s;
	struct ht_err err = {0};
	char line[256];

	(void)state;
	assert_true(program_line(&target, line, sizeof(line), LIMIT_MS));
	process_sleeps(target.pid, LIMIT_MS);
	assert_int_equal(ht_look(target.pid, &how, &s, &err), HT_OK);
	program_end(&target);
	assert_int_equal(s.arenas.n, 4);
	assert_int_equal(s.findings.n, 0);
	if (s.stop.uncertain_bytes == 0)
		each_has_its_own(&s);
	else
		assert_non_null(strstr(s.warnings.v[s.warnings.n - 1].text,
				       "side by side"));
	ht_snapshot_fini(&s);
}

static void chunk_sizes_and_odd_heaps_agree_on_the_blocks(void **state)
{
	struct ht_snapshot plain, blocked;

	(void)state;
	walk_kind("plain", &plain);
	walk_kind("blocked", &blocked);
	assert_int_equal(plain.totals.in_use, blocked.totals.in_use);
	assert_int_equal(plain.totals.in_use_chunks,
			 blocked.totals.in_use_chunks);
	ht_snapshot_fini(&plain);
	ht_snapshot_fini(&blocked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_foreign_sbrk_is_stepped_over),
		cmocka_unit_test(
			what_others_took_from_brk_is_not_mallocs_memory),
		cmocka_unit_test(a_large_stranger_hides_nothing_behind_it),
		cmocka_unit_test(a_gap_right_before_the_top_is_no_damage),
		cmocka_unit_test(gaps_before_brk_was_blocked_hide_nothing),
		cmocka_unit_test(
			a_gap_after_brk_was_blocked_is_no_part_of_the_arena),
		cmocka_unit_test(an_arena_that_nobody_used_is_empty),
		cmocka_unit_test(an_arena_that_left_brk_is_found_whole),
		cmocka_unit_test(a_second_libc_has_its_own_arena),
		cmocka_unit_test(libcs_side_by_side_are_no_damage),
		cmocka_unit_test(chunk_sizes_and_odd_heaps_agree_on_the_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
