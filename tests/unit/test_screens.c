/* SPDX-License-Identifier: Apache-2.0 */
/* Screens: a made process as `explain` and its tables show it, at each width,
 * with and without Unicode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/brief.h"
#include "cli/fit.h"
#include "cli/show.h"
#include "tests/lib/capture.h"
#include "tests/lib/golden.h"

#define MIB (UINT64_C(1) << 20)

static struct ht_snapshot made;

static void set_cause(enum ht_cause cause, uint64_t bytes)
{
	made.rss_causes.v[cause].bytes = bytes;
}

static void add_arena(uint64_t index, uint64_t system, uint64_t in_use)
{
	struct ht_arena *a = ht_snapshot_add_arena(&made);

	a->index = index;
	a->kind = index ? HT_ARENA_THREAD : HT_ARENA_MAIN;
	a->address = 0x7f0000001c80 + (index << 26);
	a->system = system;
	a->in_use = in_use;
	a->free = system - in_use;
	a->top = a->free / 4;
	a->retained = a->free;
	a->trimmable = a->free / 2;
	a->pin_holds = index ? 0 : a->free / 2;
	a->attached_threads = 1;
}

static void add_mapping(enum ht_mapping_kind kind, const char *name,
			uint64_t bytes)
{
	struct ht_mapping *m = ht_snapshot_add_mapping(&made);

	m->kind = kind;
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->count = 4;
	m->size = 2 * bytes;
	m->resident = bytes;
	m->anonymous = bytes / 2;
}

static void add_advice(const char *text, const char *how, uint64_t bytes)
{
	struct ht_advice *a = ht_snapshot_add_advice(&made);

	snprintf(a->text, sizeof(a->text), "%s", text);
	snprintf(a->how, sizeof(a->how), "%s", how);
	snprintf(a->cost, sizeof(a->cost),
		 "each arena is locked while its free pages are returned; what "
		 "is needed again is faulted in again");
	a->bytes = bytes;
	a->at_least = bytes;
}

static void add_class(uint64_t max_size, uint64_t chunks)
{
	struct ht_size_class *c = ht_snapshot_add_size_class(&made);

	c->max_size = max_size;
	c->in_use_chunks = chunks;
	c->in_use_bytes = chunks * max_size;
	c->free_chunks = chunks / 10;
	c->free_bytes = c->free_chunks * max_size;
}

static void add_lists(void)
{
	for (int c = 0; c < HT_CAUSE_COUNT; c++) {
		ht_snapshot_add_rss_cause(&made)->cause = (uint64_t)c;
		made.rss_causes.v[c].bytes = 0;
	}
	set_cause(HT_CAUSE_HEAP_IN_USE, 74 * MIB);
	set_cause(HT_CAUSE_MMAPPED_CHUNKS, 3 * MIB);
	set_cause(HT_CAUSE_TRIMMABLE, 20 * MIB);
	set_cause(HT_CAUSE_TOP_MAIN, MIB);
	set_cause(HT_CAUSE_TOP_THREAD, 2 * MIB);
	set_cause(HT_CAUSE_TCACHE, MIB / 2);
	set_cause(HT_CAUSE_SUB_PAGE, MIB);
	set_cause(HT_CAUSE_ANON_OTHER, MIB / 4);
	set_cause(HT_CAUSE_STACK, MIB / 4);
	set_cause(HT_CAUSE_FILE, 6 * MIB);
	add_arena(0, 90 * MIB, 70 * MIB);
	for (uint64_t i = 1; i < 4; i++)
		add_arena(i, 3 * MIB, MIB);
	add_class(224, 335897);
	add_class(1040, 1203);
	add_class(UINT64_MAX, 2);
	made.size_classes.v[2].in_use_bytes = 40 * MIB;
	made.size_classes.v[2].free_bytes = 0;
	add_mapping(HT_MAPPING_FILE_CLEAN,
		    "/usr/lib/x86_64-linux-gnu/libc.so.6", 2 * MIB);
	add_mapping(HT_MAPPING_FILE_CLEAN,
		    "/opt/a vendor/of long names/2.1/lib/\u00fcber/"
		    "\u5927\u5927-engine.so.11",
		    5 * MIB);
	add_mapping(HT_MAPPING_ANON, "", MIB / 4);
}

/* Two remedies, and more warnings than a screen has room for. */
static void add_words(void)
{
	add_advice("malloc_trim(0) would return 20.0 MiB now (heaptide trim "
		   "4242)",
		   "malloc_trim(0); in the program, when it is idle", 20 * MIB);
	add_advice("3 of 4 arenas have no thread: MALLOC_ARENA_MAX=2 would "
		   "make threads share free memory",
		   "MALLOC_ARENA_MAX=2 in its environment, then restart it",
		   2 * MIB);
	for (int i = 0; i < 9; i++)
		snprintf(ht_snapshot_add_warning(&made)->text, 256,
			 "a warning, number %d: a mapping could not be read "
			 "while the program changed it",
			 i + 1);
}

