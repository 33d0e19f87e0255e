/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s
 * Properties of verdicts: what must not change a label, what must, and that
 * nothing in a series can make the judge stumble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "tests/lib/made.h"
#include "tests/lib/trace.h"

#define OPEN  "tests/workloads/traces/open"
#define LEVEL 100e6
#define HOUR  (INT64_C(3600) * HT_NS_PER_S)
#define DAY   (24 * HOUR)

static int64_t end_of(const struct ht_series *s)
{
	return s->time_ns[s->rows - 1];
}

static enum ht_label label_at_end(const struct ht_series *s)
{
	struct ht_verdict v;

	ht_verdict_window(s, s->time_ns[0], end_of(s), NULL, &v);
	return v.label;
}

/* --- what samples are worth ---------------------------------------------- */

static void leaking(struct ht_series *s)
{
	double x[60];

	ht_made_seed(4);
	for (size_t i = 0; i < 60; i++)
		x[i] = LEVEL + 1e5 * (double)i + 1e4 * ht_made_normal();
	ht_made_in_use(s, x, 60, 0);
}

/* The same leak from samples that may be off by `off` bytes each. */
static double confidence_of_leak(double off)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	ht_series_init(&s);
	leaking(&s);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < s.rows; i++)
			s.metric[HT_M_uncertain][k][i] = off;
	ht_verdict_window(&s, s.time_ns[0], end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	return v.confidence;
}

static void estimated_samples_make_no_verdict_surer(void **state)
{
	double exact = confidence_of_leak(0), rise = 0;

	(void)state;
	for (double off = 1e4; off < 9e6; off *= 1.5) {
		double c = confidence_of_leak(off);

		assert_true(c <= exact);
		assert_true(rise == 0 || c <= rise);
		rise = c;
	}
	assert_true(rise < exact);
}

/* --- invariance ---------------------------------------------------------- */

static void stretch(struct ht_series *s, int64_t by, int64_t shift)
{
	for (size_t i = 0; i < s->rows; i++)
		s->time_ns[i] = s->time_ns[i] * by + shift;
}

static bool is_bytes(enum ht_metric m)
{
	return strcmp(ht_metric_infos[m].unit, "bytes") == 0;
}

static void enlarge(struct ht_series *s, double by)
{
	for (size_t i = 0; i < s->rows; i++) {
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			for (size_t m = 0; m < HT_METRIC_COUNT; m++)
				if (is_bytes((enum ht_metric)m))
					s->metric[m][k][i] *= by;
			for (size_t c = 0; c < s->classes_n; c++)
				s->classes[c].bytes[k][i] *= by;
		}
	}
}

static void same_when_moved_or_stretched(const struct ht_trace *t, void *ctx)
{
	/* the trace is ours while this runs */
	struct ht_series *s = (struct ht_series *)(uintptr_t)&t->series;
	enum ht_label label = label_at_end(s);

	(void)ctx;
	stretch(s, 1, INT64_C(1700000000) * HT_NS_PER_S);
	assert_int_equal(label_at_end(s), label);
	stretch(s, 1, -INT64_C(1700000000) * HT_NS_PER_S);
	stretch(s, 97, 0); /* no usual period */
	assert_int_equal(label_at_end(s), label);
}

static void time_may_shift_and_stretch(void **state)
{
	(void)state;
	ht_trace_each(OPEN, 1, same_when_moved_or_stretched, NULL);
}

/* Over a working day a rise of everything may be the load's: then it is called
 * that, unsure; whatever can be told apart is still told. */
static void same_or_load_in_a_day(const struct ht_trace *t, void *ctx)
{
	struct ht_series *s = (struct ht_series *)(uintptr_t)&t->series;
	enum ht_label label = label_at_end(s);
	size_t *unsure = ctx;
	struct ht_verdict v;

	stretch(s, 977, 0);
	ht_verdict_window(s, s->time_ns[0], end_of(s), NULL, &v);
	if (v.label == label)
		return;
	assert_int_equal(label, HT_LABEL_LEAK);
	assert_string_equal(v.reason, "load");
	assert_true(v.confidence < 0.8);
	++*unsure;
}

