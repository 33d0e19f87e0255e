/* SPDX-License-Identifier: Apache-2.0 */
/* Store: which processes are one program, started again, and what is read of
 * those that ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#include "analysis/needs.h"
#include "page/judged.h"
#include "store/store_int.h"
#include "tests/lib/store.h"

#define HOUR	(3600 * HT_NS_PER_S)
#define STEP_S	600
#define CLASSES 12

static struct ht_store *st;

/* One process of a target, sampled from `from_h` for `hours`. Its table row's
 * id. */
static int64_t live(const char *target, const char *comm, uint64_t pid,
		    double from_h, double hours)
{
	const struct fake f = {.pid = pid,
			       .arenas = 1,
			       .threads = 1,
			       .classes = CLASSES,
			       .leak = 4 << 20,
			       .start_ns = FAKE_T0 +
					   (int64_t)(from_h * (double)HOUR),
			       .step_ns = STEP_S * HT_NS_PER_S};
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	int64_t sample = 0, process = 0;

	ht_snapshot_init(&s);
	for (uint64_t n = 0; n * STEP_S < (uint64_t)(hours * 3600); n++) {
		fake_snapshot(&f, n, &s);
		snprintf(s.head.comm, sizeof(s.head.comm), "%s", comm);
		assert_ok(ht_store_add(st, target, &s, &sample, &err));
	}
	assert_ok(ht_store_sample_process(st, sample, &process, &err));
	return process;
}

static int begin(void **state)
{
	if (fresh(state) != 0)
		return -1;
	return ht_store_open(path, HT_STORE_WRITE, &st, &err) == HT_OK ? 0 : -1;
}

static int end(void **state)
{
	ht_store_close(st);
	return clean(state);
}

static void expect_lives(int64_t of, double at_h, size_t n,
			 const double *begin_h)
{
	HT_AUTO_LIVES struct ht_store_lives lives = {.n = 0};

	assert_ok(ht_store_lives(st, of,
				 FAKE_T0 + (int64_t)(at_h * (double)HOUR), NULL,
				 &lives, &err));
	assert_int_equal(lives.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct ht_series *s = &lives.life[i];

		assert_int_equal(s->time_ns[0],
				 FAKE_T0 +
					 (int64_t)(begin_h[i] * (double)HOUR));
		assert_int_equal(s->classes_n, CLASSES);
	}
}

static void lives_come_oldest_first_with_their_classes(void **state)
{
	static const double begins[] = {0, 5, 10};

	(void)state;
	live("web", "webd", 11, 0, 5);
	live("web", "webd", 12, 5, 5);
	live("web", "webd", 13, 10, 5);
	expect_lives(live("web", "webd", 14, 15, 2), 17, 3, begins);
}

static void
others_siblings_and_what_hardly_lived_are_no_lives_before(void **state)
{
	static const double begins[] = {0};
	int64_t now;

	(void)state;
	live("web", "webd", 21, 0, 6);
	live("web", "webd", 22, 6, 0.5); /* it crashed at once */
	live("db", "webd", 23, 0, 6);	 /* another target */
	live("web", "helper", 24, 0, 6); /* another program */
	now = live("web", "webd", 25, 7, 6);
	live("web", "webd", 26, 6.9, 6.1); /* a worker beside it */
	expect_lives(now, 13, 1, begins);
}

static void the_newest_seven_of_a_week_are_read(void **state)
{
	static const double begins[] = {6, 8, 10, 12, 14, 16, 18};
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 11; i++)
		now = live("web", "webd", 31 + (uint64_t)i, 2 * i, 2);
	expect_lives(now, 22, 7, begins);
	/* in six days and a half, only those of the last ones are left */
	expect_lives(now, 6.0 * 24 + 40, 0, NULL);
}

static void
a_process_of_less_than_five_minutes_is_compared_with_none(void **state)
{
	static const double begins[] = {0};
	int64_t now;

	(void)state;
	live("web", "webd", 91, 0, 3);
	now = live("web", "webd", 92, 3, 3);
	expect_lives(now, 3 + .08, 0, NULL);
	expect_lives(now, 3 + .09, 1, begins);
}

