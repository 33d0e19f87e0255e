/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 240 s
 * A process that does what it did before is judged less often: what was told of
 * it must be what would be told anew. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "daemon/alerts/judge.h"
#include "tests/lib/made.h"
#include "tests/lib/trace.h"

#define SECOND HT_NS_PER_S
#define ROWS_A_TURN                                                            \
	6 /* the rules are asked each minute, samples come in 10 s */

static void take(struct ht_calm *c, double in_use, double rss)
{
	double values[HT_METRIC_COUNT];

	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		values[m] = 1;
	values[HT_M_in_use] = in_use;
	values[HT_M_rss] = rss;
	ht_calm_take(c, values);
}

static void what_stays_within_the_stretch_before_is_calm(void **state)
{
	struct ht_calm c = {.moved = false};

	(void)state;
	take(&c, 100e6, 200e6);
	take(&c, 101e6, 199e6);
	assert_false(ht_calm_is(&c)); /* no verdict yet */
	ht_calm_judged(&c);
	assert_true(ht_calm_is(&c));
	take(&c, 100.5e6, 199.5e6);
	take(&c, 101e6, 200e6);
	assert_true(ht_calm_is(&c));
	take(&c, 101.1e6, 200e6);
	assert_false(ht_calm_is(&c));
	take(&c, 100.5e6, 199.5e6); /* it moved all the same */
	assert_false(ht_calm_is(&c));
	ht_calm_judged(&c);
	assert_true(ht_calm_is(&c));
}

static void a_slow_rise_leaves_the_band_of_the_stretch_before(void **state)
{
	struct ht_calm c = {.moved = false};
	double in_use = 100e6;

	(void)state;
	for (int stretch = 0; stretch < 20; stretch++) {
		for (int i = 0; i < ROWS_A_TURN; i++)
			take(&c, in_use += 1000, 200e6);
		assert_false(ht_calm_is(&c));
		ht_calm_judged(&c);
	}
}

static void what_is_unknown_or_known_by_now_is_not_calm(void **state)
{
	struct ht_calm c = {.moved = false};

	(void)state;
	take(&c, 100e6, NAN);
	ht_calm_judged(&c);
	take(&c, 100e6, NAN);
	assert_true(ht_calm_is(&c));
	take(&c, 100e6, 200e6);
	assert_false(ht_calm_is(&c));
	ht_calm_judged(&c);
	take(&c, 100e6, NAN);
	assert_false(ht_calm_is(&c));
}

static void time_and_the_machine_s_free_memory_move_nothing(void **state)
{
	double values[HT_METRIC_COUNT] = {0};
	struct ht_calm c = {.moved = false};

	(void)state;
	ht_calm_take(&c, values);
	ht_calm_judged(&c);
	values[HT_M_cpu_ns] = values[HT_M_limit] = 1e9;
	ht_calm_take(&c, values);
	assert_true(ht_calm_is(&c));
	values[HT_M_mappings] = 1;
	ht_calm_take(&c, values);
	assert_false(ht_calm_is(&c));
}

static void
calm_waits_an_eighth_of_the_history_and_20_minutes_most(void **state)
{
	(void)state;
	assert_int_equal(ht_judge_calm_ns(60 * SECOND, 0), 60 * SECOND);
	assert_int_equal(ht_judge_calm_ns(60 * SECOND, 480 * SECOND),
			 60 * SECOND);
	assert_int_equal(ht_judge_calm_ns(60 * SECOND, 3600 * SECOND),
			 450 * SECOND);
	assert_int_equal(ht_judge_calm_ns(60 * SECOND, 7 * 86400 * SECOND),
			 7 * 86400 * SECOND / 500);
	assert_int_equal(ht_judge_calm_ns(3600 * SECOND, 7 * 86400 * SECOND),
			 3600 * SECOND);
}

static void what_is_not_stable_is_judged_at_each_turn(void **state)
{
	struct ht_watched p = {.verdict = {.label = HT_LABEL_LEAK}};

	(void)state;
	take(&p.calm, 100e6, 200e6);
	assert_false(ht_judge_still_holds(&p, 0));
	ht_judge_made(&p, 0, 60 * SECOND, 3600 * SECOND);
	assert_true(ht_judge_still_holds(&p, 59 * SECOND));
	assert_false(ht_judge_still_holds(&p, 60 * SECOND));
	p.verdict.label = HT_LABEL_STABLE;
	assert_true(ht_judge_still_holds(&p, 60 * SECOND));
	assert_true(ht_judge_still_holds(&p, 449 * SECOND));
	assert_false(ht_judge_still_holds(&p, 450 * SECOND));
	take(&p.calm, 100e6, 201e6);
	assert_false(ht_judge_still_holds(&p, 60 * SECOND));
}

