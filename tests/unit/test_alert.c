/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions, and the machine that moves alerts. No clock, no I/O. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/rules.h"
#include "common/clock.h"

#define MIB    1048576.0
#define MINUTE (60 * HT_NS_PER_S)
#define T0     (INT64_C(1750000000) * HT_NS_PER_S)

static void set(struct ht_series *s, enum ht_metric m, double v)
{
	for (int k = 0; k < HT_STAT_COUNT; k++)
		s->metric[m][k][s->rows - 1] = v;
}

/* One row a minute: in use, trimmable and anonymous MiB. */
static void add(struct ht_series *s, double in_use, double trimmable,
		double anon)
{
	assert_int_equal(
		ht_series_add_row(s, T0 + (int64_t)s->rows * MINUTE, NULL),
		HT_OK);
	set(s, HT_M_in_use, in_use * MIB);
	set(s, HT_M_trimmable, trimmable * MIB);
	set(s, HT_M_rss_anon, anon * MIB);
	set(s, HT_M_swap, 0);
}

static struct ht_situation at_end(const struct ht_series *s)
{
	return (struct ht_situation){.now_ns = s->rows ? s->time_ns[s->rows - 1]
						       : T0,
				     .series = s,
				     .failures = 0,
				     .inconsistent = 0,
				     .gap_intervals = 1,
				     .stop_ratio = 0};
}

static enum ht_truth ask(const char *text, const struct ht_series *s,
			 double ease)
{
	struct ht_condition c;
	struct ht_situation now = at_end(s);
	struct ht_err err;

	if (ht_condition_parse(text, &c, &err) != HT_OK)
		fail_msg("%s: %s", text, err.msg);
	return ht_condition_ask(&c, &now, ease, NULL, NULL);
}

static void conditions_calculate_as_written(void **state)
{
	static const struct {
		const char *text;
		enum ht_truth wanted;
	} cases[] = {
		{"trimmable >= 300M", HT_TRUE},
		{"trimmable > 300M", HT_FALSE},
		{"trimmable / anon >= 30%", HT_TRUE},
		{"trimmable >= max(256M, 30% of anon)", HT_TRUE},
		{"trimmable >= max(256M, 31% of anon)", HT_FALSE},
		{"trimmable >= min(1G, 30% of anon) and anon < 1000M",
		 HT_FALSE},
		{"trimmable >= min(1G, 30% of anon) and anon <= 1000M",
		 HT_TRUE},
		{"anon < 1 or trimmable - 100M <= 200M", HT_TRUE},
		{"2 + 3 * 4 <= 14 and (2 + 3) * 4 >= 20", HT_TRUE},
		{"lowest(trimmable, 10m) <= 20M", HT_TRUE},
		{"highest(trimmable, 10m) >= 400M", HT_TRUE},
		{"trough(trimmable, 10m) >= 400M", HT_TRUE},
		{"mean(trimmable, 10m) <= 240M and mean(trimmable, 10m) >= "
		 "240M",
		 HT_TRUE},
		{"lowest(trimmable, 60s) >= 300M", HT_TRUE},
		{"trough(trimmable / anon, 10m) >= 40%", HT_TRUE},
		{"trough(trimmable / anon, 10m) > 40%", HT_FALSE},
		{"lowest(trimmable / anon, 10m) <= 2%", HT_TRUE},
		{"highest(anon - trimmable, 10m) >= 980M", HT_TRUE},
		{"highest(anon - trimmable, 10m) > 980M", HT_FALSE},
		{"2 * mean(2 * (trimmable + anon), 10m) >= 4960M and "
		 "2 * mean(2 * (trimmable + anon), 10m) <= 4960M",
		 HT_TRUE},
		{"lowest(anon / swap, 10m) > 1", HT_UNSURE},
		{"retained >= 1", HT_UNSURE},
		{"retained >= 1 and anon < 1", HT_FALSE},
		{"retained >= 1 or anon > 1", HT_TRUE},
		{"eta < 2h", HT_UNSURE},
		{"anon / swap > 1", HT_UNSURE}, /* a division by zero */
		{"failures >= 0 and gap_intervals < 5", HT_TRUE},
	};
	struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(&s, 900, 20, 1000);
	add(&s, 100, 400, 1000);
	add(&s, 500, 300, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (ask(cases[i].text, &s, 1) != cases[i].wanted)
			fail_msg("%s: wanted %d", cases[i].text,
				 cases[i].wanted);
	}
	ht_series_fini(&s);
}

