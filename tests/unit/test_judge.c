/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s
 * The daemon reads only some metrics from the store: they must be enough for
 * the verdict of the whole series, as the CLI gives it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/needs.h"
#include "common/clock.h"
#include "daemon/alerts/judge.h"
#include "tests/lib/fake.h"
#include "tests/lib/made.h"
#include "tests/lib/trace.h"

#define ROWS 240

/* What the daemon does not ask for is unknown to it. */
static void as_the_daemon_reads(struct ht_series *s)
{
	bool read[HT_METRIC_COUNT];

	ht_verdict_needs(read);
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		for (size_t k = 0; k < HT_STAT_COUNT && !read[m]; k++)
			for (size_t row = 0; row < s->rows; row++)
				s->metric[m][k][row] = NAN;
}

/* NaN is equal to NaN: both say that it is not known. */
static void assert_same_number(double a, double b)
{
	assert_true(a == b || (isnan(a) && isnan(b)));
}

static void assert_same_verdict(const struct ht_verdict *a,
				const struct ht_verdict *b)
{
	assert_string_equal(ht_label_names[a->label], ht_label_names[b->label]);
	assert_int_equal(a->also_n, b->also_n);
	for (size_t i = 0; i < a->also_n; i++)
		assert_int_equal(a->also[i], b->also[i]);
	assert_same_number(a->confidence, b->confidence);
	assert_int_equal(a->from_ns, b->from_ns);
	assert_int_equal(a->to_ns, b->to_ns);
	assert_int_equal(a->since_ns, b->since_ns);
	assert_int_equal(a->samples, b->samples);
	assert_string_equal(a->reason, b->reason);
	assert_int_equal(a->evidence_n, b->evidence_n);
	for (size_t i = 0; i < a->evidence_n; i++)
		assert_string_equal(a->evidence[i], b->evidence[i]);
	assert_string_equal(a->remedy, b->remedy);
	assert_int_equal(a->remedy_bytes, b->remedy_bytes);
	assert_same_number(a->slope_bytes_per_hour, b->slope_bytes_per_hour);
	assert_int_equal(a->eta_at_ns, b->eta_at_ns);
	assert_int_equal(a->eta_low_ns, b->eta_low_ns);
	assert_int_equal(a->eta_high_ns, b->eta_high_ns);
	assert_int_equal(a->limit_bytes, b->limit_bytes);
	assert_int_equal(a->culprit_class, b->culprit_class);
	assert_string_equal(a->culprit, b->culprit);
	assert_int_equal(a->idle_floor, b->idle_floor);
	assert_same_number(a->period_s, b->period_s);
}

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
	if (!all)
		as_the_daemon_reads(s);
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
		assert_same_verdict(&a, &b);
		ht_series_fini(&full);
		ht_series_fini(&masked);
	}
}

/* --- recorded and made series: both ways, to the last digit -------------- */

struct both {
	size_t series;
	size_t labels[HT_LABEL_COUNT];
};

static void judge_recorded(const struct ht_trace *t, void *ctx)
{
	struct both *c = ctx;
	/* the trace is this caller's: nobody reads it after us */
	struct ht_series *s = (struct ht_series *)(uintptr_t)&t->series;
	struct ht_verdict whole[3], read;

	for (size_t i = 1; i <= 3; i++)
		ht_verdict(s, s->time_ns[s->rows * i / 3 - 1], NULL,
			   &whole[i - 1]);
	as_the_daemon_reads(s);
	for (size_t i = 1; i <= 3; i++) {
		ht_verdict(s, s->time_ns[s->rows * i / 3 - 1], NULL, &read);
		assert_same_verdict(&whole[i - 1], &read);
	}
	c->series++;
	c->labels[read.label]++;
}

