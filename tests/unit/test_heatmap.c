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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_heat_map_looks_as_it_did_at_each_width),
		cmocka_unit_test(a_plot_looks_as_it_did_at_each_width),
	};

	return cmocka_run_group_tests_name("screens", tests, make, NULL);
}