static int make(void **state)
{
	(void)state;
	ht_snapshot_init(&made);
	snprintf(made.head.comm, sizeof(made.head.comm), "service");
	made.head.pid = 4242;
	snprintf(made.head.arch, sizeof(made.head.arch), "x86_64");
	made.process.rss = 108 * MIB;
	made.totals.arenas = 4;
	made.totals.system = 99 * MIB;
	made.totals.in_use = 73 * MIB;
	made.totals.mmapped = 3 * MIB;
	made.totals.free = 26 * MIB;
	made.totals.top = 6 * MIB;
	made.totals.retained = 24 * MIB;
	made.totals.trimmable = 20 * MIB;
	made.totals.trimmable_private = 20 * MIB;
	made.totals.non_malloc_anon = MIB / 2;
	add_lists();
	add_words();
	return 0;
}

static int drop(void **state)
{
	(void)state;
	ht_snapshot_fini(&made);
	return 0;
}

static const char *again = "heaptide explain 4242 --full";

static void print_brief(const struct ht_term *term)
{
	const struct ht_cli cli = {.term = *term};
	struct ht_err err;

	assert_int_equal(ht_brief_print(&cli, &made, again, &err), HT_OK);
}

static void print_tables(const struct ht_term *term)
{
	const struct ht_cli cli = {.term = *term};
	struct ht_err err;

	assert_int_equal(ht_show_rss(&cli, &made, 0, &err), HT_OK);
	assert_int_equal(ht_show_arenas(&cli, &made, 0, &err), HT_OK);
	assert_int_equal(ht_show_classes(&cli, &made, 0, &err), HT_OK);
	assert_int_equal(ht_show_mappings(&cli, &made, 0, &err), HT_OK);
}

static void a_brief_answer_looks_as_it_did_at_each_width(void **state)
{
	(void)state;
	golden_hold("tests/golden/brief.txt", print_brief);
}

static void tables_look_as_they_did_at_each_width(void **state)
{
	(void)state;
	golden_hold("tests/golden/tables.txt", print_tables);
}

static void a_brief_answer_has_25_lines_at_most_and_its_remedy(void **state)
{
	static const int widths[] = {60, 80, 200};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct ht_term term = {.width = widths[i]};
		size_t lines = 0;
		char *text;

		capture_begin();
		print_brief(&term);
		text = capture_end();
		for (char *at = text; (at = strchr(at, '\n')); at++)
			lines++;
		if (lines > HT_BRIEF_LINES)
			fail_msg("%zu lines at %d columns", lines, widths[i]);
		assert_non_null(strstr(text, "malloc_trim(0); in the"));
		assert_non_null(strstr(text, "explain 4"));
		free(text);
	}
}

static void nor_has_it_more_with_a_pid_of_seven_digits(void **state)
{
	again = "heaptide explain 4194303 --full";
	a_brief_answer_has_25_lines_at_most_and_its_remedy(state);
	again = "heaptide explain 4242 --full";
}

static void the_middle_goes_and_both_ends_stay(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(
		ht_fit_middle("/usr/lib/libc.so.6", 18, true, out, sizeof(out)),
		"/usr/lib/libc.so.6");
	assert_string_equal(
		ht_fit_middle("/usr/lib/libc.so.6", 13, true, out, sizeof(out)),
		"/usr/l\u2026c.so.6");
	assert_string_equal(ht_fit_middle("/usr/lib/libc.so.6", 12, false, out,
					  sizeof(out)),
			    "/usr/...so.6");
	/* Two columns each: neither is cut in half. */
	assert_string_equal(ht_fit_middle("\u5927\u5927\u5927\u5927\u5927"
					  "\u5927",
					  8, true, out, sizeof(out)),
			    "\u5927\u2026\u5927\u5927");
}

static void what_no_terminal_shows_counts_as_it_is_written(void **state)
{
	(void)state;
	assert_int_equal(ht_fit_cell("a\033[1mb"), 1 + 4 + 3 + 1);
	assert_int_equal(ht_fit_cell("\xff\xfe"), 8);
	assert_int_equal(ht_fit_columns("\033[1mab\033[0m", 10), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_brief_answer_looks_as_it_did_at_each_width),
		cmocka_unit_test(tables_look_as_they_did_at_each_width),
		cmocka_unit_test(
			a_brief_answer_has_25_lines_at_most_and_its_remedy),
		cmocka_unit_test(nor_has_it_more_with_a_pid_of_seven_digits),
		cmocka_unit_test(the_middle_goes_and_both_ends_stay),
		cmocka_unit_test(
			what_no_terminal_shows_counts_as_it_is_written),
	};

	return cmocka_run_group_tests_name("screens", tests, make, drop);
}
