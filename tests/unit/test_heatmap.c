/* SPDX-License-Identifier: Apache-2.0 */
/* Heat map: what stands on the screen, at each width (golden_hold: no line is
 * wider), with and without Unicode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/heatmap.h"
#include "cli/plot.h"
#include "common/clock.h"
#include "tests/lib/capture.h"
#include "tests/lib/golden.h"

#define ROWS 96 /* a day of quarters of an hour */
#define T0   (INT64_C(1750032000) * HT_NS_PER_S) /* midnight */

static double grows[ROWS], falls[ROWS], empty[ROWS], late[ROWS];
static int64_t times[ROWS];

static int make(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	for (int i = 0; i < ROWS; i++) {
		times[i] = T0 + i * 900 * HT_NS_PER_S;
		grows[i] = 1024 * pow(1024, i / 95.0);
		falls[i] = i < 48 ? 65536 : 0;
		empty[i] = 0;
		late[i] = i < 72 ? NAN : 1 << 20;
	}
	return 0;
}

static const struct ht_heat_row rows[] = {{"large 100, 1048576+ B", grows},
					  {"small 5, 80 B", falls},
					  {"fast 0, 32 B", empty},
					  {"unsorted 1", late}};

static void print_map(const struct ht_term *term)
{
	const struct ht_heatmap map = {rows, 4, times, ROWS, "bytes", false};
	struct ht_err err;

	assert_int_equal(ht_heatmap_print(term, &map, &err), HT_OK);
}

static void print_plot(const struct ht_term *term)
{
	const struct ht_plot plot = {.time_ns = times,
				     .value = falls,
				     .low = empty,
				     .high = falls,
				     .n = ROWS,
				     .from_ns = times[0],
				     .to_ns = times[ROWS - 1],
				     .width = term->width - 14,
				     .height = 7,
				     .unit = "bytes"};
	struct ht_err err;

	assert_int_equal(ht_plot_print(term, &plot, &err), HT_OK);
}

static void a_heat_map_looks_as_it_did_at_each_width(void **state)
{
	(void)state;
	golden_hold("tests/golden/heatmap.txt", print_map);
}

static void a_plot_looks_as_it_did_at_each_width(void **state)
{
	(void)state;
	golden_hold("tests/golden/plot.txt", print_plot);
}

/* Signs for "unknown" in the line of n values from `first` on, at 80 columns.
 */
static int unknown_cells(size_t first, size_t n)
{
	const struct ht_heat_row row = {"x", grows + first};
	const struct ht_term term = {.width = 80};
	const struct ht_heatmap map = {&row, 1,	      times + first,
				       n,    "bytes", false};
	struct ht_err err;
	enum ht_code code;
	int seen = 0;
	char *text;

	capture_begin();
	code = ht_heatmap_print(&term, &map, &err);
	text = capture_end();
	assert_int_equal(code, HT_OK);
	for (const char *c = strchr(text, '|'); *c && *c != '\n'; c++)
		seen += *c == '?';
	free(text);
	return seen;
}

/* Intervals that differ leave a cell without a row now and then. */
static void a_cell_between_two_samples_is_not_unknown(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++)
		times[i] =
			T0 + (i * 900 + (i % 5 == 2 ? 700 : 0)) * HT_NS_PER_S;
	for (size_t n = 40; n <= ROWS; n++)
		assert_int_equal(unknown_cells(0, n), 0);
	make(NULL);
}

static void a_time_in_which_nobody_looked_is_unknown(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++)
		times[i] += (i < 48 ? 0 : 96) * 900 * HT_NS_PER_S;
	/* half of the cells; and of few rows, which lie far apart, as many */
	assert_in_range(unknown_cells(0, ROWS), 30, 36);
	assert_in_range(unknown_cells(38, 20), 45, 60);
	make(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heat_map_looks_as_it_did_at_each_width),
		cmocka_unit_test(a_plot_looks_as_it_did_at_each_width),
		cmocka_unit_test(a_cell_between_two_samples_is_not_unknown),
		cmocka_unit_test(a_time_in_which_nobody_looked_is_unknown),
	};

	return cmocka_run_group_tests_name("screens", tests, make, NULL);
}