static void bad_conditions_are_refused_with_the_place(void **state)
{
	static const struct {
		const char *text, *in_message;
	} cases[] = {
		{"", "ends where"},
		{"rss", ">= > <= <"},
		{"rsss > 1", "'rsss' is no metric; did you mean 'rss'"},
		{"rss > 1x", "unit"},
		{"rss > (1", "')'"},
		{"rss > 1 and", "ends where"},
		{"rss > 1 rss", "'and', 'or'"},
		{"trough(eta, 10m) > 1", "recorded"},
		{"trough(rss) > 1", "','"},
		{"mean(rss / eta, 10m) > 1", "recorded"},
		{"mean(lowest(rss, 1m), 10m) > 1", "recorded"},
		{"mean(rss + external, 10m) > 1", "unit"},
		{"rate(rss / heap_resident, 10m) > 3M and "
		 "rate(rss, 10m) > 3s",
		 "bytes/hours"},
		{"rss > ((((((((((((((((((1))))))))))))))))))", "brackets"},
		{"rss > nan", "nan"},
		{"rss > 1e308T", "smaller"},
		{"trough(rss, 2T) > 4", "ten years"},
		{"rss > 5m", "'bytes' cannot be compared with"},
		{"rss + threads > 4",
		 "'threads' cannot be added to one of unit 'bytes'"},
		{"trimmable > 30%", "unit 'ratio'"},
		{"eta < 3MiB", "unit 'seconds'"},
		{"rate(rss, 1h) > rss", "unit 'bytes/hours'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ht_condition c;
		struct ht_err err = {0};

		assert_int_equal(ht_condition_parse(cases[i].text, &c, &err),
				 HT_CONFIG);
		if (!strstr(err.msg, cases[i].in_message))
			fail_msg("'%s': %s", cases[i].text, err.msg);
	}
}

static void a_long_condition_is_refused_not_overrun(void **state)
{
	char text[HT_CONDITION_MAX] = "rss > 1";
	struct ht_condition c;

	(void)state;
	while (strlen(text) + 5 < sizeof(text))
		strcat(text, "+1+1");
	assert_int_equal(ht_condition_parse(text, &c, NULL), HT_CONFIG);
}

static void shipped_rules_parse_and_ask_something(void **state)
{
	size_t n = ht_rules_default_count();
	struct ht_rule *rules = calloc(n, sizeof(*rules));
	struct ht_err err = {0};

	(void)state;
	if (ht_rules_default(rules, &err) != HT_OK)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ht_rule_check(&rules[i], &err), HT_OK);
		assert_true(rules[i].enabled);
		assert_true(rules[i].summary[0]);
	}
	free(rules);
}

static struct ht_rule rule(const char *text)
{
	struct ht_rule r;
	struct ht_err err = {0};

	if (ht_rule_parse(text, &r, &err) != HT_OK)
		fail_msg("%s: %s", text, err.msg);
	return r;
}

static enum ht_alert_change step(struct ht_alert *a, const struct ht_rule *r,
				 struct ht_series *s, double trimmable)
{
	struct ht_situation now;

	add(s, 100, trimmable, 1000);
	now = at_end(s);
	return ht_alert_step(a, r, &now);
}

static void an_alert_waits_fires_and_clears_below_its_level(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M; for=2m; clear=80%");
	struct ht_alert a;
	struct ht_series s;
	char id[33];

	(void)state;
	ht_series_init(&s);
	ht_alert_init(&a, &r, "web", "boot:1:2");
	assert_int_equal(step(&a, &r, &s, 99), HT_CHANGE_NONE);
	assert_int_equal(step(&a, &r, &s, 100), HT_CHANGE_PENDING);
	assert_int_equal(strlen(a.id), 32);
	strcpy(id, a.id);
	assert_int_equal(step(&a, &r, &s, 120), HT_CHANGE_NONE);
	assert_int_equal(step(&a, &r, &s, 120), HT_CHANGE_FIRING);
	/* between the levels it stays, below the lower one it ends */
	assert_int_equal(step(&a, &r, &s, 81), HT_CHANGE_NONE);
	assert_int_equal(a.state, HT_ALERT_FIRING);
	assert_int_equal(step(&a, &r, &s, 79), HT_CHANGE_RESOLVED);
	assert_string_equal(a.id, id);
	assert_true(a.resolved_ns > a.firing_ns && a.firing_ns > a.pending_ns);
	ht_series_fini(&s);
}

/* What is said of both sides, up to the end of the line. */
static void assert_said(const char *condition, double trimmable,
			const char *wanted)
{
	struct ht_rule r = rule("rss > 1; for=1s");
	struct ht_alert a;
	struct ht_series s;
	const char *said;

	assert_int_equal(ht_condition_parse(condition, &r.condition, NULL),
			 HT_OK);
	ht_series_init(&s);
	ht_alert_init(&a, &r, "web", "boot:1:2");
	assert_int_equal(step(&a, &r, &s, trimmable), HT_CHANGE_PENDING);
	assert_int_equal(step(&a, &r, &s, trimmable), HT_CHANGE_FIRING);
	said = a.evidence + strlen(condition) + 2;
	if (strncmp(said, wanted, strlen(wanted)) != 0 ||
	    said[strlen(wanted)] != '\n')
		fail_msg("%s: %s", condition, a.evidence);
	ht_series_fini(&s);
}