static void
a_recorded_run_is_judged_alike_by_the_daemon_and_the_cli(void **state)
{
	struct both c = {0};

	(void)state;
	for (size_t every = 1; every <= 2; every++) {
		ht_trace_each("tests/workloads/traces/open", every,
			      judge_recorded, &c);
		ht_trace_each("tests/workloads/traces/own", every,
			      judge_recorded, &c);
	}
	assert_true(c.series >= 2 * 48);
	assert_true(c.labels[HT_LABEL_LEAK] > 0);
}

/* A process whose heap moves by `shape` at u of 0..1, with noise: bytes. */
struct kind {
	const char *name;
	double (*arenas)(double u);
	double (*mmapped)(double u);
	double asked; /* of the blocks, for each byte that is resident */
};

static double level(double u)
{
	(void)u;
	return 100e6;
}

static double little(double u)
{
	(void)u;
	return 1e6;
}

static double ramp(double u)
{
	return 100e6 * (1 + u);
}

static double fills(double u)
{
	return 100e6 * (1 - exp(-u / 0.1));
}

static double teeth(double u)
{
	return 100e6 * (1 + fmod(7 * u, 1));
}

/* A vector that doubles its capacity: what is asked for rises in steps, what
 * is written steadily. */
static double vector(double u)
{
	return 8e6 + 250e6 * u;
}

static double doubled(double resident)
{
	double capacity = 4e6;

	while (capacity < resident)
		capacity *= 2;
	return capacity;
}

static void make_kind(const struct kind *k, uint64_t seed, struct ht_series *s)
{
	ht_series_init(s);
	ht_made_seed(seed);
	for (size_t i = 0; i < ROWS; i++) {
		double u = (double)i / ROWS, noise = 0.002 * ht_made_normal();
		double used = k->arenas(u) * (1 + noise);
		double mapped = k->mmapped(u) * (1 + noise);
		double asked = k->asked > 1 ? doubled(mapped) : mapped;

		assert_int_equal(
			ht_series_add_row(s, (int64_t)i * 60 * HT_NS_PER_S,
					  NULL),
			HT_OK);
		for (enum ht_metric m = 0; m < HT_METRIC_COUNT; m++)
			ht_made_put(s, m, 1e6 * (1 + ht_made_uniform() / 50));
		ht_made_put(s, HT_M_uncertain, 0);
		ht_made_put(s, HT_M_in_use, used + asked);
		ht_made_put(s, HT_M_in_use_arena, used);
		ht_made_put(s, HT_M_mmapped, asked);
		ht_made_put(s, HT_M_mmapped_resident, mapped);
		ht_made_put(s, HT_M_system, used * 1.1);
		ht_made_put(s, HT_M_heap_resident, used * 1.05);
		ht_made_put(s, HT_M_retained, used * 0.05);
		ht_made_put(s, HT_M_rss_anon, used * 1.05 + mapped + 2e6);
	}
}

static void
a_made_series_is_judged_alike_by_the_daemon_and_the_cli(void **state)
{
	static const struct kind kinds[] = {
		{"level", level, little, 1},	 {"ramp", ramp, little, 1},
		{"warm-up", fills, little, 1},	 {"sawtooth", teeth, little, 1},
		{"mapped ramp", level, ramp, 1}, {"vector", little, vector, 2},
	};
	size_t leaking_vectors = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct ht_verdict whole, read;
			struct ht_series s;

			make_kind(&kinds[i], seed, &s);
			ht_verdict(&s, s.time_ns[ROWS - 1], NULL, &whole);
			as_the_daemon_reads(&s);
			ht_verdict(&s, s.time_ns[ROWS - 1], NULL, &read);
			assert_same_verdict(&whole, &read);
			leaking_vectors += kinds[i].asked > 1 &&
					   read.label == HT_LABEL_LEAK;
			ht_series_fini(&s);
		}
	assert_int_equal(leaking_vectors, 20);
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
			a_recorded_run_is_judged_alike_by_the_daemon_and_the_cli),
		cmocka_unit_test(
			a_made_series_is_judged_alike_by_the_daemon_and_the_cli),
		cmocka_unit_test(
			verdicts_are_made_less_often_when_they_would_cost_too_much),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
