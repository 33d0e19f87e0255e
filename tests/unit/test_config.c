/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file, targets, and the schedule that follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "daemon/process/schedule.h"
#include "daemon/registry/targets.h"

static enum ht_code load(const char *text, struct ht_config *c,
			 struct ht_err *err)
{
	char path[] = "/tmp/heaptide-config-XXXXXX";
	int fd = mkstemp(path);
	enum ht_code code;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	code = ht_config_load(path, c, err);
	unlink(path);
	return code;
}

static void every_wrong_line_is_told_with_its_number(void **state)
{
	static const struct {
		unsigned line;
		const char *part;
	} wanted[] = {
		{2, "no such key"},	{3, "between"},
		{4, "absolute"},	{5, "no 'key"},
		{6, "no such section"}, {8, "selects no"},
		{9, "is there twice"},	{11, "regular expression"},
		{13, "expected"},	{14, "none of"},
		{15, "needs url"},	{18, "no user"},
	};
	const char text[] = "[daemon]\n"
			    "colour = red\n"
			    "scan = 2h\n"
			    "store = here.db\n"
			    "just words\n"
			    "[nonsense]\n"
			    "key = in no section\n"
			    "[target a]\n"
			    "[target a]\n"
			    "[target b]\n"
			    "cmdline = (\n"
			    "[rule leak]\n"
			    "condition = rss >> 1\n"
			    "severity = loud\n"
			    "[sink am]\n"
			    "type = alertmanager\n"
			    "[target c]\n"
			    "user = nobody-of-this-name\n";
	struct ht_config c;
	struct ht_err err;

	(void)state;
	assert_int_equal(load(text, &c, &err), HT_CONFIG);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		bool found = false;

		for (size_t k = 0; k < c.problems_n; k++)
			found |= c.problems[k].line == wanted[i].line &&
				 strstr(c.problems[k].text, wanted[i].part);
		if (!found)
			fail_msg("line %u: '%s' is not told", wanted[i].line,
				 wanted[i].part);
	}
	assert_non_null(strstr(err.msg, ":2:")); /* the first one */
	ht_config_fini(&c);
}

/* Whether exactly one problem is told on the line, with the text in it. */
static bool told(const struct ht_config *c, unsigned line, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < c->problems_n; i++)
		n += c->problems[i].line == line &&
		     strstr(c->problems[i].text, text);
	return n == 1;
}

static void a_mistyped_word_is_told_once_and_guessed(void **state)
{
	struct ht_config c;

	(void)state;
	assert_int_equal(load("[daemon]\n"
			      "metrics = 127.0.0.1\n"
			      "scan = 1s\n"
			      "scan = 2s\n"
			      "[target web]\n"
			      "naem = nginx\n"
			      "[rule mine]\n"
			      "condition = trough(trimable, 10m) >= 1G\n"
			      "[rule other]\n"
			      "verdict = LEEK\n"
			      "[sink a]\n"
			      "type = commandd\n"
			      "[sink c]\n"
			      "type = alertmanager\n"
			      "url = foo\n"
			      "[sink d]\n"
			      "command = /bin/true\n"
			      "[target2 x]\n"
			      "name = x\n"
			      "[daemon]\n"
			      "[rule mine]\n",
			      &c, NULL),
			 HT_CONFIG);
	assert_true(told(&c, 2, "no ADDRESS:PORT"));
	assert_true(told(&c, 4, "line 3 has it already"));
	assert_true(told(&c, 6, "did you mean 'name'"));
	assert_true(told(&c, 8, "did you mean 'trimmable'"));
	assert_true(told(&c, 10, "did you mean 'LEAK'"));
	assert_true(told(&c, 12, "did you mean 'command'"));
	assert_true(told(&c, 13, "url 'foo'"));
	assert_true(told(&c, 16, "command goes with type = command"));
	assert_true(told(&c, 18, "did you mean 'target'"));
	assert_true(told(&c, 20, "is there twice"));
	assert_true(told(&c, 21, "is there twice"));
	assert_int_equal(c.problems_n, 11); /* and nothing follows from them */
	ht_config_fini(&c);
}