static void what_fires_is_told_in_the_units_of_its_condition(void **state)
{
	(void)state;
	assert_said("trimmable >= 32M", 100.125, "100.1 MiB against 32.0 MiB");
	assert_said("trimmable / anon >= 1%", 31, "3.1 % against 1.0 %");
	assert_said("2h >= 90m and trimmable > 1M", 2, "2h00m against 1h30m");
	assert_said("failures + 3 >= 2", 2, "3 against 2");
}

static void a_pending_alert_that_stops_is_dropped(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M; for=10m");
	struct ht_alert a;
	struct ht_series s;

	(void)state;
	ht_series_init(&s);
	ht_alert_init(&a, &r, "web", "k");
	assert_int_equal(step(&a, &r, &s, 100), HT_CHANGE_PENDING);
	assert_int_equal(step(&a, &r, &s, 99), HT_CHANGE_DROPPED);
	assert_int_equal(a.state, HT_ALERT_OK);
	ht_series_fini(&s);
}

static void what_is_unknown_changes_nothing(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M");
	struct ht_alert a;
	struct ht_series s;

	(void)state;
	ht_series_init(&s);
	ht_alert_init(&a, &r, "web", "k");
	assert_int_equal(step(&a, &r, &s, NAN), HT_CHANGE_NONE);
	assert_int_equal(step(&a, &r, &s, 200), HT_CHANGE_FIRING);
	assert_int_equal(step(&a, &r, &s, NAN), HT_CHANGE_NONE);
	assert_int_equal(a.state, HT_ALERT_FIRING);
	assert_int_equal(step(&a, &r, &s, 1), HT_CHANGE_RESOLVED);
	ht_series_fini(&s);
}

static void a_flapping_value_does_not_flap_the_alert(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M; keep_firing_for=3m");
	struct ht_alert a;
	struct ht_series s;
	size_t changes = 0;

	(void)state;
	ht_series_init(&s);
	ht_alert_init(&a, &r, "web", "k");
	for (int i = 0; i < 40; i++)
		changes += step(&a, &r, &s, i % 2 ? 50 : 150) != HT_CHANGE_NONE;
	assert_int_equal(changes, 1);
	assert_int_equal(a.state, HT_ALERT_FIRING);
	ht_series_fini(&s);
}

static void small_processes_are_left_alone(void **state)
{
	struct ht_rule r = rule("in_use >= 1; minimum=64M");
	struct ht_alert a;
	struct ht_series s;
	struct ht_situation now;

	(void)state;
	ht_series_init(&s);
	add(&s, 10, 10, 63);
	now = at_end(&s);
	ht_alert_init(&a, &r, "web", "k");
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_NONE);
	add(&s, 10, 10, 64);
	now = at_end(&s);
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_FIRING);
	ht_series_fini(&s);
}

static void
a_verdict_rule_needs_its_verdict_confidence_and_repetition(void **state)
{
	struct ht_rule r = rule("verdict=LEAK; confidence=0.8; evaluations=2");
	struct ht_verdict v = {.label = HT_LABEL_POOL_GROWTH,
			       .confidence = 0.95};
	struct ht_alert a;
	struct ht_series s;
	struct ht_situation now;

	(void)state;
	ht_series_init(&s);
	add(&s, 100, 0, 1000);
	now = at_end(&s);
	now.verdict = &v;
	ht_alert_init(&a, &r, "web", "k");
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_NONE);
	v.label = HT_LABEL_LEAK;
	v.confidence = 0.79;
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_NONE);
	v.confidence = 0.81;
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_PENDING);
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_FIRING);
	v.label = HT_LABEL_INSUFFICIENT_DATA; /* after our restart: not an
						 all-clear */
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_NONE);
	v.label = HT_LABEL_STABLE;
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_RESOLVED);
	ht_series_fini(&s);
}

