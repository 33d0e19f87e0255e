/* SPDX-License-Identifier: Apache-2.0 */
/* The judge reads only some metrics from the store: they must be enough. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/judge.h"
#include "tests/lib/fake.h"

#define ROWS 240

static void make_series(struct ht_series *s, uint64_t leak, bool all)
{
	struct fake fake = FAKE_DEFAULT;

	fake.leak = leak;
	ht_series_init(s);
	for (uint64_t n = 0; n < ROWS; n++) {
		struct ht_snapshot snapshot;

		ht_snapshot_init(&snapshot);
		fake_snapshot(&fake, n, &snapshot);
		assert_int_equal(ht_series_add_snapshot(s, &snapshot, NULL),
				 HT_OK);
		ht_snapshot_fini(&snapshot);
	}
	for (size_t m = 0; m < HT_METRIC_COUNT && !all; m++) {
		if (ht_judge_metrics[m])
			continue;
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			for (size_t row = 0; row < s->rows; row++)
				s->metric[m][k][row] = NAN;
		}
	}
}

static void the_metrics_that_are_read_are_enough_for_every_verdict(void **state)
{
	static const uint64_t leaks[] = {0, 4096, 65536, 1 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof(leaks) / sizeof(*leaks); i++) {
		struct ht_series full, masked;
		struct ht_verdict a, b;

		make_series(&full, leaks[i], true);
		make_series(&masked, leaks[i], false);
		ht_verdict(&full, full.time_ns[ROWS - 1], NULL, &a);
		ht_verdict(&masked, masked.time_ns[ROWS - 1], NULL, &b);
		assert_string_equal(ht_label_names[a.label],
				    ht_label_names[b.label]);
		assert_true(fabs(a.confidence - b.confidence) < 1e-9);
		assert_int_equal(a.evidence_n, b.evidence_n);
		for (size_t k = 0; k < a.evidence_n; k++)
			assert_string_equal(a.evidence[k], b.evidence[k]);
		assert_string_equal(a.remedy, b.remedy);
		ht_series_fini(&full);
		ht_series_fini(&masked);
	}
}

#define SECOND INT64_C(1000000000)

static void
verdicts_are_made_less_often_when_they_would_cost_too_much(void **state)
{
	const int64_t evaluate = 60 * SECOND, week = 7 * 86400 * SECOND;
	static const int64_t ms = 1000000;

	(void)state;
	/* few processes: as configured, whatever the history's length */
	assert_int_equal(ht_judge_wait_ns(evaluate, 20 * ms, week, 5),
			 evaluate);
	/* a history of hours: as configured, whatever the cost */
	assert_int_equal(
		ht_judge_wait_ns(evaluate, 500 * ms, 8 * 3600 * SECOND, 1000),
		evaluate);
	/* a hundred: 10 ms each of 400 s is 0.25 % of a processor */
	assert_int_equal(ht_judge_wait_ns(evaluate, 10 * ms, week, 100),
			 400 * SECOND);
	/* never longer than 1/500 of what is judged */
	assert_int_equal(ht_judge_wait_ns(evaluate, 900 * ms, week, 100),
			 week / 500);
	assert_int_equal(ht_judge_wait_ns(evaluate, 10 * ms, 0, 100), evaluate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_metrics_that_are_read_are_enough_for_every_verdict),
		cmocka_unit_test(
			verdicts_are_made_less_often_when_they_would_cost_too_much),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