static void a_check_finds_what_a_start_would_meet(void **state)
{
	struct ht_config c;
	struct ht_err err;

	(void)state;
	assert_int_equal(load("[daemon]\n"
			      "store = /nosuch/folder/x.db\n"
			      "control = /etc/passwd\n"
			      "control_group = nosuch-group\n"
			      "agent = /nosuch/agent\n"
			      "watches = /tmp\n"
			      "[target api]\n"
			      "name = api\n"
			      "[rule leak]\n"
			      "targets = ap\n"
			      "[rule arenas]\n"
			      "targets = a*\n"
			      "[sink b]\n"
			      "type = command\n"
			      "command = /nosuch/pager --now\n",
			      &c, &err),
			 HT_OK);
	assert_int_equal(ht_config_check(&c, &err), HT_CONFIG);
	assert_true(told(&c, 2, "no folder /nosuch/folder"));
	assert_true(told(&c, 3, "is a file"));
	assert_true(told(&c, 4, "no group"));
	assert_true(told(&c, 5, "no program"));
	assert_true(told(&c, 6, "is a directory"));
	assert_true(told(&c, 10, "did you mean 'api'"));
	assert_true(told(&c, 15, "no program /nosuch/pager"));
	assert_int_equal(c.problems_n, 7);
	ht_config_fini(&c);
}

static void a_line_that_is_too_long_is_told_and_skipped(void **state)
{
	char text[4096] = "[daemon]\n# ";
	struct ht_config c;

	(void)state;
	memset(text + strlen(text), 'x', 3000);
	strcat(text, "\nscan = 2s\n");
	assert_int_equal(load(text, &c, NULL), HT_CONFIG);
	assert_int_equal(c.problems_n, 1);
	assert_int_equal(c.problems[0].line, 2);
	assert_int_equal(c.daemon.scan_ns, 2 * HT_NS_PER_S);
	ht_config_fini(&c);
}

