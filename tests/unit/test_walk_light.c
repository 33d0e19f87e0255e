/* SPDX-License-Identifier: Apache-2.0 */
/* The light look against the walk of the same heap at rest, figure by figure:
 * difference 0 but in what only a walk can know. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/walk/round.h"
#include "tests/lib/look.h"
#include "tests/lib/target.h"

#define LIMIT_MS 20000

/* What a light look leaves unknown, and may; or what is of the look itself. */
static const char *const of_walks[] = {
	"in_use_chunks", "unusable_median", "unusable_p95",  "pin_address",
	"pin_size",	 "pin_holds",	    "pin_cached_by", "bytes_read",
	"walk_us",	 "page_utilisation"};

#define MORE_MAX 8
static const char *more[MORE_MAX];
static size_t more_n;

/* One more; NULL: none any more. */
static void also_of_walks(const char *field)
{
	assert_true(more_n < MORE_MAX);
	if (field)
		more[more_n++] = field;
	else
		more_n = 0;
}

static bool is_of_walks(const char *field)
{
	for (size_t i = 0; i < more_n; i++)
		if (strcmp(more[i], field) == 0)
			return true;
	for (size_t i = 0; i < sizeof(of_walks) / sizeof(of_walks[0]); i++)
		if (strcmp(of_walks[i], field) == 0)
			return true;
	return false;
}

static size_t compare_record(enum ht_record_id id, size_t row,
			     struct ht_snapshot *full, struct ht_snapshot *s)
{
	const struct ht_record_type *type = &ht_record_types[id];
	size_t differences = 0;

	for (size_t i = 0; i < type->fields_count; i++) {
		const struct ht_field *f = &type->fields[i];
		const char *a = ht_snapshot_row(full, id, row);
		const char *b = ht_snapshot_row(s, id, row);
		uint64_t x = 0, y = 0;

		if (is_of_walks(f->name) ||
		    memcmp(a + f->offset, b + f->offset, f->size) == 0)
			continue;
		if (f->size == 8) {
			memcpy(&x, a + f->offset, 8);
			memcpy(&y, b + f->offset, 8);
		}
		print_message("%s[%zu].%s: walk %ld, light %ld\n", type->name,
			      row, f->name, (long)x, (long)y);
		differences++;
	}
	return differences;
}

static const enum ht_record_id compared[] = {
	HT_RECORD_params, HT_RECORD_totals,  HT_RECORD_fragmentation,
	HT_RECORD_arena,  HT_RECORD_heap,    HT_RECORD_bin,
	HT_RECORD_thread, HT_RECORD_mapping, HT_RECORD_rss_cause,
	HT_RECORD_blocked};

static size_t compare(struct ht_snapshot *full, struct ht_snapshot *s)
{
	size_t differences = 0;

	for (size_t k = 0; k < sizeof(compared) / sizeof(compared[0]); k++) {
		size_t n = ht_snapshot_count(full, compared[k]);

		if (n != ht_snapshot_count(s, compared[k])) {
			print_message("%s: %zu rows, light %zu\n",
				      ht_record_types[compared[k]].name, n,
				      ht_snapshot_count(s, compared[k]));
			differences++;
			continue;
		}
		for (size_t i = 0; i < n; i++)
			differences += compare_record(compared[k], i, full, s);
	}
	return differences;
}

/* Both looks of a target that rests; it is ended by the caller. */
static void look_twice(struct program *target, struct ht_snapshot *full,
		       struct ht_snapshot *light)
{
	struct ht_look how = {0}, lightly = {.light = true};
	struct ht_err err;

	assert_true(process_sleeps(target->pid, LIMIT_MS));
	if (ht_look(target->pid, &how, full, &err) != HT_OK ||
	    ht_look(target->pid, &lightly, light, &err) != HT_OK ||
	    ht_snapshot_check(light, &err) != HT_OK)
		fail_msg("%s", err.msg);
	print_message("walk %lu us, light look %lu us, %lu KB read\n",
		      how.walk_ns / 1000, lightly.walk_ns / 1000,
		      light->stop.bytes_read / 1024);
}

/* As a target that may run is looked at: lists are followed from both ends. */
static void look_from_both_ends(struct program *target,
				struct ht_snapshot *full)
{
	struct ht_look how = {.light = true, .moving = true};
	struct ht_snapshot s;
	struct ht_err err;

