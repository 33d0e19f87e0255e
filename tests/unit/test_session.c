/* SPDX-License-Identifier: Apache-2.0 */
/* The modes: one heap, whichever way it is measured. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "tests/lib/target.h"

struct measured {
	struct program p;
	struct ht_target target;
};

static void start(struct measured *m, const char *name, const char *a,
		  const char *b)
{
	struct ht_err err = {0};

	m->target = HT_TARGET_NONE;
	m->p = program_start(name, a, b, NULL);
	assert_true(program_says(&m->p, "ready", 10000));
	if (ht_target_open_process(m->p.pid, &m->target, &err) != HT_OK ||
	    ht_target_locate(&m->target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static void finish(struct measured *m)
{
	ht_target_close(&m->target);
	program_end(&m->p);
}

static enum ht_code sample(struct measured *m, enum ht_mode mode,
			   uint64_t flags, struct ht_snapshot *ret,
			   struct ht_err *err)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &m->target, .request = &request, .snapshot = ret};

	request.mode = mode;
	request.flags = flags;
	ht_snapshot_init(ret);
	return ht_session_sample(&session, err);
}

/* A machine that gives a fork no processor in time has it called off, which is
 * said: to be asked again. */
#define ATTEMPTS 100

static void measure_some(struct measured *m, enum ht_mode mode, uint64_t flags,
			 struct ht_snapshot *ret)
{
	struct ht_err err = {0};
	enum ht_code code = sample(m, mode, flags, ret, &err);

	for (int i = 1; i < ATTEMPTS && code == HT_BUSY; i++) {
		ht_snapshot_fini(ret);
		code = sample(m, mode, flags, ret, &err);
	}
	if (code != HT_OK || ht_snapshot_check(ret, &err) != HT_OK)
		fail_msg("%s: %s", ht_mode_names[mode], err.msg);
}

static void measure(struct measured *m, enum ht_mode mode,
		    struct ht_snapshot *ret)
{
	measure_some(m, mode, HT_WANT_ALL, ret);
}

static void every_mode_gives_the_same_heap_of_a_target_at_rest(void **state)
{
	static const enum ht_mode others[] = {HT_MODE_BOUNDED, HT_MODE_NONE,
					      HT_MODE_SNAPSHOT};
	struct ht_snapshot exact, other;
	struct measured m;

	(void)state;
	start(&m, "threads", "8", "sleep");
	assert_true(process_sleeps(m.p.pid, 5000));
	measure(&m, HT_MODE_EXACT, &exact);
	assert_true(exact.totals.in_use > 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		measure(&m, others[i], &other);
		assert_int_equal(other.stop.mode, others[i]);
		assert_int_equal(other.stop.uncertain_bytes, 0);
		assert_int_equal(other.totals.in_use, exact.totals.in_use);
		assert_int_equal(other.totals.free, exact.totals.free);
		assert_int_equal(other.totals.tcache, exact.totals.tcache);
		assert_int_equal(other.arenas.n, exact.arenas.n);
		ht_snapshot_fini(&other);
	}
	ht_snapshot_fini(&exact);
	finish(&m);
}

/* The reason why it is unknown what the machine gets of a trim; NULL: none. */
static const char *why_private(const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->unknowns.n; i++)
		if (strstr(s->unknowns.v[i].names, "trimmable_private"))
			return ht_why_names[s->unknowns.v[i].reason];
	return NULL;
}

static void
what_the_machine_gets_of_a_trim_is_known_or_its_reason_is(void **state)
{
	/* As the daemon asks when it wants no details, and when it does. */
	static const uint64_t plain = HT_WANT_CLASSES | HT_WANT_MAPPINGS;
	static const struct {
		enum ht_mode mode;
		uint64_t flags;
		const char *why;
	} cases[] = {
		{HT_MODE_NONE, plain, NULL},
		{HT_MODE_NONE, plain | HT_WANT_HEAPS, NULL},
		{HT_MODE_EXACT, plain, "cost"},
		{HT_MODE_EXACT, plain | HT_WANT_HEAPS, NULL},
		{HT_MODE_BOUNDED, plain, "cost"},
		{HT_MODE_BOUNDED, plain | HT_WANT_HEAPS, NULL},
		{HT_MODE_SNAPSHOT, plain, "copy"},
		{HT_MODE_SNAPSHOT, plain | HT_WANT_HEAPS, "copy"},
	};
	struct measured m;

	(void)state;
	start(&m, "retaining", "trimmable", "16");
	assert_true(process_sleeps(m.p.pid, 5000));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ht_snapshot s;

		measure_some(&m, cases[i].mode, cases[i].flags, &s);
		assert_true(s.totals.trimmable > 8 << 20);
		if (cases[i].why) {
			assert_true(s.totals.trimmable_private == HT_UNKNOWN);
			assert_non_null(why_private(&s));
			assert_string_equal(why_private(&s), cases[i].why);
		} else {
			assert_int_equal(s.totals.trimmable_private,
					 s.totals.trimmable);
			assert_null(why_private(&s));
		}
		ht_snapshot_fini(&s);
	}
	finish(&m);
}