static void targets_inherit_the_defaults_and_change_them(void **state)
{
	struct ht_config c;
	struct ht_err err = {0};

	(void)state;
	if (load("[defaults]\ninterval = 30s\nstop_cap = 0.5%\n"
		 "[target a]\nname = x*\n"
		 "[target b]\npid = 7\ninterval = 1s\nmode = exact\n",
		 &c, &err) != HT_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(c.targets_n, 2);
	assert_int_equal(c.targets[0].interval_ns, 30 * HT_NS_PER_S);
	assert_int_equal(c.targets[1].interval_ns, HT_NS_PER_S);
	assert_int_equal(c.targets[1].mode, HT_MODE_EXACT);
	assert_true(c.targets[1].stop_cap > 0.0049 &&
		    c.targets[1].stop_cap < 0.0051);
	ht_config_fini(&c);
}

static void a_rule_section_changes_a_shipped_rule_or_adds_one(void **state)
{
	struct ht_config c;
	struct ht_err err = {0};
	size_t shipped = ht_rules_default_count();

	(void)state;
	if (load("[rule leak]\nenabled = no\n"
		 "[rule mine]\ncondition = rss > 1G\nseverity = critical\n"
		 "[sink journal]\ntype = journal\n",
		 &c, &err) != HT_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(c.rules_n, shipped + 1);
	for (size_t i = 0; i < c.rules_n; i++)
		assert_int_equal(c.rules[i].enabled,
				 strcmp(c.rules[i].name, "leak") != 0);
	assert_int_equal(c.sinks_n, 1); /* in place of the one that is there */
	ht_config_fini(&c);
}

static struct ht_target_config target(const char *key, const char *value)
{
	struct ht_config c;
	struct ht_target_config t;
	struct ht_err err = {0};

	assert_int_equal(ht_config_init(&c, NULL), HT_OK);
	assert_int_equal(ht_target_config_init(&c, "t", &t, NULL), HT_OK);
	if (ht_target_config_set(&t, key, value, &err) != HT_OK)
		fail_msg("%s = %s: %s", key, value, err.msg);
	ht_config_fini(&c);
	return t;
}

static void a_process_matches_by_each_selector(void **state)
{
	char pid[24], uid[24];
	struct ht_proc self;
	const struct {
		const char *key, *value;
		enum ht_match wanted;
	} cases[] = {
		{"pid", pid, HT_MATCH_YES},
		{"pid", "1", HT_MATCH_NO},
		{"name", "test_conf*", HT_MATCH_YES},
		{"name", "conf", HT_MATCH_NO},
		{"exe", "/*/tests/test_config", HT_MATCH_NO}, /* * stops at / */
		{"exe", "/bin/sh", HT_MATCH_NO},
		{"cmdline", "test_config$", HT_MATCH_YES},
		{"cmdline", "^no", HT_MATCH_NO},
		{"user", uid, HT_MATCH_YES},
		{"user", "4000000000", HT_MATCH_NO},
		{"cgroup", "*", HT_MATCH_YES},
		{"unit", "no-such.service", HT_MATCH_NO},
	};

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ht_target_config t =
			target(cases[i].key, cases[i].value);

		assert_int_equal(ht_proc_read(getpid(), &self, NULL), HT_OK);
		if (ht_target_match(&t, &self) != cases[i].wanted)
			fail_msg("%s = %s", cases[i].key, cases[i].value);
		ht_target_config_fini(&t);
	}
}

static void a_pid_stands_for_one_life_only(void **state)
{
	char pid[24];
	struct ht_proc self;
	struct ht_target_config t;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	t = target("pid", pid);
	assert_int_equal(ht_proc_read(getpid(), &self, NULL), HT_OK);
	t.select.start_ticks = self.start_ticks;
	assert_int_equal(ht_target_match(&t, &self), HT_MATCH_YES);
	t.select.start_ticks--;
	assert_int_equal(ht_target_match(&t, &self), HT_MATCH_NO);
}

static void
an_executable_that_may_not_be_read_is_settled_by_the_agent(void **state)
{
	struct ht_target_config t = target("exe", "/usr/sbin/nginx");
	struct ht_proc p = {.pid = 1,
			    .comm = "nginx",
			    .have = ~0u,
			    .argv0 = "nginx: worker process"};

	(void)state;
	assert_int_equal(ht_target_match(&t, &p), HT_MATCH_MAYBE);
	assert_true(ht_target_match_exe(&t, "/usr/sbin/nginx"));
	assert_false(ht_target_match_exe(&t, "/opt/nginx"));
	strcpy(p.comm, "other");
	strcpy(p.argv0, "other");
	assert_int_equal(ht_target_match(&t, &p), HT_MATCH_NO);
}

/* --- the schedule -------------------------------------------------------- */

static void a_pause_is_paid_for_before_the_next(void **state)
{
	struct ht_target_config t = target("interval", "1s");
	struct ht_schedule s;
	int64_t now_ns = 1000 * HT_NS_PER_S, stopped_us = 0, begin_ns = now_ns;

	(void)state;
	t.stop_cap = 0.001;
	ht_schedule_init(&s, now_ns);
	for (int i = 0; i < 200; i++) {
		now_ns = s.due_ns;
		ht_schedule_begin(&s, now_ns);
		now_ns += 10 * HT_NS_PER_MS;
		ht_schedule_end(&s, &t, now_ns, HT_OK, 5000, 0, 0.5);
		stopped_us += 5000;
		assert_true(ht_schedule_stop_ratio(&s, now_ns) <= 0.001001);
	}
	assert_int_equal(s.state, HT_SCHEDULE_CAPPED);
	assert_true((double)stopped_us * 1e3 <=
		    0.001 * (double)(s.due_ns - begin_ns) * 1.0001);
	/* nobody can ask for more, either */
	ht_schedule_soonest(&s, now_ns);
	assert_true(s.due_ns - now_ns >= 4900 * HT_NS_PER_MS);
}

static void processor_time_is_paid_for_but_not_by_who_asks(void **state)
{
	struct ht_target_config t = target("interval", "1s");
	int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t now_ns = 1000 * HT_NS_PER_S;
	struct ht_schedule s;

	(void)state;
	t.cpu_cap = 0.05;
	ht_schedule_init(&s, now_ns);
	ht_schedule_begin(&s, now_ns);
	now_ns += HT_NS_PER_S;
	ht_schedule_end(&s, &t, now_ns, HT_OK, 0, cpus * HT_NS_PER_S, 0.5);
	assert_int_equal(s.state, HT_SCHEDULE_CAPPED);
	assert_int_equal(s.due_ns, s.begun_ns + 20 * HT_NS_PER_S);
	ht_schedule_soonest(&s, now_ns);
	assert_int_equal(s.due_ns, now_ns);
	/* what fits is not moved */
	ht_schedule_begin(&s, now_ns);
	ht_schedule_end(&s, &t, now_ns, HT_OK, 0, cpus * HT_NS_PER_S / 25, 0.5);
	assert_int_equal(s.due_ns - now_ns, t.interval_ns);
}

static void what_was_no_sample_is_no_failure_and_is_paid_for(void **state)
{
	struct ht_target_config t = target("interval", "1s");
	int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t now_ns = 1000 * HT_NS_PER_S;
	struct ht_schedule s;

	(void)state;
	t.cpu_cap = 0.05;
	t.stop_cap = 0.1;
	ht_schedule_init(&s, now_ns);
	s.failures = 2; /* of samples before */
	ht_schedule_begin(&s, now_ns);
	ht_schedule_again(&s, &t, now_ns, 0);
	assert_int_equal(s.failures, 2);
	assert_int_equal(s.due_ns, now_ns + 10 * t.max_pause_ns);
	ht_schedule_again(&s, &t, now_ns, cpus * HT_NS_PER_S);
	assert_int_equal(s.due_ns, s.begun_ns + 20 * HT_NS_PER_S);
}

static void what_a_cap_forbids_is_no_gap(void **state)
{
	struct ht_target_config t = target("interval", "500ms");
	int64_t begin_ns = 1000 * HT_NS_PER_S, now_ns = begin_ns;
	struct ht_schedule s;

	(void)state;
	t.stop_cap = 0.01;
	ht_schedule_init(&s, now_ns);
	ht_schedule_begin(&s, now_ns);
	/* a machine that went away during a stop of 50 ms */
	ht_schedule_end(&s, &t, now_ns, HT_OK, 50000, 0, 0.5);
	assert_int_equal(s.due_ns - begin_ns, 5 * HT_NS_PER_S);
	now_ns = s.due_ns;
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) == 0);
	ht_schedule_begin(&s, now_ns);
	now_ns += 3 * HT_NS_PER_S; /* in which no agent answered */
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) == 6);
	/* a success since then counts as always */
	assert_true(ht_schedule_gap(&s, &t, now_ns, now_ns + HT_NS_PER_S) == 2);
}

