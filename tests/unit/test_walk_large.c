/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 60 s
 *
 * Large heaps: what two threads find is what one finds, and what is found with
 * tables that are far too small is what is found with room for all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/walk/marks.h"
#include "link/request.h"
#include "tests/lib/look.h"
#include "tests/lib/target.h"

#define LIMIT_MS     20000
#define SMALL_TABLES ((size_t)1 << 20)
#define MARKS_MAX    ((size_t)64 << 20)

static void look(pid_t pid, struct ht_look how, struct ht_snapshot *s)
{
	struct ht_err err = {0};

	if (ht_look(pid, &how, s, &err) != HT_OK ||
	    ht_snapshot_check(s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < s->findings.n; i++)
		print_message("%s\n", s->findings.v[i].text);
	assert_int_equal(s->findings.n, 0);
	assert_int_equal(s->stop.uncertain_bytes, 0);
}

static struct program start(const char *chunks, const char *threads,
			    const char *each, const char *foreign)
{
	struct program p = program_start("large_heap", chunks, threads, each,
					 foreign, (char *)NULL);

	assert_true(program_says(&p, "ready", LIMIT_MS));
	assert_true(process_sleeps(p.pid, LIMIT_MS));
	return p;
}

static void assert_same_rows(struct ht_snapshot *a, struct ht_snapshot *b,
			     enum ht_record_id id)
{
	assert_int_equal(ht_snapshot_count(a, id), ht_snapshot_count(b, id));
	for (size_t i = 0; i < ht_snapshot_count(a, id); i++)
		if (memcmp(ht_snapshot_row(a, id, i), ht_snapshot_row(b, id, i),
			   ht_record_types[id].size) != 0)
			fail_msg("%s %zu differs", ht_record_types[id].name, i);
}

static void assert_same(struct ht_snapshot *a, struct ht_snapshot *b)
{
	static const enum ht_record_id lists[] = {
		HT_RECORD_arena,      HT_RECORD_bin,	 HT_RECORD_heap,
		HT_RECORD_size_class, HT_RECORD_mapping, HT_RECORD_rss_cause};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		assert_same_rows(a, b, lists[i]);
	assert_memory_equal(&a->totals, &b->totals, sizeof(a->totals));
	assert_memory_equal(&a->blocked, &b->blocked, sizeof(a->blocked));
	assert_memory_equal(&a->fragmentation, &b->fragmentation,
			    sizeof(a->fragmentation));
}

static void two_find_what_one_finds(const char *chunks, const char *threads,
				    const char *each, const char *foreign)
{
	struct program p = start(chunks, threads, each, foreign);
	struct ht_snapshot alone, both;

	look(p.pid, (struct ht_look){.alone = true}, &alone);
	look(p.pid, (struct ht_look){0}, &both);
	program_end(&p);
	assert_same(&alone, &both);
	assert_true(both.totals.binned_chunks > 10000);
	ht_snapshot_fini(&alone);
	ht_snapshot_fini(&both);
}

static void assert_same_marks(const struct ht_marks *a,
			      const struct ht_marks *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->bytes, b->bytes);
	for (size_t i = 0; i < a->n; i++) {
		const struct ht_marked *x = &a->segment[i], *y = &b->segment[i];
		size_t bytes = (size_t)(x->units + 63) / 64 * 8;

		assert_int_equal(x->first, y->first);
		assert_int_equal(x->arena, y->arena);
		assert_memory_equal(x->bound, y->bound, bytes);
		assert_memory_equal(x->used, y->used, bytes);
	}
}

static void two_mark_what_one_marks(const char *chunks, const char *threads,
				    const char *each, const char *foreign)
{
	struct program p = start(chunks, threads, each, foreign);
	struct ht_marks one = {.bytes_max = MARKS_MAX},
			two = {.bytes_max = MARKS_MAX};
	struct ht_snapshot alone, both;

	look(p.pid, (struct ht_look){.alone = true, .marks = &one}, &alone);
	look(p.pid, (struct ht_look){.marks = &two}, &both);
	program_end(&p);
	assert_same(&alone, &both);
	assert_false(one.full || two.full);
	assert_same_marks(&one, &two);
	ht_snapshot_fini(&alone);
	ht_snapshot_fini(&both);
	ht_marks_fini(&one);
	ht_marks_fini(&two);
}

static void each_chunk_is_marked_by_one_of_two(void **state)
{
	(void)state;
	two_mark_what_one_marks("300000", "0", "0", NULL);
	two_mark_what_one_marks("60000", "5", "100000", NULL);
	two_mark_what_one_marks("300000", "0", "0", "foreign");
}

static void halves_of_one_arena_add_up(void **state)
{
	(void)state;
	two_find_what_one_finds("300000", "0", "0", NULL);
}

static void arenas_shared_by_two_add_up(void **state)
{
	(void)state;
	two_find_what_one_finds("60000", "5", "100000", NULL);
}

static void a_gap_in_the_second_half_is_found_by_the_first_thread(void **state)
{
	(void)state;
	two_find_what_one_finds("300000", "0", "0", "foreign");
}

static void a_target_at_rest_is_read_the_same_unstopped(void **state)
{
	struct program p = start("60000", "1", "1900000", NULL);
	struct ht_snapshot held, free_running;

	(void)state;
	look(p.pid, (struct ht_look){0}, &held);
	look(p.pid, (struct ht_look){.moving = true}, &free_running);
	program_end(&p);
	assert_true(held.heaps.n > 3); /* an arena of several */
	assert_same(&held, &free_running);
	ht_snapshot_fini(&held);
	ht_snapshot_fini(&free_running);
}

/* All but what only the lists can tell: which chunks are unsorted. */
static void small_tables_lose_no_figure(void **state)
{
	struct program p = start("200000", "2", "100000", NULL);
	struct ht_snapshot all, few;

	(void)state;
	look(p.pid, (struct ht_look){0}, &all);
	look(p.pid, (struct ht_look){.tables_max = SMALL_TABLES}, &few);
	program_end(&p);
	assert_true(few.warnings.n > all.warnings.n);
	assert_same_rows(&all, &few, HT_RECORD_size_class);
	assert_same_rows(&all, &few, HT_RECORD_heap);
	assert_same_rows(&all, &few, HT_RECORD_rss_cause);
	assert_memory_equal(&all.blocked, &few.blocked, sizeof(all.blocked));
	assert_memory_equal(&all.fragmentation, &few.fragmentation,
			    sizeof(all.fragmentation));
	assert_int_equal(all.totals.fastbin, few.totals.fastbin);
	assert_int_equal(all.totals.retained, few.totals.retained);
	assert_int_equal(all.totals.trimmable, few.totals.trimmable);
	assert_int_equal(all.totals.pinned, few.totals.pinned);
	assert_int_equal(
		all.totals.unsorted + all.totals.small + all.totals.large,
		few.totals.unsorted + few.totals.small + few.totals.large);
	ht_snapshot_fini(&all);
	ht_snapshot_fini(&few);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_of_one_arena_add_up),
		cmocka_unit_test(each_chunk_is_marked_by_one_of_two),
		cmocka_unit_test(arenas_shared_by_two_add_up),
		cmocka_unit_test(
			a_gap_in_the_second_half_is_found_by_the_first_thread),
		cmocka_unit_test(a_target_at_rest_is_read_the_same_unstopped),
		cmocka_unit_test(small_tables_lose_no_figure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