static uint64_t thread_stacks(struct measured *m, enum ht_mode mode)
{
	struct ht_snapshot s;
	uint64_t n = 0;

	measure(m, mode, &s);
	for (size_t i = 0; i < s.mappings.n; i++)
		if (s.mappings.v[i].kind == HT_MAPPING_THREAD_STACK)
			n += s.mappings.v[i].count;
	ht_snapshot_fini(&s);
	return n;
}

static void every_mode_tells_stacks_from_other_mappings(void **state)
{
	static const enum ht_mode others[] = {HT_MODE_BOUNDED, HT_MODE_NONE,
					      HT_MODE_SNAPSHOT};
	struct measured m;
	uint64_t exact;

	(void)state;
	start(&m, "threads", "4", "sleep");
	assert_true(process_sleeps(m.p.pid, 5000));
	exact = thread_stacks(&m, HT_MODE_EXACT);
	assert_true(exact > 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(thread_stacks(&m, others[i]), exact);
	finish(&m);
}

static void a_sleeping_target_is_measured_without_a_pause(void **state)
{
	struct ht_snapshot s;
	struct measured m;

	(void)state;
	start(&m, "threads", "8", "sleep");
	assert_true(process_sleeps(m.p.pid, 5000));
	measure(&m, HT_MODE_BOUNDED, &s);
	assert_int_equal(s.stop.pause_us, 0);
	assert_int_equal(s.stop.threads, 0);
	assert_int_equal(s.stop.inside_malloc, 0);
	ht_snapshot_fini(&s);
	finish(&m);
}

static void registers_are_intact_after_every_mode(void **state)
{
	static const enum ht_mode modes[] = {HT_MODE_EXACT, HT_MODE_BOUNDED,
					     HT_MODE_SNAPSHOT};
	struct measured m;

	(void)state;
	start(&m, "registers", NULL, NULL);
	for (int i = 0; i < 60; i++) {
		struct ht_snapshot s;

		measure(&m, modes[i % 3], &s);
		ht_snapshot_fini(&s);
	}
	program_tell(&m.p, "x\n");
	assert_true(program_says(&m.p, "intact", 5000));
	finish(&m);
}

static void a_seccomp_filter_refuses_what_could_end_the_process(void **state)
{
	static const enum ht_mode refused[] = {HT_MODE_EXACT, HT_MODE_SNAPSHOT};
	static const enum ht_mode safe[] = {HT_MODE_NONE, HT_MODE_BOUNDED};
	struct ht_err err = {0};
	struct ht_snapshot s;
	struct measured m;

	(void)state;
	start(&m, "filtered", NULL, NULL);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(sample(&m, refused[i], HT_WANT_ALL, &s, &err),
				 HT_REFUSED);
		assert_non_null(strstr(err.msg, "seccomp"));
		ht_snapshot_fini(&s);
		measure(&m, safe[i], &s);
		ht_snapshot_fini(&s);
	}
	assert_true(process_runs_free(m.p.pid, 1000));
	finish(&m);
}

static bool warns_of(const struct ht_snapshot *s, const char *text)
{
	for (size_t i = 0; i < s->warnings.n; i++)
		if (strstr(s->warnings.v[i].text, text))
			return true;
	return false;
}

#define FILTERED_LOOKS 200

/* Its filter kills on restart_syscall, which an interrupted sleep goes on as.
 */
static void no_mode_lets_a_filter_end_its_process(void **state)
{
	struct ht_err err = {0};
	struct measured m;
	int told = 0;

	(void)state;
	start(&m, "filtered", "restart", NULL);
	for (int i = 0; i < FILTERED_LOOKS; i++) {
		enum ht_mode mode = (enum ht_mode)(i % HT_MODE_CORE);
		struct ht_snapshot s;
		enum ht_code code = sample(&m, mode, HT_WANT_ALL, &s, &err);

		if (code != HT_OK && code != HT_REFUSED)
			fail_msg("%s: %s", ht_mode_names[mode], err.msg);
		told += warns_of(&s, "seccomp filter");
		if (mode == HT_MODE_NONE || mode == HT_MODE_BOUNDED)
			assert_int_equal(code, HT_OK);
		assert_int_equal(
			s.stop.pause_us == HT_UNKNOWN ? 0 : s.stop.pause_us, 0);
		ht_snapshot_fini(&s);
	}
	assert_true(told > 0);
	assert_true(process_runs_free(m.p.pid, 1000));
	finish(&m);
}