static void stretched_to_a_day_only_what_load_may_be_is_unsure(void **state)
{
	size_t unsure = 0;

	(void)state;
	ht_trace_each(OPEN, 1, same_or_load_in_a_day, &unsure);
	assert_true(unsure <= 2);
}

static void same_when_larger(const struct ht_trace *t, void *ctx)
{
	struct ht_series *s = (struct ht_series *)(uintptr_t)&t->series;
	enum ht_label label = label_at_end(s);

	(void)ctx;
	enlarge(s, 10);
	assert_int_equal(label_at_end(s), label);
	enlarge(s, 10);
	assert_int_equal(label_at_end(s), label);
}

static void sizes_may_be_ten_and_a_hundred_times_larger(void **state)
{
	(void)state;
	ht_trace_each(OPEN, 1, same_when_larger, NULL);
}

/* --- more data ----------------------------------------------------------- */

static bool opposite(enum ht_label a, enum ht_label b)
{
	bool leak_a = a == HT_LABEL_LEAK, leak_b = b == HT_LABEL_LEAK;
	bool calm_a = a == HT_LABEL_STABLE || a == HT_LABEL_PERIODIC;
	bool calm_b = b == HT_LABEL_STABLE || b == HT_LABEL_PERIODIC;

	return (leak_a && calm_b) || (calm_a && leak_b);
}

/* The same process seen for longer and longer. */
static void never_turns(double slope, double noise)
{
	double x[2000];

	for (int run = 0; run < 20; run++) {
		HT_AUTO_SERIES struct ht_series s;
		enum ht_label sure = HT_LABEL_INSUFFICIENT_DATA;

		ht_series_init(&s);
		for (size_t i = 0; i < 2000; i++)
			x[i] = LEVEL * (1 + slope * (double)i / 100 +
					noise * ht_made_normal());
		ht_made_in_use(&s, x, 2000, 0.2);
		for (size_t n = 30; n <= 2000; n += 35) {
			struct ht_verdict v;

			ht_verdict_window(&s, 0, s.time_ns[n - 1], NULL, &v);
			assert_false(opposite(sure, v.label));
			if (v.confidence >= 0.8)
				sure = v.label;
		}
	}
}

static void more_data_never_turns_a_sure_verdict(void **state)
{
	(void)state;
	ht_made_seed(11);
	never_turns(0.3, 0.005); /* a leak */
	never_turns(0, 0.02);	 /* no leak */
}

/* --- windows ------------------------------------------------------------- */

static void fill_days(struct ht_series *s, double days,
		      double (*at)(double day))
{
	double x[20000];
	size_t n = (size_t)(days * 1440);

	for (size_t i = 0; i < n; i++)
		x[i] = LEVEL * at((double)i / 1440) *
		       (1 + 0.002 * ht_made_normal());
	ht_made_in_use(s, x, n, 0.2);
}

static double daily(double day)
{
	return 1 + 0.3 * sin(2 * M_PI * day);
}

static double daily_leak(double day)
{
	return daily(day) + 0.1 * day;
}

static double leak_since_last_hour(double day)
{
	return day < 2.9 ? 1 : 1 + 2 * (day - 2.9);
}

static double leak_until_yesterday(double day)
{
	return 1 + 0.3 * fmin(day, 2);
}

static enum ht_label choice(double days, double (*at)(double day),
			    struct ht_verdict *v)
{
	HT_AUTO_SERIES struct ht_series s;

	ht_series_init(&s);
	ht_made_seed(6);
	fill_days(&s, days, at);
	ht_verdict(&s, end_of(&s), NULL, v);
	return v->label;
}

static void a_morning_is_no_leak(void **state)
{
	struct ht_verdict v;

	(void)state;
	/* the last hours rise steeply, as they did each day */
	assert_int_equal(choice(7.1, daily, &v), HT_LABEL_PERIODIC);
	assert_true(fabs(v.period_s - 86400) < 4000);
}

