/* SPDX-License-Identifier: Apache-2.0 */
/* What `heaptide diagnose` tells: it fits the lines that there are, and what it
 * says to type can be typed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/commands.h"
#include "cli/next.h"
#include "cli/sheet.h"
#include "schema/records.h"
#include "tests/lib/capture.h"

#define WORDS_60 "aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk llll "

/* Lines of a text, and whether one is wider than that. */
static int lines_of(const char *text, size_t width)
{
	int lines = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		assert_true(strcspn(line, "\n") <= width);
		lines++;
	}
	return lines;
}

static char *printed(const struct ht_sheet *sheet, int width)
{
	const struct ht_term term = {.width = width};

	capture_begin();
	ht_sheet_print(sheet, &term);
	return capture_end();
}

static struct ht_sheet sample_sheet(void)
{
	struct ht_sheet sheet = {.n = 0};

	ht_sheet_add(&sheet, 0, "evidence", "%s", WORDS_60 WORDS_60);
	ht_sheet_add(&sheet, 7, "evidence", "light one %s", WORDS_60);
	ht_sheet_add(&sheet, 9, "slope", "heavy");
	ht_sheet_add(&sheet, 7, "idle", "light two");
	ht_sheet_add(&sheet, 0, "remedy", "%s", WORDS_60);
	return sheet;
}

static void a_sheet_takes_the_lines_it_says_at_any_width(void **state)
{
	struct ht_sheet sheet = sample_sheet();

	(void)state;
	for (int width = 40; width <= 200; width += 7) {
		char *text = printed(&sheet, width);

		assert_int_equal(lines_of(text, (size_t)width),
				 ht_sheet_lines(&sheet, width));
		free(text);
	}
}

static void the_heaviest_row_goes_first_and_of_equals_the_last(void **state)
{
	struct ht_sheet sheet = sample_sheet();
	int lines = ht_sheet_lines(&sheet, 80);

	(void)state;
	assert_int_equal(ht_sheet_fit(&sheet, 80, lines), 0);
	assert_int_equal(ht_sheet_fit(&sheet, 80, lines - 1), 1);
	assert_string_equal(sheet.row[2].name, "idle");
	assert_int_equal(ht_sheet_fit(&sheet, 80, lines - 2), 1);
	assert_string_equal(sheet.row[1].name, "evidence");
	assert_string_equal(sheet.row[2].name, "remedy");
}

static void what_weighs_nothing_stays_where_nothing_fits(void **state)
{
	struct ht_sheet sheet = sample_sheet();

	(void)state;
	ht_sheet_fit(&sheet, 40, 1);
	assert_int_equal(sheet.n, 2);
	assert_string_equal(sheet.row[0].name, "evidence");
	assert_string_equal(sheet.row[1].name, "remedy");
}

static void a_name_is_told_once_for_rows_that_follow_each_other(void **state)
{
	struct ht_sheet sheet = {.n = 0};
	char *text;

	(void)state;
	ht_sheet_add(&sheet, 0, "next", "one");
	ht_sheet_add(&sheet, 0, "next", "%s", "");
	ht_sheet_add(&sheet, 0, "next", "two");
	text = printed(&sheet, 80);
	assert_string_equal(text, "  next      one\n            two\n");
	free(text);
}

static void a_full_sheet_takes_no_more(void **state)
{
	struct ht_sheet sheet = {.n = 0};

	(void)state;
	for (int i = 0; i < HT_SHEET_ROWS + 5; i++)
		ht_sheet_add(&sheet, 1, "row", "%d", i);
	assert_int_equal(sheet.n, HT_SHEET_ROWS);
}

static void escapes_and_signs_of_utf8_take_no_room_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(ht_wrap_lines(10, 0, "aaaa bbbbb"), 1);
	assert_int_equal(ht_wrap_lines(9, 0, "aaaa bbbbb"), 2);
	assert_int_equal(ht_wrap_lines(10, 0, "\033[1maaaa\033[0m bbbbb"), 1);
	assert_int_equal(ht_wrap_lines(10, 0, "\u00e4\u00e4\u00e4\u00e4 bbbbb"),
			 1);
	assert_int_equal(ht_wrap_lines(10, 0, "a\033[1"), 1);
}

static struct ht_verdict verdict_of(enum ht_label label, double confidence)
{
	return (struct ht_verdict){.label = label,
				   .confidence = confidence,
				   .culprit_class = HT_UNKNOWN};
}

static void whoever_leaks_is_asked_who_holds_the_class(void **state)
{
	struct ht_verdict v = verdict_of(HT_LABEL_LEAK, .6);
	const struct ht_next_ask ask = {
		.verdict = &v, .pid = 42, .alive = true, .db = "x.db"};
	struct ht_next next[HT_NEXT_MAX];
	size_t n;

	(void)state;
	v.culprit_class = 224;
	n = ht_next(&ask, next);
	assert_true(n >= 4);
	assert_string_equal(next[0].type, "heaptide owners 42 --size 224");
	assert_true(next[0].stops);
	assert_non_null(strstr(next[0].cost, "stops"));
	assert_string_equal(next[n - 2].type,
			    "heaptide diagnose 42 -d 10m -o x.db");
	assert_string_equal(next[n - 1].type, "heaptide report 42 --db x.db");
	assert_false(next[n - 1].stops);
}