static void what_waits_for_its_turn_is_no_gap(void **state)
{
	struct ht_target_config t = target("interval", "1s");
	int64_t begin_ns = 1000 * HT_NS_PER_S, now_ns = begin_ns;
	struct ht_schedule s;

	(void)state;
	t.jitter = 0;
	t.mode = HT_MODE_NONE;
	ht_schedule_init(&s, now_ns);
	ht_schedule_begin(&s, now_ns);
	ht_schedule_end(&s, &t, now_ns, HT_OK, 0, 0, 0.5);
	/* 300 others come first: a minute late, and then it fails */
	now_ns += 60 * HT_NS_PER_S;
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) <= 1);
	ht_schedule_begin(&s, now_ns);
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) <= 1);
	ht_schedule_end(&s, &t, now_ns, HT_TIMEOUT, HT_UNKNOWN, 0, 0.5);
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) <= 1);
	now_ns += 60 * HT_NS_PER_S;
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) <= 2);
	/* its own attempt counts, however long it takes */
	ht_schedule_begin(&s, now_ns);
	now_ns += 10 * HT_NS_PER_S;
	assert_true(ht_schedule_gap(&s, &t, begin_ns, now_ns) >= 10);
}

static void nothing_queues_up_behind_a_slow_sample(void **state)
{
	struct ht_target_config t = target("interval", "1s");
	struct ht_schedule s;
	int64_t now_ns = 1000 * HT_NS_PER_S;

	(void)state;
	ht_schedule_init(&s, now_ns);
	ht_schedule_begin(&s, now_ns);
	now_ns += 60 * HT_NS_PER_S; /* 60 intervals late */
	ht_schedule_end(&s, &t, now_ns, HT_OK, 0, 0, 0.5);
	assert_true(s.due_ns > now_ns && s.due_ns <= now_ns + HT_NS_PER_S);
}

