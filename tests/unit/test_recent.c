/* SPDX-License-Identifier: Apache-2.0 */
/* Recent: what is kept in memory of a process's figures, and how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>
#include <math.h>

#include "common/clock.h"
#include "daemon/process/recent.h"

static void take(struct ht_series **r, int64_t second)
{
	double values[HT_METRIC_COUNT];

	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		values[m] = NAN;
	values[HT_M_in_use] = (double)second * 10;
	values[HT_M_pss] = 7;
	ht_recent_take(r, second * HT_NS_PER_S, values);
}

static void the_newest_row_is_the_last_sample(void **state)
{
	struct ht_series *r = NULL;

	(void)state;
	for (int64_t second = 1; second <= 1000; second++) {
		const struct ht_series *s;

		take(&r, second);
		s = r;
		assert_non_null(s);
		assert_true(s->time_ns[s->rows - 1] == second * HT_NS_PER_S);
		assert_true(
			s->metric[HT_M_in_use][HT_STAT_MEDIAN][s->rows - 1] ==
			(double)second * 10);
		assert_true(s->metric[HT_M_pss][HT_STAT_MAX][s->rows - 1] == 7);
		assert_true(isnan(
			s->metric[HT_M_retained][HT_STAT_MIN][s->rows - 1]));
	}
	ht_recent_forget(&r);
	assert_null(r);
}

static void
it_begins_with_the_first_and_never_grows_beyond_its_rows(void **state)
{
	struct ht_series *r = NULL;

	(void)state;
	for (int64_t second = 1; second <= 10000; second++) {
		take(&r, second);
		assert_true(r->rows <= HT_RECENT_ROWS);
		assert_true(r->rows == (size_t)second ||
			    r->rows > HT_RECENT_ROWS / 2);
		assert_true(r->time_ns[0] == HT_NS_PER_S);
	}
	for (size_t row = 1; row < r->rows; row++)
		assert_true(r->time_ns[row] > r->time_ns[row - 1] &&
			    r->metric[HT_M_in_use][HT_STAT_MEDIAN][row] *
					    HT_NS_PER_S ==
				    (double)r->time_ns[row] * 10);
	ht_recent_forget(&r);
}

static void what_was_missed_stays_a_cut_when_rows_go(void **state)
{
	struct ht_series *r = NULL;
	size_t cuts = 0;

	(void)state;
	for (int64_t second = 1; second <= 20; second++)
		take(&r, second);
	for (int64_t second = 500; second <= 600; second++)
		take(&r, second);
	for (size_t row = 1; row < r->rows; row++)
		if (r->cut[row]) {
			cuts++;
			assert_true(r->time_ns[row - 1] <= 20 * HT_NS_PER_S &&
				    r->time_ns[row] >= 500 * HT_NS_PER_S);
		}
	assert_int_equal(cuts, 1);
	ht_recent_forget(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_row_is_the_last_sample),
		cmocka_unit_test(
			it_begins_with_the_first_and_never_grows_beyond_its_rows),
		cmocka_unit_test(what_was_missed_stays_a_cut_when_rows_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
