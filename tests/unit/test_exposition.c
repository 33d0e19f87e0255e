/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics text, and the lines of the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/http/exposition.h"
#include "link/control.h"

static void labels_are_escaped_and_never_cut_in_half(void **state)
{
	char labels[64] = "";

	(void)state;
	ht_labels_add(labels, sizeof(labels), "a", "x\"y\\z\nw\x01\xff");
	assert_string_equal(labels, "a=\"x\\\"y\\\\z\\nw??\"");
	ht_labels_add(labels, sizeof(labels), "b",
		      "a value that is much too long for what is left of it");
	assert_string_equal(labels, "a=\"x\\\"y\\\\z\\nw??\"");
	ht_labels_add(labels, sizeof(labels), "c", "");
	assert_string_equal(labels, "a=\"x\\\"y\\\\z\\nw??\",c=\"\"");
}

static char *written(enum ht_exposition format)
{
	static const uint64_t bounds[] = {50, 2000000};
	static const uint64_t counts[] = {1, 2, 3};
	char *text = NULL;
	size_t len;
	struct ht_text t = {.out = open_memstream(&text, &len),
			    .format = format};

	ht_text_family(&t, "x_bytes", HT_COUNTER, "help");
	ht_text_u64(&t, "", UINT64_MAX);
	ht_text_family(&t, "y_seconds", HT_HISTOGRAM, "h");
	ht_text_histogram(&t, "p=\"1\"", bounds, counts, 2, 3500000);
	ht_text_end(&t);
	fclose(t.out);
	return text;
}

static void a_counter_and_a_histogram_are_written_in_both_formats(void **state)
{
	static const char histogram[] =
		"y_seconds_bucket{p=\"1\",le=\"5e-05\"} 1\n"
		"y_seconds_bucket{p=\"1\",le=\"2\"} 3\n"
		"y_seconds_bucket{p=\"1\",le=\"+Inf\"} 6\n"
		"y_seconds_sum{p=\"1\"} 3.5\n"
		"y_seconds_count{p=\"1\"} 6\n";
	char *text = written(HT_EXPOSITION_TEXT);
	char *open = written(HT_EXPOSITION_OPENMETRICS);

	(void)state;
	assert_non_null(strstr(text, "# TYPE x_bytes_total counter\n"
				     "x_bytes_total 18446744073709551615\n"));
	assert_non_null(strstr(text, histogram));
	assert_null(strstr(text, "# EOF"));
	assert_non_null(strstr(open, "# TYPE x_bytes counter\n# UNIT x_bytes "
				     "bytes\nx_bytes_total "));
	assert_non_null(strstr(open, histogram));
	assert_string_equal(open + strlen(open) - 6, "# EOF\n");
	free(text);
	free(open);
}

static void requests_that_are_not_ours_are_refused(void **state)
{
	static const struct {
		const char *why, *line;
		enum ht_code wanted;
	} cases[] = {
		{"not JSON", "GET / HTTP/1.1", HT_PROTOCOL},
		{"no object", "[1]", HT_PROTOCOL},
		{"nothing", "", HT_PROTOCOL},
		{"no version", "{\"command\":\"ls\"}", HT_PROTOCOL},
		{"another version", "{\"heaptide\":2,\"command\":\"ls\"}",
		 HT_PROTOCOL},
		{"no command", "{\"heaptide\":1}", HT_USAGE},
		{"unknown command", "{\"heaptide\":1,\"command\":\"rm\"}",
		 HT_USAGE},
		{"command no text", "{\"heaptide\":1,\"command\":7}", HT_USAGE},
		{"twice", "{\"heaptide\":1,\"heaptide\":1,\"command\":\"ls\"}",
		 HT_PROTOCOL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum ht_control_command c;
		json_t *arguments = NULL;
		struct ht_err err = {0};

		if (ht_control_parse(cases[i].line, strlen(cases[i].line), &c,
				     &arguments, &err) != cases[i].wanted)
			fail_msg("%s: %s", cases[i].why, err.msg);
		assert_null(arguments);
		assert_true(err.msg[0]);
	}
}

static void every_command_is_found_by_its_name(void **state)
{
	(void)state;
	for (int c = 0; c < HT_CONTROL_COUNT; c++)
		assert_int_equal(ht_control_find(ht_control_name(
					 (enum ht_control_command)c)),
				 c);
	assert_int_equal(ht_control_find("rm"), HT_CONTROL_COUNT);
}

static void an_error_is_answered_with_code_message_and_hint(void **state)
{
	struct ht_err err;
	char *line;

	(void)state;
	ht_err_put(&err, HT_NODATA, 0, 0, "nothing \"here\"");
	line = ht_control_answer(HT_NODATA, NULL, &err);
	assert_non_null(strstr(line, "\"code\":\"nodata\""));
	assert_non_null(strstr(line, "nothing \\\"here\\\""));
	assert_non_null(strstr(line, "\"hint\":"));
	assert_int_equal(line[strlen(line) - 1], '\n');
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_escaped_and_never_cut_in_half),
		cmocka_unit_test(
			a_counter_and_a_histogram_are_written_in_both_formats),
		cmocka_unit_test(requests_that_are_not_ours_are_refused),
		cmocka_unit_test(every_command_is_found_by_its_name),
		cmocka_unit_test(
			an_error_is_answered_with_code_message_and_hint),
	};

	return cmocka_run_group_tests_name("exposition", tests, NULL, NULL);
}