/* --- whole runs ---------------------------------------------------------- */

struct replay {
	size_t turns, held, other;
};

/* As the daemon would: each sample is taken, every few of them it is asked
 * whether the last verdict still holds; where it does, one is made anew. */
static void run(const struct ht_series *s, struct replay *r)
{
	static struct ht_watched p;
	int64_t step_ns =
		(s->time_ns[s->rows - 1] - s->time_ns[0]) / (int64_t)s->rows;

	memset(&p, 0, sizeof(p));
	for (size_t row = 0; row < s->rows; row++) {
		double values[HT_METRIC_COUNT];
		struct ht_verdict anew;
		int64_t at_ns = s->time_ns[row];

		for (size_t m = 0; m < HT_METRIC_COUNT; m++)
			values[m] = s->metric[m][HT_STAT_MEDIAN][row];
		ht_calm_take(&p.calm, values);
		if (row % ROWS_A_TURN)
			continue;
		r->turns++;
		ht_verdict_window(s, s->time_ns[0], at_ns, NULL, &anew);
		if (ht_judge_still_holds(&p, at_ns)) {
			r->held++;
			r->other += anew.label != p.verdict.label;
			continue;
		}
		p.verdict = anew;
		ht_judge_made(&p, at_ns, ROWS_A_TURN * step_ns,
			      at_ns - s->time_ns[0]);
	}
}

static void run_recorded(const struct ht_trace *t, void *ctx)
{
	run(&t->series, ctx);
}

static void of_recorded_runs_what_is_held_is_what_would_be_told(void **state)
{
	struct replay r = {0};

	(void)state;
	ht_trace_each("tests/workloads/traces/open", 1, run_recorded, &r);
	ht_trace_each("tests/workloads/traces/own", 1, run_recorded, &r);
	print_message("%zu turns, %zu held, %zu of them of another label\n",
		      r.turns, r.held, r.other);
	assert_true(r.turns > 500 && r.held > 0);
	assert_int_equal(r.other, 0);
}

#define ROWS 1200

enum shape { AT_REST, NOISE, DAILY, LEAKS_LATE, LEAKS, WARMS, SHAPES };

static double shape_at(enum shape shape, double u)
{
	switch (shape) {
	case NOISE:
		return 100e6 * (1 + 0.01 * ht_made_normal());
	case DAILY:
		return 100e6 * (1 + 0.2 * sin(40 * u));
	case LEAKS_LATE:
		return u < 0.5 ? 100e6 : 100e6 * (0.5 + u);
	case LEAKS:
		return 100e6 * (1 + u) * (1 + 0.002 * ht_made_normal());
	case WARMS:
		return 100e6 * (1 - exp(-u / 0.05));
	default:
		return 100e6;
	}
}

static void of_made_runs_what_is_held_is_what_would_be_told(void **state)
{
	(void)state;
	for (enum shape shape = 0; shape < SHAPES; shape++) {
		struct replay r = {0};

		for (uint64_t seed = 1; seed <= 5; seed++) {
			double x[ROWS];
			struct ht_series s;

			ht_series_init(&s);
			ht_made_seed(seed);
			for (size_t i = 0; i < ROWS; i++)
				x[i] = shape_at(shape, (double)i / ROWS);
			ht_made_in_use(&s, x, ROWS, 0);
			run(&s, &r);
			ht_series_fini(&s);
		}
		print_message("shape %d: %zu turns, %zu held, %zu other\n",
			      (int)shape, r.turns, r.held, r.other);
		assert_int_equal(r.other, 0);
		if (shape == AT_REST)
			assert_true(r.held > r.turns / 2);
		if (shape == LEAKS)
			assert_true(r.held < r.turns / 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_within_the_stretch_before_is_calm),
		cmocka_unit_test(
			a_slow_rise_leaves_the_band_of_the_stretch_before),
		cmocka_unit_test(what_is_unknown_or_known_by_now_is_not_calm),
		cmocka_unit_test(
			time_and_the_machine_s_free_memory_move_nothing),
		cmocka_unit_test(
			calm_waits_an_eighth_of_the_history_and_20_minutes_most),
		cmocka_unit_test(what_is_not_stable_is_judged_at_each_turn),
		cmocka_unit_test(
			of_recorded_runs_what_is_held_is_what_would_be_told),
		cmocka_unit_test(
			of_made_runs_what_is_held_is_what_would_be_told),
	};

	return cmocka_run_group_tests_name("calm", tests, NULL, NULL);
}
