/* SPDX-License-Identifier: Apache-2.0 */
/* One table of commands and options: help, completion and the man page cannot
 * drift from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/commands.h"
#include "cli/metrics.h"
#include "common/clock.h"
#include "schema/records.h"
#include "tests/lib/capture.h"

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not there: %s", part);
}

static void every_command_is_in_the_man_page(void **state)
{
	char *man = file_text("docs/man/heaptide.1");
	char item[64];

	(void)state;
	for (size_t i = 0; i < ht_commands_count; i++) {
		snprintf(item, sizeof(item), "\n.It Ic %s",
			 ht_commands[i].name);
		assert_has(man, item);
	}
	free(man);
}

static void every_option_is_in_the_man_page_with_its_letter(void **state)
{
	char *man = file_text("docs/man/heaptide.1");
	char item[64];

	(void)state;
	for (size_t i = 0; i < HT_OPT_COUNT; i++) {
		const struct ht_option_info *o = &ht_option_infos[i];

		if (o->key < 256)
			snprintf(item, sizeof(item), "\n.It Fl %c , Fl -%s%s",
				 o->key, o->name, o->arg ? " Ar" : "\n");
		else
			snprintf(item, sizeof(item), "\n.It Fl -%s%s", o->name,
				 o->arg ? " Ar" : "\n");
		assert_has(man, item);
	}
	free(man);
}

static void every_exit_status_is_in_the_man_page_with_its_name(void **state)
{
	char *man = file_text("docs/man/heaptide.1");
	char item[64];

	(void)state;
	for (enum ht_code c = 0; c < HT_CODE_COUNT; c++) {
		snprintf(item, sizeof(item), "\n.It %d Pq %s\n",
			 ht_code_exit_status(c), ht_code_label(c));
		assert_has(man, item);
	}
	free(man);
}

static void every_option_is_taken_by_a_command(void **state)
{
	(void)state;
	for (size_t o = 0; o < HT_OPT_COUNT; o++) {
		bool taken = false;

		for (size_t i = 0; i < ht_commands_count; i++)
			taken |= ht_commands[i].takes >> o & 1;
		if (!taken)
			fail_msg("no command takes --%s",
				 ht_option_infos[o].name);
	}
}

static void completions_in_packaging_are_what_the_program_prints(void **state)
{
	static const struct {
		const char *shell, *path;
	} files[] = {{"bash", "packaging/completions/heaptide.bash"},
		     {"zsh", "packaging/completions/heaptide.zsh"},
		     {"fish", "packaging/completions/heaptide.fish"}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char program[] = "heaptide", command[] = "completion";
		char shell[8];
		char *argv[] = {program, command, shell, NULL};
		char *expected = file_text(files[i].path), *printed;
		int status;

		snprintf(shell, sizeof(shell), "%s", files[i].shell);
		capture_begin();
		status = ht_cli_main(3, argv);
		printed = capture_end();
		assert_int_equal(status, 0);
		assert_string_equal(printed, expected);
		free(expected);
		free(printed);
	}
}

static void a_misspelt_command_is_recognised(void **state)
{
	(void)state;
	assert_string_equal(ht_command_near("explian"), "explain");
	assert_string_equal(ht_command_near("trends"), "trend");
	assert_string_equal(ht_command_near("verd"), "verdict");
	assert_null(ht_command_near("xyzzyxyzzy"));
	assert_null(
		ht_command_near("a-very-long-word-indeed-longer-than-that"));
}

static void parse(const char *command, struct ht_options *o, int argc,
		  char **argv)
{
	ht_options_parse(ht_command_find(command), argc, argv, o);
}

static void options_are_parsed_by_their_types(void **state)
{
	char name[] = "explain", mode[] = "--mode=none", pid[] = "42";
	char pause[] = "--max-pause=500us", bytes[] = "-b";
	char *argv[] = {name, mode, pause, bytes, pid, NULL};
	struct ht_options o;

	(void)state;
	parse("explain", &o, 5, argv);
	assert_int_equal(o.mode, HT_MODE_NONE);
	assert_int_equal(o.max_pause_ns, 500 * HT_NS_PER_US);
	assert_true(o.bytes);
	assert_false(o.json);
	assert_int_equal(o.args_n, 1);
	assert_string_equal(o.args[0], "42");
	assert_true(o.arena == HT_UNKNOWN);
}

static void a_command_to_run_keeps_its_own_options(void **state)
{
	char name[] = "record", output[] = "-ox.db", dashes[] = "--";
	char command[] = "sleep", option[] = "-o", arg[] = "3";
	char *argv[] = {name, output, dashes, command, option, arg, NULL};
	struct ht_options o;

	(void)state;
	parse("record", &o, 6, argv);
	assert_true(o.quoted);
	assert_string_equal(o.output, "x.db");
	assert_int_equal(o.args_n, 3);
	assert_string_equal(o.args[1], "-o");
	assert_null(o.args[3]);
}

static void moments_are_durations_ago_or_times(void **state)
{
	const int64_t now = 1000 * HT_NS_PER_S;
	int64_t at;

	(void)state;
	assert_int_equal(ht_moment_parse("10s", now, &at), 0);
	assert_int_equal(at, 990 * HT_NS_PER_S);
	assert_int_equal(ht_moment_parse("now", now, &at), 0);
	assert_int_equal(at, now);
	assert_int_equal(ht_moment_parse("1970-01-01T00:00:05Z", now, &at), 0);
	assert_int_equal(at, 5 * HT_NS_PER_S);
	assert_int_equal(ht_moment_parse("1m40s", now, &at), 0);
	assert_int_equal(at, 900 * HT_NS_PER_S);
	assert_int_equal(ht_moment_parse("292y", now, &at), -1);
	assert_int_equal(ht_moment_parse("sometime", now, &at), -1);
}

static void metric_lists_name_the_word_that_is_none(void **state)
{
	struct ht_measures list = {0};
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_measures_parse("rss,in_use", "", &list, &err),
			 HT_OK);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.v[0].metric, HT_M_rss);
	ht_measures_fini(&list);
	assert_int_equal(ht_measures_parse("rss,speed", "", &list, &err),
			 HT_USAGE);
	assert_has(err.msg, "'speed'");
	ht_measures_fini(&list);
	assert_int_equal(ht_measures_parse(NULL, "top", &list, &err), HT_OK);
	assert_int_equal(list.v[0].metric, HT_M_top);
	ht_measures_fini(&list);
}

/* What is printed for people can be typed. */
static void a_time_as_it_is_printed_here_means_the_same_time(void **state)
{
	static const char *const zones[] = {"UTC", "America/New_York",
					    "Asia/Kolkata", "XYZ-9:30"};
	static const int64_t times[] = {INT64_C(1750032000123000000),
					INT64_C(1769904000999000000), 5000000};

	(void)state;
	for (size_t z = 0; z < 4; z++) {
		setenv("TZ", zones[z], 1);
		tzset();
		for (size_t i = 0; i < 3; i++) {
			char text[HT_TIME_TEXT];
			int64_t back;

			ht_time_here_text(times[i], text);
			if (ht_time_parse(text, times[0], &back))
				fail_msg("%s: '%s' is no time", zones[z], text);
			assert_int_equal(back, times[i]);
			assert_int_equal(text[strlen(text) - 1] == 'Z', z == 0);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void commas_in_brackets_part_no_list(void **state)
{
	struct ht_measures list = {0};
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_measures_parse(" max(free, top) / system , rss", "",
					   &list, &err),
			 HT_OK);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.v[0].name, "max(free, top) / system");
	assert_string_equal(list.v[0].unit, "ratio");
	assert_string_equal(list.v[1].unit, "bytes");
	ht_measures_fini(&list);
	assert_int_equal(ht_measures_parse("", "", &list, &err), HT_OK);
	assert_int_equal(list.n, HT_METRIC_COUNT);
	ht_measures_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_in_the_man_page),
		cmocka_unit_test(
			every_option_is_in_the_man_page_with_its_letter),
		cmocka_unit_test(
			every_exit_status_is_in_the_man_page_with_its_name),
		cmocka_unit_test(every_option_is_taken_by_a_command),
		cmocka_unit_test(
			completions_in_packaging_are_what_the_program_prints),
		cmocka_unit_test(a_misspelt_command_is_recognised),
		cmocka_unit_test(options_are_parsed_by_their_types),
		cmocka_unit_test(a_command_to_run_keeps_its_own_options),
		cmocka_unit_test(moments_are_durations_ago_or_times),
		cmocka_unit_test(metric_lists_name_the_word_that_is_none),
		cmocka_unit_test(
			a_time_as_it_is_printed_here_means_the_same_time),
		cmocka_unit_test(commas_in_brackets_part_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