static void a_leak_under_the_daily_wave_is_found(void **state)
{
	struct ht_verdict v;

	(void)state;
	assert_int_equal(choice(7.1, daily_leak, &v), HT_LABEL_LEAK);
}

static void a_young_leak_is_found_in_a_short_window(void **state)
{
	struct ht_verdict v;

	(void)state;
	assert_int_equal(choice(3, leak_since_last_hour, &v), HT_LABEL_LEAK);
	assert_true(v.since_ns > 2 * DAY);
}

static void a_leak_that_stopped_is_none(void **state)
{
	struct ht_verdict v;

	(void)state;
	assert_int_not_equal(choice(3.5, leak_until_yesterday, &v),
			     HT_LABEL_LEAK);
}

static void rolled_up_rows_give_the_same_label(const struct ht_trace *t,
					       void *ctx)
{
	HT_AUTO_SERIES struct ht_series rolled;
	struct ht_err err;
	size_t *differ = ctx;

	ht_series_init(&rolled);
	assert_int_equal(ht_series_window(&t->series, 0, INT64_MAX,
					  t->series.rows / 2, &rolled, &err),
			 HT_OK);
	if (label_at_end(&rolled) == HT_LABEL_INSUFFICIENT_DATA)
		return;
	*differ += label_at_end(&rolled) != label_at_end(&t->series);
}

static void rolled_up_data_judge_like_raw_ones(void **state)
{
	size_t differ = 0;

	(void)state;
	ht_trace_each(OPEN, 1, rolled_up_rows_give_the_same_label, &differ);
	assert_true(differ <= 1);
}

/* --- gaps ---------------------------------------------------------------- */

static void too_few_rows_and_long_gaps_are_said_not_guessed(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;
	double x[60];

	(void)state;
	ht_series_init(&s);
	ht_verdict(&s, 0, NULL, &v);
	assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
	for (size_t i = 0; i < 60; i++)
		x[i] = LEVEL;
	ht_made_in_use(&s, x, 60, 0);
	ht_verdict(&s, s.time_ns[8], NULL, &v);
	assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
	assert_true(v.evidence_n > 0);
	for (size_t i = 50; i < 60; i++)
		s.time_ns[i] += HOUR / 2;
	ht_verdict_window(&s, 0, s.time_ns[59], NULL, &v);
	assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
	assert_non_null(strstr(v.reason, "gap"));
}

/* 500 MB read in within a dozen samples are a line as straight as a leak's. */
static void a_program_that_loads_is_no_leak_until_it_goes_on(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	enum ht_label label;
	double x[40];

	(void)state;
	ht_series_init(&s);
	for (size_t i = 0; i < 40; i++)
		x[i] = i < 5 ? 1e6 : 1e6 + 42e6 * (double)(i - 4);
	ht_made_in_use(&s, x, 40, 0);
	for (size_t i = 0; i < 17; i++) {
		struct ht_verdict v;

		ht_verdict(&s, s.time_ns[i], NULL, &v);
		assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
		if (i < 12)
			continue;
		assert_string_equal(v.reason, "young_growth");
		assert_true(v.evidence_n > 0 && v.also_n == 0);
	}
	label = label_at_end(&s);
	assert_int_equal(label, HT_LABEL_LEAK);
}

static void an_unmeasured_heap_is_no_stable_heap(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_err err;
	struct ht_verdict v;

	(void)state;
	ht_series_init(&s);
	for (size_t i = 0; i < 60; i++)
		assert_int_equal(ht_series_add_row(&s, (int64_t)i * HOUR, &err),
				 HT_OK);
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
}