/* A signal that comes within the stop is not lost, nor is what it is for. */
static void snapshot_loses_no_stop_and_no_end_of_a_wait(void **state)
{
	struct program p = program_start("stoppable", "3", NULL);
	struct ht_target target = HT_TARGET_NONE;
	unsigned stops_lost, signals_lost, stops, signals, samples = 0;
	struct measured m;
	char line[64] = "";
	struct ht_err err;

	(void)state;
	assert_true(program_line(&p, line, sizeof(line), 20000));
	m.target = target;
	if (ht_target_open_process(atoi(line), &m.target, &err) != HT_OK ||
	    ht_target_locate(&m.target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
	line[0] = '\0';
	while (!program_line(&p, line, sizeof(line), 2)) {
		struct ht_snapshot s;

		samples += sample(&m, HT_MODE_SNAPSHOT, HT_WANT_ALL, &s,
				  &err) == HT_OK;
		ht_snapshot_fini(&s);
	}
	assert_int_equal(sscanf(line, "lost %u %u of %u %u", &stops_lost,
				&signals_lost, &stops, &signals),
			 4);
	print_message("[   NOTE   ] %u samples, %s\n", samples, line);
	assert_true(samples > 0 && stops > 0 && signals > 0);
	assert_int_equal(stops_lost, 0);
	assert_int_equal(signals_lost, 0);
	ht_target_close(&m.target);
	program_end(&p);
}

static void memory_under_userfaultfd_refuses_snapshot_mode(void **state)
{
	struct program p = program_start("faulting", NULL);
	struct ht_err err = {0};
	struct ht_snapshot s;
	struct measured m = {.p = p, .target = HT_TARGET_NONE};
	char line[16] = "";

	(void)state;
	assert_true(program_line(&p, line, sizeof(line), 20000));
	if (strcmp(line, "ready") != 0) {
		program_end(&p);
		skip();
	}
	assert_int_equal(ht_target_open_process(p.pid, &m.target, &err), HT_OK);
	assert_int_equal(ht_target_locate(&m.target, false, NULL, &err), HT_OK);
	assert_int_equal(sample(&m, HT_MODE_SNAPSHOT, HT_WANT_ALL, &s, &err),
			 HT_REFUSED);
	assert_non_null(strstr(err.msg, "userfaultfd"));
	ht_snapshot_fini(&s);
	measure(&m, HT_MODE_NONE, &s);
	ht_snapshot_fini(&s);
	assert_true(process_runs_free(p.pid, 1000));
	finish(&m);
}

static void threads_stopped_by_others_are_measured_at_rest(void **state)
{
	struct ht_snapshot exact, s;
	struct measured m;

	(void)state;
	start(&m, "threads", "8", "sleep");
	assert_true(process_sleeps(m.p.pid, 5000));
	measure(&m, HT_MODE_EXACT, &exact);
	assert_int_equal(kill(m.p.pid, SIGSTOP), 0);
	assert_true(process_is(m.p.pid, "T", 5000));
	measure(&m, HT_MODE_NONE, &s);
	assert_int_equal(s.stop.uncertain_bytes, 0);
	assert_int_equal(s.totals.in_use, exact.totals.in_use);
	assert_true(process_is(m.p.pid, "T", 0));
	ht_snapshot_fini(&exact);
	ht_snapshot_fini(&s);
	kill(m.p.pid, SIGCONT);
	finish(&m);
}

/* What was said of its libc, in a snapshot of a process of that number. */
static void said(pid_t pid, const char *wanted)
{
	struct ht_target target = HT_TARGET_NONE;
	struct ht_snapshot s;
	struct ht_session session = {.target = &target, .snapshot = &s};

	ht_snapshot_init(&s);
	ht_snapshot_init(&target.notes);
	ht_snapshot_warn(&target.notes,
			 "'heaptide doctor PID --dump-layout' of RAPID");
	target.pid = pid;
	ht_session_clean(&session);
	assert_int_equal(s.warnings.n, 1);
	assert_string_equal(s.warnings.v[0].text, wanted);
	ht_snapshot_fini(&target.notes);
	ht_snapshot_fini(&s);
}

static void a_warning_names_the_process_in_what_is_to_be_typed(void **state)
{
	(void)state;
	said(4711, "'heaptide doctor 4711 --dump-layout' of RAPID");
	said(0, "'heaptide doctor PID --dump-layout' of RAPID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_warning_names_the_process_in_what_is_to_be_typed),
		cmocka_unit_test(
			every_mode_gives_the_same_heap_of_a_target_at_rest),
		cmocka_unit_test(
			what_the_machine_gets_of_a_trim_is_known_or_its_reason_is),
		cmocka_unit_test(every_mode_tells_stacks_from_other_mappings),
		cmocka_unit_test(a_sleeping_target_is_measured_without_a_pause),
		cmocka_unit_test(registers_are_intact_after_every_mode),
		cmocka_unit_test(
			a_seccomp_filter_refuses_what_could_end_the_process),
		cmocka_unit_test(no_mode_lets_a_filter_end_its_process),
		cmocka_unit_test(snapshot_loses_no_stop_and_no_end_of_a_wait),
		cmocka_unit_test(
			memory_under_userfaultfd_refuses_snapshot_mode),
		cmocka_unit_test(
			threads_stopped_by_others_are_measured_at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