/* Rows are all that is looked at of them. */
static void crash(int times)
{
	char *message = NULL;
	char sql[512];

	snprintf(
		sql, sizeof(sql),
		"INSERT INTO process (target, boot_id, pid, start_ticks, exec, comm, exe, arch, cgroup, started_ns, first_ns, last_ns, samples, raw_from_ns, rolled_s) "
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) "
		"SELECT 'web', 'b', 100000 + n, n, 0, 'webd', '', '', '', 0, %" PRId64
		" + n, %" PRId64 " + n, 1, 0, 0 FROM c",
		times, FAKE_T0 + 5 * HOUR, FAKE_T0 + 5 * HOUR);
	if (sqlite3_exec(st->db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
}

static void a_crash_loop_hides_lives_and_costs_no_more(void **state)
{
	static const double begins[] = {0};
	int64_t now;

	(void)state;
	live("web", "webd", 95, 0, 4);
	now = live("web", "webd", 96, 6, 3);
	crash(HT_STORE_LIVES_ROWS - 2);
	expect_lives(now, 9, 1, begins);
	assert_int_equal(
		sqlite3_exec(
			st->db,
			"UPDATE process SET pid = pid + 1000000 WHERE pid > 100000",
			NULL, NULL, NULL),
		SQLITE_OK);
	crash(HT_STORE_LIVES_ROWS);
	/* for a quarter of its three hours what was found is remembered */
	expect_lives(now, 9.7, 1, begins);
	expect_lives(now, 9.8, 0, NULL);
}

static void a_process_of_three_days_tells_enough_by_itself(void **state)
{
	int64_t now;

	(void)state;
	live("web", "webd", 41, 0, 3);
	now = live("web", "webd", 42, 3, 73);
	expect_lives(now, 3 + 73, 0, NULL);
}

static void a_judgement_knows_the_lives_before(void **state)
{
	HT_AUTO_JUDGED struct ht_judged j;

	(void)state;
	live("web", "webd", 51, 0, 5);
	live("web", "webd", 52, 5, 5);
	ht_judged_init(&j);
	assert_ok(ht_store_find(st, "web", &j.process, &err));
	assert_ok(ht_judged_read(st, 0, 0, &j, &err));
	assert_int_equal(j.series.earlier_n, 1);
	assert_ptr_equal(j.series.earlier, j.before.life);
}

static int judge_one(void *ctx, const struct ht_store_process *p)
{
	HT_AUTO_JUDGED struct ht_judged j;

	ht_judged_init(&j);
	j.process = *p;
	assert_ok(ht_judged_read(st, 0, 0, &j, &err));
	++*(int *)ctx;
	return 0;
}

static void who_judges_each_process_meets_each_once(void **state)
{
	int met = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		live("web", "webd", 71 + (uint64_t)i, 2 * i, 2);
	assert_ok(ht_store_processes(st, judge_one, &met, &err));
	assert_int_equal(met, 5);
}

/* As heaptided reads a history: what a verdict needs, and no more. */
static void judge_as_the_daemon(int64_t process, int64_t now_ns,
				struct ht_verdict *ret)
{
	HT_AUTO_SERIES struct ht_series history;
	HT_AUTO_LIVES struct ht_store_lives before = {.n = 0};
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	bool needs[HT_METRIC_COUNT];

	ht_series_init(&history);
	ht_snapshot_init(&latest);
	ht_verdict_needs(needs);
	assert_ok(ht_store_series_mixed(
		st, process, now_ns - HT_STORE_LIVES_WITHIN_NS, now_ns,
		HT_SERIES_CLASSES | HT_SERIES_MAPPINGS, needs, &history, &err));
	assert_ok(ht_store_lives(st, process, now_ns, needs, &before, &err));
	assert_ok(ht_store_snapshot_at(st, process, now_ns, &latest, &err));
	history.earlier = before.life;
	history.earlier_n = before.n;
	ht_verdict(&history, now_ns, &latest, ret);
}

static void the_command_line_and_the_daemon_say_the_same(void **state)
{
	int64_t now_id = 0;
	int leaks = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		now_id = live("web", "webd", 61 + (uint64_t)i, 8 * i, 8);
	for (double h = 24.5; h < 32; h += 0.5) {
		HT_AUTO_JUDGED struct ht_judged j;
		struct ht_verdict daemon;
		int64_t at_ns = FAKE_T0 + (int64_t)(h * (double)HOUR);

		ht_judged_init(&j);
		assert_ok(ht_store_find(st, "web", &j.process, &err));
		assert_int_equal(j.process.id, now_id);
		assert_ok(ht_judged_read(st, 0, at_ns, &j, &err));
		judge_as_the_daemon(now_id, at_ns, &daemon);
		assert_int_equal(j.verdict.label, daemon.label);
		assert_true(j.verdict.confidence == daemon.confidence);
		assert_string_equal(j.verdict.reason, daemon.reason);
		assert_int_equal(j.verdict.evidence_n, daemon.evidence_n);
		for (size_t i = 0; i < daemon.evidence_n; i++)
			assert_string_equal(j.verdict.evidence[i],
					    daemon.evidence[i]);
		assert_string_equal(j.verdict.remedy, daemon.remedy);
		assert_int_equal(j.verdict.eta_at_ns, daemon.eta_at_ns);
		leaks += daemon.label == HT_LABEL_LEAK;
	}
	assert_true(leaks > 0);
}

int main(void)
{
#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_STORE(lives_come_oldest_first_with_their_classes),
		WITH_STORE(
			others_siblings_and_what_hardly_lived_are_no_lives_before),
		WITH_STORE(the_newest_seven_of_a_week_are_read),
		WITH_STORE(
			a_process_of_less_than_five_minutes_is_compared_with_none),
		WITH_STORE(a_crash_loop_hides_lives_and_costs_no_more),
		WITH_STORE(a_process_of_three_days_tells_enough_by_itself),
		WITH_STORE(a_judgement_knows_the_lives_before),
		WITH_STORE(who_judges_each_process_meets_each_once),
		WITH_STORE(the_command_line_and_the_daemon_say_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
