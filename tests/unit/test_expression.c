/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of metrics: value, unit, what is unknown, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "analysis/condition.h"

static struct ht_series series;
static struct ht_err err;

/* One row: retained 30, heap_resident 120, free 50, top 20, in_use 64, in 4
 * chunks; swap 0, rss_anon 200; threads 2. All else is unknown. */
static int make(void **state)
{
	static const struct {
		enum ht_metric m;
		double v;
	} known[] = {{HT_M_retained, 30}, {HT_M_heap_resident, 120},
		     {HT_M_free, 50},	  {HT_M_top, 20},
		     {HT_M_in_use, 64},	  {HT_M_in_use_chunks, 4},
		     {HT_M_swap, 0},	  {HT_M_rss_anon, 200},
		     {HT_M_threads, 2},	  {HT_M_external, 0.25}};

	(void)state;
	ht_series_init(&series);
	if (ht_series_add_row(&series, 1000, &err) != HT_OK)
		return -1;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		series.metric[known[i].m][HT_STAT_MEDIAN][0] = known[i].v;
	return 0;
}

static int clean(void **state)
{
	(void)state;
	ht_series_fini(&series);
	return 0;
}

static void expressions_have_a_value_and_a_unit(void **state)
{
	static const struct {
		const char *text;
		double value;
		const char *unit;
	} cases[] = {
		{"in_use", 64, "bytes"},
		{"retained / heap_resident", 0.25, "ratio"},
		{"free - top", 30, "bytes"},
		{"top - free", -30, "bytes"},
		{"in_use / in_use_chunks", 16, "bytes/chunks"},
		{"in_use_chunks / in_use", 0.0625, "chunks/bytes"},
		{"1 / threads", 0.5, "1/threads"},
		{"30% of anon", 60, "bytes"},
		{"100 * retained / (free + top)", 3000.0 / 70, "ratio"},
		{"max(free, 1KiB)", 1024, "bytes"},
		{"min(free, top) * 2", 40, "bytes"},
		{"external * external", 0.0625, "ratio"},
		{"2 + 3 * 4", 14, "number"},
		{"in_use * in_use", 4096, "bytes*bytes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ht_expression e;

		if (ht_expression_parse(cases[i].text, &e, &err) != HT_OK)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_string_equal(e.unit, cases[i].unit);
		if (fabs(ht_expression_at(&e, &series, 0) - cases[i].value) >
		    1e-12)
			fail_msg("%s: %g", cases[i].text,
				 ht_expression_at(&e, &series, 0));
	}
}

static void what_is_unknown_stays_so(void **state)
{
	static const char *const unknown[] = {
		"trimmable",	    "trimmable + free",
		"free - trimmable", "max(trimmable, free)",
		"0 * trimmable",    "free / swap",
		"swap / swap",	    "trimmable / free"};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		struct ht_expression e;

		assert_int_equal(ht_expression_parse(unknown[i], &e, &err),
				 HT_OK);
		if (!isnan(ht_expression_at(&e, &series, 0)))
			fail_msg("%s is known", unknown[i]);
	}
}

static void what_cannot_be_is_refused_and_says_why(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "ends where"},
		{"free + threads",
		 "'threads' cannot be added to one of unit 'bytes'"},
		{"free - external",
		 "'ratio' cannot be subtracted from one of unit 'bytes'"},
		{"free / top + free", "unit 'ratio'"},
		{"free > top", "one of + - * /"},
		{"free +", "ends where"},
		{"rate(free, 1h)", "for rules"},
		{"eta / 2", "for rules"},
		{"nosuch / 2", "no metric"},
		{"free / (top", "')'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ht_expression e;
		struct ht_err why = {0};

		assert_int_equal(ht_expression_parse(cases[i].text, &e, &why),
				 HT_CONFIG);
		if (!strstr(why.msg, cases[i].why))
			fail_msg("'%s': %s", cases[i].text, why.msg);
	}
}

static void a_lone_metric_is_known_as_one(void **state)
{
	struct ht_expression e;

	(void)state;
	assert_int_equal(ht_expression_parse(" top ", &e, &err), HT_OK);
	assert_int_equal(ht_expression_metric(&e), HT_M_top);
	assert_int_equal(ht_expression_parse("(top)", &e, &err), HT_OK);
	assert_int_equal(ht_expression_metric(&e), HT_M_top);
	assert_int_equal(ht_expression_parse("anon", &e, &err), HT_OK);
	assert_int_equal(ht_expression_metric(&e), HT_METRIC_COUNT);
	assert_int_equal(ht_expression_parse("2 * top", &e, &err), HT_OK);
	assert_int_equal(ht_expression_metric(&e), HT_METRIC_COUNT);
}

static void every_metric_has_a_unit_that_is_known(void **state)
{
	(void)state;
	for (size_t m = 0; m < HT_METRIC_COUNT; m++) {
		struct ht_expression e;

		assert_int_equal(
			ht_expression_parse(ht_metric_infos[m].name, &e, &err),
			HT_OK);
		assert_string_equal(e.unit, ht_metric_infos[m].unit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_have_a_value_and_a_unit),
		cmocka_unit_test(what_is_unknown_stays_so),
		cmocka_unit_test(what_cannot_be_is_refused_and_says_why),
		cmocka_unit_test(a_lone_metric_is_known_as_one),
		cmocka_unit_test(every_metric_has_a_unit_that_is_known),
	};

	return cmocka_run_group_tests_name("expressions", tests, make, clean);
}