static void failures_wait_longer_each_time_up_to_the_limit(void **state)
{
	struct ht_target_config t = target("interval", "10s");
	struct ht_schedule s;
	int64_t now_ns = 1000 * HT_NS_PER_S, last_ns = 0;

	(void)state;
	t.mode = HT_MODE_NONE;
	ht_schedule_init(&s, now_ns);
	for (int i = 0; i < 20; i++) {
		int64_t wait_ns;

		ht_schedule_begin(&s, now_ns);
		ht_schedule_end(&s, &t, now_ns, HT_TIMEOUT, HT_UNKNOWN, 0, 0.5);
		wait_ns = s.due_ns - now_ns;
		assert_true(wait_ns >= last_ns);
		assert_true(wait_ns <= t.backoff_max_ns);
		last_ns = wait_ns;
		now_ns = s.due_ns;
	}
	assert_int_equal(last_ns, t.backoff_max_ns);
	assert_int_equal(s.state, HT_SCHEDULE_BACKOFF);
	ht_schedule_begin(&s, now_ns);
	ht_schedule_end(&s, &t, now_ns, HT_OK, 0, 0, 0.5);
	assert_int_equal(s.failures, 0);
	assert_int_equal(s.due_ns - now_ns, t.interval_ns);
}

static void chance_moves_samples_by_the_jitter_at_most(void **state)
{
	struct ht_target_config t = target("interval", "10s");
	struct ht_schedule s;

	(void)state;
	t.mode = HT_MODE_NONE;
	for (int i = 0; i <= 10; i++) {
		ht_schedule_init(&s, HT_NS_PER_S);
		ht_schedule_begin(&s, HT_NS_PER_S);
		ht_schedule_end(&s, &t, HT_NS_PER_S, HT_OK, 0, 0, i / 10.0);
		assert_true(s.due_ns >= 9 * HT_NS_PER_S);
		assert_true(s.due_ns <= 13 * HT_NS_PER_S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_wrong_line_is_told_with_its_number),
		cmocka_unit_test(a_mistyped_word_is_told_once_and_guessed),
		cmocka_unit_test(a_check_finds_what_a_start_would_meet),
		cmocka_unit_test(a_line_that_is_too_long_is_told_and_skipped),
		cmocka_unit_test(targets_inherit_the_defaults_and_change_them),
		cmocka_unit_test(
			a_rule_section_changes_a_shipped_rule_or_adds_one),
		cmocka_unit_test(a_process_matches_by_each_selector),
		cmocka_unit_test(a_pid_stands_for_one_life_only),
		cmocka_unit_test(
			an_executable_that_may_not_be_read_is_settled_by_the_agent),
		cmocka_unit_test(a_pause_is_paid_for_before_the_next),
		cmocka_unit_test(
			processor_time_is_paid_for_but_not_by_who_asks),
		cmocka_unit_test(
			what_was_no_sample_is_no_failure_and_is_paid_for),
		cmocka_unit_test(what_a_cap_forbids_is_no_gap),
		cmocka_unit_test(what_waits_for_its_turn_is_no_gap),
		cmocka_unit_test(nothing_queues_up_behind_a_slow_sample),
		cmocka_unit_test(
			failures_wait_longer_each_time_up_to_the_limit),
		cmocka_unit_test(chance_moves_samples_by_the_jitter_at_most),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