	if (ht_look(target->pid, &how, &s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(compare(full, &s), 0);
	ht_snapshot_fini(&s);
}

static void are_equal(struct program target)
{
	struct ht_snapshot full, light;

	assert_true(program_says(&target, "ready", LIMIT_MS));
	look_twice(&target, &full, &light);
	look_from_both_ends(&target, &full);
	program_end(&target);
	assert_int_equal(compare(&full, &light), 0);
	assert_int_equal(light.findings.n, full.findings.n);
	assert_true(light.totals.in_use_chunks == HT_UNKNOWN);
	assert_int_equal(light.size_classes.n, 0);
	ht_snapshot_fini(&full);
	ht_snapshot_fini(&light);
}

static void arenas_caches_fastbins_and_mappings_are_equal(void **state)
{
	(void)state;
	are_equal(program_start("oracle", (char *)NULL));
}

static void one_large_arena_is_equal(void **state)
{
	(void)state;
	are_equal(
		program_start("large_heap", "400000", "0", "0", (char *)NULL));
}

static void nine_arenas_are_equal(void **state)
{
	(void)state;
	are_equal(program_start("large_heap", "60000", "8", "60000",
				(char *)NULL));
}

static void a_fragmented_heap_is_equal(void **state)
{
	(void)state;
	are_equal(program_start("retaining", "stuck", "24", (char *)NULL));
}

static void whole_free_pages_are_equal(void **state)
{
	(void)state;
	are_equal(program_start("retaining", "trimmable", "24", (char *)NULL));
}

static void full_caches_are_equal(void **state)
{
	(void)state;
	are_equal(program_start("keeper", "caches", "6", (char *)NULL));
}

static void tops_of_threads_are_equal(void **state)
{
	(void)state;
	are_equal(program_start("keeper", "apart", "4", (char *)NULL));
}

static void locked_memory_is_equal(void **state)
{
	(void)state;
	are_equal(program_start("keeper", "part", (char *)NULL));
}

/* Main arenas that are not one run of brk: what others took of it stands amid
 * the chunks, where no list leads; malloc's own sums hold all the same. */
/* --- while the target runs ------------------------------------------------ */

/* What is cut before the look's n-th read. */
static struct {
	struct program target;
	unsigned left;
	bool done;
} amid;

static void cut(void)
{
	if (amid.done || --amid.left > 0)
		return;
	program_tell(&amid.target, "cut\n");
	assert_true(program_says(&amid.target, "cut", LIMIT_MS));
	amid.done = true;
}

static uint64_t in_use_of(struct ht_look how)
{
	struct ht_snapshot s;
	struct ht_err err;
	uint64_t bytes;

	if (ht_look(amid.target.pid, &how, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	bytes = s.totals.in_use;
	ht_snapshot_fini(&s);
	return bytes;
}

/* Before each of a look's reads in turn: what is left of the chunk lies in the
 * unsorted list, which was gone over already. */
static void a_chunk_that_is_cut_amid_a_look_is_whole_or_cut(void **state)
{
	unsigned read = 0;
	uint64_t whole;

	(void)state;
	amid.target = program_start("cutter", NULL);
	assert_true(program_says(&amid.target, "ready", LIMIT_MS));
	whole = in_use_of((struct ht_look){0});
	do {
		uint64_t bytes, after;

		amid.left = ++read;
		amid.done = false;
		bytes = in_use_of((struct ht_look){
			.light = true, .moving = true, .beat = cut});
		after = in_use_of((struct ht_look){0});
		if (bytes != whole && bytes != after)
			fail_msg("read %u: %lu, not %lu or %lu", read, bytes,
				 whole, after);
		assert_true(after > whole || !amid.done);
		if (amid.done) {
			program_tell(&amid.target, "mend\n");
			assert_true(
				program_says(&amid.target, "mend", LIMIT_MS));
		}
	} while (amid.done);
	program_end(&amid.target);
	assert_true(read > 5);
}

static void odd_arenas_have_what_mallinfo2_says(void **state)
{
	static const char *const kinds[] = {
		"plain",	"foreign",     "blocked",   "gap_top",
		"gaps_blocked", "blocked_gap", "untouched", "second"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct program target =
			program_start("odd_heap", kinds[i], (char *)NULL);
		unsigned long system, used, free_bytes, top;
		struct ht_snapshot full, s;
		const struct ht_arena *a;
		char line[256];

		assert_true(
			program_line(&target, line, sizeof(line), LIMIT_MS));
		assert_int_equal(sscanf(line, "mallinfo %lu %lu %lu %lu",
					&system, &used, &free_bytes, &top),
				 4);
		look_twice(&target, &full, &s);
		program_end(&target);
		a = &s.arenas.v[0];
		print_message("%s\n", kinds[i]);
		assert_int_equal(a->system, system);
		assert_int_equal(a->free - a->tcache, free_bytes);
		assert_int_equal(a->in_use + a->tcache + a->overhead, used);
		assert_int_equal(a->top, top);
		assert_int_equal(s.totals.mmapped, full.totals.mmapped);
		assert_int_equal(s.totals.tcache, full.totals.tcache);
		assert_int_equal(s.findings.n, 0);
		ht_snapshot_fini(&full);
		ht_snapshot_fini(&s);
	}
}

/* Of a heap of which not each page is asked for, free memory alone. */
static const char *const of_pages[] = {
	"heap_resident",   "used_pages_resident", "mmapped_resident",
	"non_malloc_anon", "retained_ratio",	  "resident"};

static void free_memory_alone_is_asked_for_its_pages(void **state)
{
	struct program target = program_start("oracle", (char *)NULL);
	struct ht_look how = {0};
	struct ht_look sparse = {.light = true, .pages_max = 1};
	struct ht_snapshot full, s;
	struct ht_err err;

	(void)state;
	assert_true(program_says(&target, "ready", LIMIT_MS));
	assert_true(process_sleeps(target.pid, LIMIT_MS));
	if (ht_look(target.pid, &how, &full, &err) != HT_OK ||
	    ht_look(target.pid, &sparse, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	program_end(&target);
	for (size_t i = 0; i < sizeof(of_pages) / sizeof(of_pages[0]); i++)
		also_of_walks(of_pages[i]);
	assert_int_equal(compare_record(HT_RECORD_totals, 0, &full, &s), 0);
	assert_int_equal(compare_record(HT_RECORD_fragmentation, 0, &full, &s),
			 0);
	for (size_t i = 0; i < full.arenas.n; i++)
		assert_int_equal(compare_record(HT_RECORD_arena, i, &full, &s),
				 0);
	assert_true(s.totals.heap_resident == HT_UNKNOWN);
	assert_true(s.totals.retained > 100000);
	assert_true(ht_snapshot_cause(&s, HT_CAUSE_FILE) == HT_UNKNOWN);
	for (unsigned c = HT_CAUSE_TRIMMABLE; c < HT_CAUSE_COUNT; c++)
		assert_int_equal(ht_snapshot_cause(&s, c),
				 ht_snapshot_cause(&full, c));
	also_of_walks(NULL);
	ht_snapshot_fini(&full);
	ht_snapshot_fini(&s);
}

/* How a group of figures was obtained. */
static uint64_t how_of(const struct ht_snapshot *s, const char *figures)
{
	for (size_t i = 0; i < s->qualities.n; i++)
		if (strcmp(s->qualities.v[i].figures, figures) == 0)
			return s->qualities.v[i].how;
	fail_msg("nothing is said of %s", figures);
	return HT_HOW_COUNT;
}

/* Where each of so many chunks begins only a walk knows. */
static void
what_blocks_the_top_is_null_below_chunks_that_nobody_knows(void **state)
{
	struct program target = program_start("keeper", "dense", (char *)NULL);
	struct ht_snapshot full, light;
	bool told = false;

	(void)state;
	assert_true(program_says(&target, "ready", LIMIT_MS));
	look_twice(&target, &full, &light);
	program_end(&target);
	assert_true(full.blocked.chunks_1 != HT_UNKNOWN);
	assert_true(light.blocked.chunks_1 == HT_UNKNOWN);
	assert_true(light.blocked.span_64k == HT_UNKNOWN);
	for (size_t i = 0; i < light.warnings.n; i++)
		told |= strstr(light.warnings.v[i].text, "below the top") !=
			NULL;
	assert_true(told);
	ht_snapshot_fini(&full);
	ht_snapshot_fini(&light);
}

static void lists_that_are_too_long_leave_null_and_are_told(void **state)
{
	struct program target = program_start("oracle", (char *)NULL);
	struct ht_look cut = {.light = true, .chunks_max = 300};
	struct ht_snapshot s;
	struct ht_err err;

	(void)state;
	assert_true(program_says(&target, "ready", LIMIT_MS));
	assert_true(process_sleeps(target.pid, LIMIT_MS));
	if (ht_look(target.pid, &cut, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	program_end(&target);
	assert_true(s.totals.in_use == HT_UNKNOWN);
	assert_true(s.totals.free == HT_UNKNOWN);
	assert_true(s.totals.retained == HT_UNKNOWN);
	assert_true(s.totals.binned_chunks == HT_UNKNOWN);
	assert_true(s.totals.system > 1000000);
	assert_true(s.totals.tcache > 1000);
	assert_int_equal(how_of(&s, "bins"), HT_HOW_UNKNOWN);
	assert_int_equal(how_of(&s, "system"), HT_HOW_EXACT);
	assert_int_equal(s.warnings.n, 1);
	ht_snapshot_fini(&s);
}

/* What the walk before knew stands in for lists that are not followed: at rest
 * it is what they hold. */
static void look_cut(struct program target, size_t chunks_max,
		     struct ht_snapshot *full, struct ht_snapshot *cut)
{
	struct ht_round *round = calloc(1, sizeof(*round));
	struct ht_look how = {.alone = true, .round = round};
	struct ht_look cutting = {.light = true,
				  .round = round,
				  .slice_max = 1 << 20,
				  .chunks_max = chunks_max};
	struct ht_err err;

	assert_non_null(round);
	assert_true(program_says(&target, "ready", LIMIT_MS));
	assert_true(process_sleeps(target.pid, LIMIT_MS));
	if (ht_look(target.pid, &how, full, &err) != HT_OK ||
	    ht_look(target.pid, &cutting, cut, &err) != HT_OK ||
	    ht_snapshot_check(cut, &err) != HT_OK)
		fail_msg("%s", err.msg);
	program_end(&target);
	free(round);
}

static void
lists_that_are_too_long_are_completed_by_what_was_walked(void **state)
{
	struct ht_snapshot full, s;
	double off;

	(void)state;
	look_cut(program_start("large_heap", "400000", "0", "0", (char *)NULL),
		 100, &full, &s);
	assert_true(full.totals.binned_chunks > 1000);
	assert_int_equal(how_of(&s, "bins"), HT_HOW_ESTIMATED);
	assert_int_equal(how_of(&s, "in_use"), HT_HOW_ESTIMATED);
	off = fabs((double)s.totals.in_use - (double)full.totals.in_use) /
	      (double)full.totals.in_use;
	assert_true(off < 0.02);
	off = fabs((double)s.totals.retained - (double)full.totals.retained) /
	      (double)full.totals.retained;
	print_message("in use %lu and %lu, retained %lu and %lu\n",
		      s.totals.in_use, full.totals.in_use, s.totals.retained,
		      full.totals.retained);
	assert_true(off < 0.1);
	assert_true(s.totals.in_use + s.totals.free + s.totals.overhead ==
		    s.totals.system);
	ht_snapshot_fini(&full);
	ht_snapshot_fini(&s);
}

static bool tells_of(const struct ht_snapshot *s, const char *code,
		     uint64_t address)
{
	for (size_t i = 0; i < s->findings.n; i++)
		if (strcmp(s->findings.v[i].code, code) == 0 &&
		    s->findings.v[i].address == address)
			return true;
	return false;
}

/* The lists of such a heap are sound. */
static void a_slice_tells_of_a_size_that_cannot_be(void **state)
{
	struct program target =
		program_start("damaged", "size_huge", "4", NULL);
	struct ht_round *round = calloc(1, sizeof(*round));
	struct ht_look how = {
		.light = true, .round = round, .slice_max = 16 << 20};
	bool told = false;
	uint64_t address;
	char line[80];

	(void)state;
	assert_non_null(round);
	assert_true(program_line(&target, line, sizeof(line), LIMIT_MS));
	assert_int_equal(sscanf(line, "ready 0x%" SCNx64, &address), 1);
	assert_true(process_sleeps(target.pid, LIMIT_MS));
	for (unsigned looks = 0; !told && looks < 20; looks++) {
		struct ht_snapshot s;
		struct ht_err err;

		if (ht_look(target.pid, &how, &s, &err) != HT_OK)
			fail_msg("%s", err.msg);
		told = tells_of(&s, "chunk_size", address);
		ht_snapshot_fini(&s);
	}
	assert_true(told);
	program_end(&target);
	free(round);
}

/* Slices of this size until a round ends: its classes are those of the walk. */
static void slice_up(struct program target, uint64_t slice_max)
{
	struct ht_round *round = calloc(1, sizeof(*round));
	struct ht_look how = {0};
	struct ht_look lightly = {
		.light = true, .round = round, .slice_max = slice_max};
	struct ht_snapshot full, s;
	struct ht_err err;
	size_t looks = 0;

	assert_non_null(round);
	assert_true(program_says(&target, "ready", LIMIT_MS));
	assert_true(process_sleeps(target.pid, LIMIT_MS));
	if (ht_look(target.pid, &how, &full, &err) != HT_OK)
		fail_msg("%s", err.msg);
	for (;;) {
		if (ht_look(target.pid, &lightly, &s, &err) != HT_OK ||
		    ht_snapshot_check(&s, &err) != HT_OK)
			fail_msg("%s", err.msg);
		assert_true(++looks < 1000);
		if (s.size_classes.n > 0)
			break;
		assert_int_equal(how_of(&s, "size_classes"), HT_HOW_UNKNOWN);
		assert_true(s.totals.in_use_chunks == HT_UNKNOWN);
		ht_snapshot_fini(&s);
	}
	program_end(&target);
	print_message("%zu looks of %lu bytes\n", looks, slice_max);
	assert_true(looks >= full.totals.system / slice_max);
	assert_true(looks <= full.totals.system / slice_max + 1 + full.heaps.n);
	assert_int_equal(how_of(&s, "size_classes"), HT_HOW_SLICES);
	assert_int_equal(s.size_classes.n, full.size_classes.n);
	for (size_t i = 0; i < full.size_classes.n; i++)
		assert_int_equal(
			compare_record(HT_RECORD_size_class, i, &full, &s), 0);
	assert_int_equal(s.totals.in_use_chunks, full.totals.in_use_chunks);
	ht_snapshot_fini(&full);
	ht_snapshot_fini(&s);
	free(round);
}

static void a_round_of_slices_has_the_classes_of_a_walk(void **state)
{
	(void)state;
	slice_up(program_start("large_heap", "40000", "0", "0", (char *)NULL),
		 1500000);
	slice_up(program_start("large_heap", "9000", "8", "9000", (char *)NULL),
		 1500000);
	slice_up(program_start("oracle", (char *)NULL), 1500000);
	slice_up(program_start("retaining", "stuck", "8", (char *)NULL),
		 4000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_tells_of_a_size_that_cannot_be),
		cmocka_unit_test(arenas_caches_fastbins_and_mappings_are_equal),
		cmocka_unit_test(one_large_arena_is_equal),
		cmocka_unit_test(nine_arenas_are_equal),
		cmocka_unit_test(a_fragmented_heap_is_equal),
		cmocka_unit_test(whole_free_pages_are_equal),
		cmocka_unit_test(full_caches_are_equal),
		cmocka_unit_test(tops_of_threads_are_equal),
		cmocka_unit_test(locked_memory_is_equal),
		cmocka_unit_test(
			a_chunk_that_is_cut_amid_a_look_is_whole_or_cut),
		cmocka_unit_test(odd_arenas_have_what_mallinfo2_says),
		cmocka_unit_test(free_memory_alone_is_asked_for_its_pages),
		cmocka_unit_test(
			what_blocks_the_top_is_null_below_chunks_that_nobody_knows),
		cmocka_unit_test(
			lists_that_are_too_long_leave_null_and_are_told),
		cmocka_unit_test(
			lists_that_are_too_long_are_completed_by_what_was_walked),
		cmocka_unit_test(a_round_of_slices_has_the_classes_of_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