/* Nothing but limits on what comes out. */
static void any_numbers_are_judged_without_harm(void **state)
{
	(void)state;
	ht_made_seed(8);
	for (int run = 0; run < 300; run++) {
		HT_AUTO_SERIES struct ht_series s;
		struct ht_verdict v;
		struct ht_err err;
		size_t n = (size_t)(ht_made_uniform() * 150);
		int64_t t = 0;

		ht_series_init(&s);
		for (size_t i = 0; i < n; i++) {
			t += (int64_t)(pow(10, 12 * ht_made_uniform()));
			assert_int_equal(ht_series_add_row(&s, t, &err), HT_OK);
			for (size_t m = 0; m < HT_METRIC_COUNT; m++)
				if (ht_made_uniform() < 0.9)
					ht_made_put(
						&s, (enum ht_metric)m,
						pow(10,
						    18 * ht_made_uniform()));
		}
		ht_verdict(&s, t, NULL, &v);
		assert_in_range(v.label, 0, HT_LABEL_COUNT - 1);
		assert_true(v.confidence >= 0 && v.confidence <= 1);
	}
}

/* --- ETA ----------------------------------------------------------------- */

/* 1 MB a minute, and 60 MB are left. */
static void grow_to_a_limit(struct ht_series *s)
{
	double x[90];

	ht_series_init(s);
	ht_made_seed(2);
	for (size_t i = 0; i < 90; i++)
		x[i] = LEVEL + 1e6 * (double)i + 1e5 * ht_made_normal();
	ht_made_in_use(s, x, 90, 0);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < 90; i++)
			s->metric[HT_M_limit][k][i] = 249e6;
}

static void the_limit_is_reached_when_the_line_says(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	grow_to_a_limit(&s);
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_true(fabs(v.slope_bytes_per_hour - 60e6) < 3e6);
	assert_true(llabs(v.eta_at_ns - v.to_ns - HOUR) < HOUR / 20);
	assert_true(v.eta_low_ns <= v.eta_at_ns &&
		    v.eta_at_ns <= v.eta_high_ns);
}

static bool says(const struct ht_verdict *v, const char *text)
{
	for (size_t i = 0; i < v->evidence_n; i++)
		if (strstr(v->evidence[i], text))
			return true;
	return false;
}

static void a_limit_that_could_not_be_read_may_come_first(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	HT_AUTO_SERIES struct ht_series s;
	struct ht_unknown *u;
	struct ht_verdict v;

	(void)state;
	ht_snapshot_init(&latest);
	grow_to_a_limit(&s);
	u = ht_snapshot_add_unknown(&latest);
	assert_non_null(u);
	strcpy(u->names, "totals.retained limits.threads_max");
	strcpy(u->text, "what is asked is not told");
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_true(says(&v, "limit 237.5 MiB"));
	assert_false(says(&v, "may come first"));
	strcpy(u->names, "limits.cgroup_max limits.cgroup_used");
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_true(says(
		&v, "another limit may come first: what is asked is not told"));
}

static void what_does_not_grow_has_no_eta(void **state)
{
	struct ht_verdict v;

	(void)state;
	choice(7.1, daily, &v);
	assert_true(isnan(v.slope_bytes_per_hour));
	assert_int_equal(v.eta_at_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(estimated_samples_make_no_verdict_surer),
		cmocka_unit_test(time_may_shift_and_stretch),
		cmocka_unit_test(
			stretched_to_a_day_only_what_load_may_be_is_unsure),
		cmocka_unit_test(sizes_may_be_ten_and_a_hundred_times_larger),
		cmocka_unit_test(more_data_never_turns_a_sure_verdict),
		cmocka_unit_test(a_morning_is_no_leak),
		cmocka_unit_test(a_leak_under_the_daily_wave_is_found),
		cmocka_unit_test(a_young_leak_is_found_in_a_short_window),
		cmocka_unit_test(a_leak_that_stopped_is_none),
		cmocka_unit_test(rolled_up_data_judge_like_raw_ones),
		cmocka_unit_test(
			too_few_rows_and_long_gaps_are_said_not_guessed),
		cmocka_unit_test(an_unmeasured_heap_is_no_stable_heap),
		cmocka_unit_test(
			a_program_that_loads_is_no_leak_until_it_goes_on),
		cmocka_unit_test(any_numbers_are_judged_without_harm),
		cmocka_unit_test(the_limit_is_reached_when_the_line_says),
		cmocka_unit_test(a_limit_that_could_not_be_read_may_come_first),
		cmocka_unit_test(what_does_not_grow_has_no_eta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
