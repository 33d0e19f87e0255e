/* SPDX-License-Identifier: Apache-2.0 */
/* What people see: sizes, plots, tables, and nothing made up for what is not
 * known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/plot.h"
#include "cli/show.h"
#include "cli/table.h"
#include "common/clock.h"
#include "common/size.h"
#include "page/chart.h"
#include "tests/lib/capture.h"

static const struct ht_term plain = {.width = 80};
static const struct ht_term unicode = {.width = 80, .utf8 = true};

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void sizes_are_rounded_within_their_unit(void **state)
{
	static const struct {
		const char *why;
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{"bytes are whole", 32, "32 B"},
		{"zero is a figure", 0, "0 B"},
		{"the largest that is not rounded up", 1023, "1023 B"},
		{"a unit begins", 1024, "1.0 KiB"},
		{"would round to 1024.0 KiB", 1048575, "1.0 MiB"},
		{"the design's example", 500170752, "477.0 MiB"},
		{"as large as it gets", UINT64_MAX - 1, "16.0 EiB"},
		{"unknown is never a figure", UINT64_MAX, "?"},
	};
	char text[HT_SIZE_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			ht_size_text(cases[i].bytes, text, sizeof(text)),
			cases[i].text);
}

static void size_texts_are_parsed_back(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(ht_size_parse("64k", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(ht_size_parse("1.5MiB", &v), 0);
	assert_int_equal(v, 1572864);
	assert_int_equal(ht_size_parse("123", &v), 0);
	assert_int_equal(v, 123);
	assert_int_equal(ht_size_parse("12 apples", &v), -1);
	assert_int_equal(ht_size_parse("-1", &v), -1);
	assert_int_equal(ht_size_parse("99999E", &v), -1);
}

static void counts_are_grouped_by_thousands(void **state)
{
	char text[HT_NUMBER_TEXT];

	(void)state;
	assert_string_equal(ht_count_text(0, text), "0");
	assert_string_equal(ht_count_text(999, text), "999");
	assert_string_equal(ht_count_text(1000, text), "1,000");
	assert_string_equal(ht_count_text(12345678, text), "12,345,678");
	assert_string_equal(ht_count_text(HT_UNKNOWN, text), "?");
}

static char *plot_text(const struct ht_term *t, const double *v, size_t n)
{
	int64_t time[64];
	const struct ht_plot p = {.time_ns = time,
				  .value = v,
				  .n = n,
				  .from_ns = 0,
				  .to_ns = (int64_t)(n - 1) * HT_NS_PER_S,
				  .width = 40,
				  .height = 5,
				  .unit = "bytes"};
	struct ht_err err;

	for (size_t i = 0; i < n; i++)
		time[i] = (int64_t)i * HT_NS_PER_S;
	capture_begin();
	assert_int_equal(ht_plot_print(t, &p, &err), HT_OK);
	return capture_end();
}

static void a_rising_line_goes_from_bottom_left_to_top_right(void **state)
{
	double v[] = {0, 1048576, 2097152, 3145728, 4194304};
	char *text = plot_text(&plain, v, 5);
	char *first = strchr(text, '\n'), *last;

	(void)state;
	assert_has(text, "4.0 MiB |");
	assert_has(text, "0 B |*");
	*first = '\0';
	last = strrchr(text, '*');
	assert_non_null(last);
	assert_int_equal(last[1], '\0');
	free(text);
}

static void a_gap_is_not_drawn_over(void **state)
{
	double v[] = {5, NAN, NAN, NAN, 5};
	char *text = plot_text(&plain, v, 5);
	size_t dots = 0;

	(void)state;
	for (const char *c = text; *c; c++)
		dots += *c == '*';
	assert_int_equal(dots, 2);
	free(text);
}

static void nothing_measured_is_said(void **state)
{
	double v[] = {NAN, NAN};
	char *text = plot_text(&unicode, v, 2);

	(void)state;
	assert_has(text, "not measured");
	free(text);
}

static void a_flat_line_of_zeros_is_drawn(void **state)
{
	double v[] = {0, 0, 0};
	char *text = plot_text(&plain, v, 3);

	(void)state;
	assert_has(text, "****");
	free(text);
}

static void sparklines_span_from_lowest_to_highest(void **state)
{
	double v[] = {0, 1, 2, 3, 4, 5, 6, 7};
	char text[HT_SPARK_MAX * 4];

	(void)state;
	assert_string_equal(ht_spark(&plain, v, 8, 8, text), "_.:-=+*#");
	assert_string_equal(ht_spark(&unicode, v, 8, 8, text), "▁▂▃▄▅▆▇█");
	assert_string_equal(ht_spark(&plain, v, 0, 8, text), "");
}

/* A snapshot of one arena with a few figures, all else unknown. */
static void small_snapshot(struct ht_snapshot *s)
{
	struct ht_arena *a;
	struct ht_size_class *c;

	ht_snapshot_init(s);
	s->process.rss = 3 << 20;
	ht_snapshot_add_rss_cause(s)->cause = HT_CAUSE_HEAP_IN_USE;
	s->rss_causes.v[0].bytes = 1 << 20;
	ht_snapshot_add_rss_cause(s)->cause = HT_CAUSE_TRIMMABLE;
	s->rss_causes.v[1].bytes = 2 << 20;
	a = ht_snapshot_add_arena(s);
	a->index = 0;
	a->kind = HT_ARENA_MAIN;
	a->address = 0x7f0000001c80;
	a->system = 4 << 20;
	for (uint64_t i = 0; i < 5; i++) {
		c = ht_snapshot_add_size_class(s);
		c->max_size = 32 + 16 * i;
		c->in_use_chunks = 100 + i;
		c->in_use_bytes = c->in_use_chunks * c->max_size;
	}
}