static void a_leak_is_told_when_it_was_watched_for_ten_minutes(void **state)
{
	struct ht_rule rules[32];
	struct ht_verdict v = {.label = HT_LABEL_LEAK,
			       .confidence = 0.95,
			       .slope_bytes_per_hour = 1e12,
			       .from_ns = T0};
	struct ht_alert a;
	struct ht_series s;
	struct ht_situation now;
	struct ht_err err;

	(void)state;
	assert_true(ht_rules_default_count() <= 32);
	assert_int_equal(ht_rules_default(rules, &err), HT_OK);
	assert_string_equal(rules[0].name, "leak");
	ht_series_init(&s);
	add(&s, 100, 0, 1000);
	now = at_end(&s);
	now.verdict = &v;
	ht_alert_init(&a, &rules[0], "web", "k");
	for (int minute = 1; minute < 10; minute++) {
		v.to_ns = T0 + minute * MINUTE;
		assert_int_equal(ht_alert_step(&a, &rules[0], &now),
				 HT_CHANGE_NONE);
	}
	v.to_ns = T0 + 10 * MINUTE;
	v.since_ns = T0 + 5 * MINUTE; /* flat before */
	assert_int_equal(ht_alert_step(&a, &rules[0], &now), HT_CHANGE_NONE);
	v.to_ns = T0 + 15 * MINUTE;
	assert_int_equal(ht_alert_step(&a, &rules[0], &now), HT_CHANGE_PENDING);
	assert_int_equal(ht_alert_step(&a, &rules[0], &now), HT_CHANGE_FIRING);
	ht_series_fini(&s);
}

static void the_end_of_a_process_resolves_unless_the_rule_keeps(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M");
	struct ht_rule keep = rule("trimmable >= 100M; on_restart=keep");
	struct ht_alert a;
	struct ht_series s;

	(void)state;
	ht_series_init(&s);
	ht_alert_init(&a, &r, "web", "k");
	assert_int_equal(step(&a, &r, &s, 200), HT_CHANGE_FIRING);
	assert_int_equal(ht_alert_end(&a, &keep, T0), HT_CHANGE_NONE);
	assert_int_equal(ht_alert_end(&a, &r, T0), HT_CHANGE_RESOLVED);
	ht_series_fini(&s);
}

static void a_clock_set_back_does_not_fire_early(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M; for=10m; minimum=0");
	struct ht_alert a;
	struct ht_series s;
	struct ht_situation now;

	(void)state;
	ht_series_init(&s);
	add(&s, 1, 200, 1000);
	now = at_end(&s);
	ht_alert_init(&a, &r, "web", "k");
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_PENDING);
	now.now_ns -= 3600 * HT_NS_PER_S;
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_NONE);
	now.now_ns += 9 * MINUTE;
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_NONE);
	now.now_ns += MINUTE;
	assert_int_equal(ht_alert_step(&a, &r, &now), HT_CHANGE_FIRING);
	ht_series_fini(&s);
}

static void count_change(void *ctx, enum ht_alert_change change,
			 const struct ht_alert *a)
{
	size_t *counts = ctx;

	(void)a;
	counts[change]++;
}

static void a_replay_does_what_the_daemon_would_have_done(void **state)
{
	struct ht_rule r = rule("trimmable >= 100M; for=5m; clear=80%");
	size_t counts[HT_CHANGE_RESOLVED + 1] = {0};
	struct ht_replay replay;
	struct ht_series s;

	(void)state;
	ht_series_init(&s);
	for (int i = 0; i < 60; i++)
		add(&s, 100, i >= 10 && i < 40 ? 200 : 10, 1000);
	assert_int_equal(ht_rule_replay(&r, &s, MINUTE, count_change, counts,
					&replay, NULL),
			 HT_OK);
	assert_int_equal(replay.asked, 60);
	assert_int_equal(replay.fired, 1);
	assert_int_equal(counts[HT_CHANGE_FIRING], 1);
	assert_int_equal(counts[HT_CHANGE_RESOLVED], 1);
	assert_int_equal(replay.firing_ns, 25 * MINUTE);
	ht_series_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_calculate_as_written),
		cmocka_unit_test(bad_conditions_are_refused_with_the_place),
		cmocka_unit_test(a_long_condition_is_refused_not_overrun),
		cmocka_unit_test(shipped_rules_parse_and_ask_something),
		cmocka_unit_test(
			an_alert_waits_fires_and_clears_below_its_level),
		cmocka_unit_test(
			what_fires_is_told_in_the_units_of_its_condition),
		cmocka_unit_test(a_pending_alert_that_stops_is_dropped),
		cmocka_unit_test(what_is_unknown_changes_nothing),
		cmocka_unit_test(a_flapping_value_does_not_flap_the_alert),
		cmocka_unit_test(small_processes_are_left_alone),
		cmocka_unit_test(
			a_verdict_rule_needs_its_verdict_confidence_and_repetition),
		cmocka_unit_test(
			a_leak_is_told_when_it_was_watched_for_ten_minutes),
		cmocka_unit_test(
			the_end_of_a_process_resolves_unless_the_rule_keeps),
		cmocka_unit_test(a_clock_set_back_does_not_fire_early),
		cmocka_unit_test(a_replay_does_what_the_daemon_would_have_done),
	};

	return cmocka_run_group_tests_name("alert", tests, NULL, NULL);
}