static void a_process_that_ended_is_asked_nothing(void **state)
{
	(void)state;
	for (enum ht_label label = 0; label < HT_LABEL_COUNT; label++) {
		struct ht_verdict v = verdict_of(label, .3);
		const struct ht_next_ask ask = {.verdict = &v,
						.pid = 42,
						.trimmable = true,
						.db = "x.db"};
		struct ht_next next[HT_NEXT_MAX];

		assert_int_equal(ht_next(&ask, next), 1);
		assert_string_equal(next[0].type,
				    "heaptide report 42 --db x.db");
	}
}

static bool offers(const struct ht_next_ask *ask, const char *type)
{
	struct ht_next next[HT_NEXT_MAX];
	size_t n = ht_next(ask, next);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(next[i].type, type))
			return true;
	return false;
}

static void nothing_is_offered_that_was_done_or_would_do_nothing(void **state)
{
	struct ht_verdict v = verdict_of(HT_LABEL_LEAK, .9);
	struct ht_next_ask ask = {.verdict = &v, .pid = 7, .alive = true};

	(void)state;
	assert_true(offers(&ask, "heaptide owners 7"));
	assert_false(offers(&ask, "heaptide trim 7"));
	ask.trimmable = true;
	ask.owners_told = true;
	assert_false(offers(&ask, "heaptide owners 7"));
	assert_true(offers(&ask, "heaptide trim 7"));
	ask.db = "r.db";
	assert_false(offers(&ask, "heaptide diagnose 7 -d 10m -o r.db"));
	v.confidence = .6;
	assert_true(offers(&ask, "heaptide diagnose 7 -d 10m -o r.db"));
	v.label = HT_LABEL_NON_MALLOC_GROWTH;
	assert_true(offers(&ask, "heaptide map 7"));
}

static void another_allocator_is_not_waited_for(void **state)
{
	struct ht_verdict v = verdict_of(HT_LABEL_INSUFFICIENT_DATA, 0);
	struct ht_next_ask ask = {
		.verdict = &v, .pid = 7, .alive = true, .db = "r.db"};

	(void)state;
	assert_true(offers(&ask, "heaptide diagnose 7 -d 10m -o r.db"));
	assert_false(offers(&ask, "heaptide map 7"));
	ask.no_heap = true;
	assert_false(offers(&ask, "heaptide diagnose 7 -d 10m -o r.db"));
	assert_true(offers(&ask, "heaptide map 7"));
}

/* The command, and that it takes each option named. */
static void what_is_offered_is_a_command_with_its_options(void **state)
{
	(void)state;
	for (enum ht_label label = 0; label < HT_LABEL_COUNT; label++) {
		struct ht_verdict v = verdict_of(label, .3);
		const struct ht_next_ask ask = {.verdict = &v,
						.pid = 42,
						.alive = true,
						.trimmable = true,
						.db = "x.db"};
		struct ht_next next[HT_NEXT_MAX];
		size_t n = ht_next(&ask, next);

		for (size_t i = 0; i < n; i++) {
			char name[32];
			const struct ht_command *c;

			assert_int_equal(
				sscanf(next[i].type, "heaptide %31s 42", name),
				1);
			c = ht_command_find(name);
			assert_non_null(c);
			if (strstr(next[i].type, "--db"))
				assert_true(c->takes & HT_TAKES(DB));
			if (strstr(next[i].type, "-o"))
				assert_true(c->takes & HT_TAKES(OUTPUT));
		}
	}
}

/* Reads the words back as a shell would. */
static void words_are_read_back_by_a_shell_as_they_were(void **state)
{
	static const char *const words[] = {"a.db",  "a b", "it's", "$(id)",
					    "a\nb",  "",    "-o",   "`id`",
					    "'''''", "*",   "\\",   "\u00e4"};
	char quoted[64], command[160], got[64];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		FILE *shell;
		size_t n;

		ht_shell_word(words[i], quoted, sizeof(quoted));
		snprintf(command, sizeof(command), "printf %%s %s", quoted);
		shell = popen(command, "re");
		assert_non_null(shell);
		n = fread(got, 1, sizeof(got) - 1, shell);
		got[n] = '\0';
		assert_int_equal(pclose(shell), 0);
		assert_string_equal(got, words[i]);
	}
	assert_string_equal(ht_shell_word("plain-1.db", quoted, 64),
			    "plain-1.db");
	assert_string_equal(ht_shell_word("aaaaaaaaaa bbbbbbb", quoted, 12),
			    "'aaaaa'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sheet_takes_the_lines_it_says_at_any_width),
		cmocka_unit_test(
			the_heaviest_row_goes_first_and_of_equals_the_last),
		cmocka_unit_test(what_weighs_nothing_stays_where_nothing_fits),
		cmocka_unit_test(
			a_name_is_told_once_for_rows_that_follow_each_other),
		cmocka_unit_test(a_full_sheet_takes_no_more),
		cmocka_unit_test(
			escapes_and_signs_of_utf8_take_no_room_of_their_own),
		cmocka_unit_test(whoever_leaks_is_asked_who_holds_the_class),
		cmocka_unit_test(a_process_that_ended_is_asked_nothing),
		cmocka_unit_test(
			nothing_is_offered_that_was_done_or_would_do_nothing),
		cmocka_unit_test(another_allocator_is_not_waited_for),
		cmocka_unit_test(what_is_offered_is_a_command_with_its_options),
		cmocka_unit_test(words_are_read_back_by_a_shell_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