static char *shown(enum ht_code (*show)(const struct ht_cli *,
					const struct ht_snapshot *, size_t,
					struct ht_err *),
		   size_t max_rows)
{
	const struct ht_cli cli = {.term = {.width = 200}};
	struct ht_snapshot s;
	struct ht_err err;
	char *text;

	small_snapshot(&s);
	capture_begin();
	assert_int_equal(show(&cli, &s, max_rows, &err), HT_OK);
	text = capture_end();
	ht_snapshot_fini(&s);
	return text;
}

static void rss_by_cause_names_each_and_ends_with_the_sum(void **state)
{
	char *text = shown(ht_show_rss, 0);

	(void)state;
	assert_has(text, "free, trimmable");
	assert_has(text, "66.7 %");
	assert_has(text, "RSS                   3.0 MiB 100.0 %");
	free(text);
}

static void unknown_figures_are_question_marks(void **state)
{
	char *text = shown(ht_show_arenas, 0);

	(void)state;
	assert_has(text, "0x7f0000001c80");
	assert_has(text, "4.0 MiB");
	assert_has(text, "?");
	free(text);
}

static void the_largest_rows_come_first_and_the_rest_is_counted(void **state)
{
	char *text = shown(ht_show_classes, 2);
	const char *first = strstr(text, " 96 ");
	const char *second = strstr(text, " 80 ");

	(void)state;
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first < second);
	assert_null(strstr(text, " 32 "));
	assert_has(text, "and 3 more (heaptide classes)");
	free(text);
}

static void html_is_escaped(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	ht_html_text(to, "<b>\"x\" & y</b>");
	fclose(to);
	assert_string_equal(text, "&lt;b&gt;&quot;x&quot; &amp; y&lt;/b&gt;");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_rounded_within_their_unit),
		cmocka_unit_test(size_texts_are_parsed_back),
		cmocka_unit_test(counts_are_grouped_by_thousands),
		cmocka_unit_test(
			a_rising_line_goes_from_bottom_left_to_top_right),
		cmocka_unit_test(a_gap_is_not_drawn_over),
		cmocka_unit_test(nothing_measured_is_said),
		cmocka_unit_test(a_flat_line_of_zeros_is_drawn),
		cmocka_unit_test(sparklines_span_from_lowest_to_highest),
		cmocka_unit_test(rss_by_cause_names_each_and_ends_with_the_sum),
		cmocka_unit_test(unknown_figures_are_question_marks),
		cmocka_unit_test(
			the_largest_rows_come_first_and_the_rest_is_counted),
		cmocka_unit_test(html_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
