/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s */
/* A stop holds every thread, and leaves nothing that the target could notice.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/stop/stop.h"
#include "agent/stop/tasks.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/lib/target.h"

static struct ht_reader reader;

static enum ht_code try_stop(pid_t pid, bool watch, int64_t within_ns,
			     struct ht_stopped **ret, struct ht_err *err)
{
	const struct ht_stop_limits limits = {
		.deadline_ns = ht_mono_ns() + within_ns,
		.realtime = true,
		.watch = watch ? HT_WATCH_SLEEPERS : HT_WATCH_UNSAFE,
	};

	*ret = NULL;
	return ht_stop_all(pid, &limits, &reader, ret, NULL, err);
}

static struct ht_stopped *stop(pid_t pid, bool watch)
{
	struct ht_stopped *s = NULL;
	struct ht_err err = {0};

	if (try_stop(pid, watch, 20 * HT_NS_PER_S, &s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	return s;
}

static struct program start(const char *name, const char *a, const char *b)
{
	struct program p = program_start(name, a, b, NULL);

	assert_true(program_says(&p, "ready", 10000));
	if (strcmp(name, "signals") == 0)
		assert_true(process_sleeps(p.pid, 5000));
	assert_int_equal(ht_reader_open_process(p.pid, 8, false, &reader, NULL),
			 HT_OK);
	return p;
}

static void finish(struct program *p)
{
	ht_reader_close(&reader);
	program_end(p);
}

static uint64_t count(const struct program *p)
{
	char line[64];

	program_tell(p, "count\n");
	assert_true(program_line(p, line, sizeof(line), 40000));
	return strtoull(line, NULL, 10);
}

/* --- threads ------------------------------------------------------------- */

static void every_running_thread_is_held_and_runs_on_afterwards(void **state)
{
	struct program p = start("threads", "64", "spin");
	struct ht_stopped *s;
	char states[16];
	uint64_t before;

	(void)state;
	s = stop(p.pid, true);
	assert_true(ht_stop_held(s) >= 64);
	process_states(p.pid, states, sizeof(states));
	assert_null(strchr(states, 'R'));
	assert_false(ht_stop_release(s).stuck);
	assert_true(process_runs_free(p.pid, 1000));
	before = count(&p);
	for (int i = 0; i < 1000 && count(&p) == before; i++)
		usleep(20000);
	assert_true(count(&p) > before);
	finish(&p);
}

static void sleeping_threads_are_not_touched_when_watched(void **state)
{
	struct program p = start("threads", "64", "sleep");
	struct ht_stop_report report;
	struct ht_stopped *s;
	size_t n;

	(void)state;
	assert_true(process_sleeps(p.pid, 5000));
	s = stop(p.pid, true);
	assert_int_equal(ht_stop_held(s), 0);
	ht_stop_threads(s, &n);
	assert_int_equal(n, 65);
	report = ht_stop_release(s);
	assert_int_equal(report.pause_us, 0);
	assert_int_equal(report.woken, 0);
	finish(&p);
}

static void
a_watched_thread_knows_its_registers_as_a_held_one_does(void **state)
{
	struct program p = start("threads", "8", "sleep");
	struct ht_thread_state held[9], watched[9];
	struct ht_stopped *s;
	size_t n;

	(void)state;
	assert_true(process_sleeps(p.pid, 5000));
	s = stop(p.pid, true);
	memcpy(watched, ht_stop_threads(s, &n), sizeof(watched));
	assert_int_equal(n, 9);
	ht_stop_release(s);
	s = stop(p.pid, false);
	memcpy(held, ht_stop_threads(s, &n), sizeof(held));
	assert_int_equal(n, 9);
	assert_true(ht_stop_held(s) >= 8);
	ht_stop_release(s);
	for (size_t i = 0; i < n; i++) {
		assert_true(watched[i].registers);
		assert_int_equal(watched[i].tid, held[i].tid);
		assert_int_equal(watched[i].thread_pointer,
				 held[i].thread_pointer);
		assert_int_equal(watched[i].pc, held[i].pc);
		assert_int_equal(watched[i].sp, held[i].sp);
	}
	finish(&p);
}

static void a_watched_thread_that_ran_is_reported(void **state)
{
	struct program p = start("threads", "0", "sleep");
	struct ht_stopped *s;

	(void)state;
	assert_true(process_sleeps(p.pid, 5000));
	s = stop(p.pid, true);
	assert_int_equal(ht_stop_woken(s), 0);
	count(&p);
	assert_int_equal(ht_stop_release(s).woken, 1);
	finish(&p);
}

/* Threads of the process that the stop does not know. */
static size_t unknown(pid_t pid, const struct ht_stopped *s)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	const struct ht_thread_state *t;
	size_t n, strange = 0;
	pid_t tid;

	t = ht_stop_threads(s, &n);
	assert_int_equal(ht_tasks_open(pid, &tasks, NULL), HT_OK);
	while ((tid = ht_tasks_next(tasks)) != 0) {
		size_t i = 0;

		while (i < n && t[i].tid != tid)
			i++;
		/* One that has ended, and is still listed, needs no stop. */
		strange += i == n && !strchr("XZ", ht_task_state(tasks, tid));
	}
	return strange;
}

static void threads_that_come_and_go_are_all_found(void **state)
{
	struct program p = start("threads", "16", "churn");
	int at_rest = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct ht_stopped *s = stop(p.pid, i % 2);
		size_t strange = unknown(p.pid, s);

		/* Unless a watched one ran, and that is reported. */
		if (ht_stop_woken(s) == 0) {
			assert_int_equal(strange, 0);
			at_rest++;
		}
		assert_false(ht_stop_release(s).stuck);
	}
	assert_true(at_rest > 10);
	assert_true(process_runs_free(p.pid, 5000));
	finish(&p);
}

static void a_deadline_that_is_missed_leaves_nothing_held(void **state)
{
	struct program p = start("threads", "64", "spin");
	struct ht_stopped *s;
	struct ht_err err = {0};

	(void)state;
	assert_int_equal(try_stop(p.pid, true, 0, &s, &err), HT_TIMEOUT);
	assert_true(process_runs_free(p.pid, 2000));
	finish(&p);
}

/* --- signals ------------------------------------------------------------- */

static void queue(pid_t pid, int sig, int value)
{
	const union sigval v = {.sival_int = value};

	assert_int_equal(sigqueue(pid, sig, v), 0);
}

/* Real-time signals by number, lowest first, then by order of arrival. */
static void
signals_of_a_stop_arrive_once_in_order_with_their_values(void **state)
{
	struct program p = start("signals", NULL, NULL);
	char line[64], expected[64];

	(void)state;
	for (int watch = 0; watch < 2; watch++) {
		struct ht_stopped *s = stop(p.pid, watch);

		for (int i = 0; i < 20; i++)
			queue(p.pid, SIGRTMIN + i / 5, i);
		ht_stop_release(s);
		for (int i = 0; i < 20; i++) {
			snprintf(expected, sizeof(expected), "%d %d",
				 SIGRTMIN + i / 5, i);
			do
				assert_true(program_line(&p, line, sizeof(line),
							 20000));
			while (strcmp(line, "EINTR") == 0);
			assert_string_equal(line, expected);
		}
		assert_true(program_says(&p, "EINTR", 2000));
		assert_false(program_line(&p, line, sizeof(line), 50));
	}
	finish(&p);
}

/* With a handler the call must return EINTR, stop or no stop: a program may
 * wait for that to notice its flag. */
static void a_handled_signal_still_interrupts_the_call(void **state)
{
	struct program p = start("signals", NULL, NULL);
	char expected[64];
	struct ht_stopped *s;

	(void)state;
	s = stop(p.pid, false);
	assert_int_equal(ht_stop_held(s), 1);
	queue(p.pid, SIGUSR1, 7);
	ht_stop_release(s);
	snprintf(expected, sizeof(expected), "%d 7", SIGUSR1);
	assert_true(program_says(&p, expected, 2000));
	assert_true(program_says(&p, "EINTR", 2000));
	finish(&p);
}

static void an_ignored_signal_does_not_interrupt_the_call(void **state)
{
	struct program p = start("signals", NULL, NULL);
	char line[64];

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct ht_stopped *s = stop(p.pid, false);

		kill(p.pid, SIGHUP);
		kill(p.pid, SIGCHLD);
		ht_stop_release(s);
	}
	assert_false(program_line(&p, line, sizeof(line), 100));
	program_tell(&p, "x");
	assert_true(program_says(&p, "quit", 2000));
	finish(&p);
}

/* Signals before, in and after the moment of the stop. */
static void no_signal_of_a_storm_is_lost(void **state)
{
	struct program p = start("signals", NULL, NULL);
	char line[64];
	int next = 0;
	pid_t sender = fork();

	(void)state;
	if (sender == 0) {
		for (int i = 0; i < 2000; i++) {
			const union sigval v = {.sival_int = i};

			while (sigqueue(p.pid, SIGRTMIN, v) < 0 &&
			       errno == EAGAIN)
				usleep(100);
			if (i % 8 == 0)
				usleep(50);
		}
		_exit(0);
	}
	while (next < 2000) {
		ht_stop_release(stop(p.pid, next % 2));
		while (program_line(&p, line, sizeof(line), 1)) {
			if (strcmp(line, "EINTR") == 0)
				continue;
			assert_int_equal(atoi(strchr(line, ' ') + 1), next);
			next++;
		}
	}
	waitpid(sender, NULL, 0);
	finish(&p);
}

/* --- job control --------------------------------------------------------- */

static void
a_stopped_target_stays_stopped_and_its_parent_sees_nothing(void **state)
{
	struct program p = start("signals", NULL, NULL);
	siginfo_t info = {0};
	char states[16];

	(void)state;
	kill(p.pid, SIGSTOP);
	assert_int_equal(waitid(P_PID, (id_t)p.pid, &info, WSTOPPED), 0);
	for (int i = 0; i < 50; i++) {
		ht_stop_release(stop(p.pid, i % 2));
		for (int k = 0; k < 10000; k++) {
			process_states(p.pid, states, sizeof(states));
			if (strcmp(states, "T") == 0)
				break;
			usleep(1000);
		}
		assert_string_equal(states, "T");
	}
	/* We are its parent: no second stop may be reported, nor a continue. */
	info.si_pid = 0;
	waitid(P_PID, (id_t)p.pid, &info, WSTOPPED | WCONTINUED | WNOHANG);
	assert_int_equal(info.si_pid, 0);
	kill(p.pid, SIGCONT);
	assert_true(process_runs_free(p.pid, 1000));
	program_tell(&p, "x");
	assert_true(program_says(&p, "quit", 2000));
	finish(&p);
}

static void a_sigstop_during_the_stop_stops_it_afterwards(void **state)
{
	struct program p = start("signals", NULL, NULL);
	siginfo_t info = {0};
	struct ht_stopped *s;

	(void)state;
	s = stop(p.pid, false);
	kill(p.pid, SIGSTOP);
	ht_stop_release(s);
	assert_int_equal(waitid(P_PID, (id_t)p.pid, &info, WSTOPPED), 0);
	assert_int_equal(info.si_status, SIGSTOP);
	kill(p.pid, SIGCONT);
	assert_true(process_runs_free(p.pid, 1000));
	finish(&p);
}

/* The tracer is a process of its own, as it is in earnest: who is parent and
 * tracer at once hears of the end as the tracer, and may collect it as that. */
static void
a_sigkill_during_the_stop_ends_it_and_its_parent_is_told(void **state)
{
	struct program p = start("threads", "16", "spin");
	struct ht_stopped *s = NULL;
	siginfo_t info = {0};
	struct ht_err err = {0};
	int status;
	pid_t tracer;

	(void)state;
	tracer = fork();
	if (tracer == 0) {
		if (try_stop(p.pid, true, 20 * HT_NS_PER_S, &s, &err) != HT_OK)
			_exit(2);
		kill(p.pid, SIGKILL);
		_exit(ht_stop_release(s).stuck);
	}
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(status, 0);
	assert_int_equal(waitid(P_PID, (id_t)p.pid, &info, WEXITED | WNOWAIT),
			 0);
	assert_int_equal(info.si_code, CLD_KILLED);
	assert_int_equal(info.si_status, SIGKILL);
	finish(&p);
}

/* --- refusals ------------------------------------------------------------ */

static void another_tracer_is_named(void **state)
{
	struct program p = start("threads", "0", "sleep");
	struct ht_stopped *s;
	struct ht_err err = {0};
	int ready[2];
	char c;
	pid_t tracer;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	tracer = fork();
	if (tracer == 0) {
		long r = ptrace(PTRACE_SEIZE, p.pid, NULL, NULL);

		if (write(ready[1], r == 0 ? "y" : "n", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(try_stop(p.pid, false, HT_NS_PER_S, &s, &err),
			 HT_TRACED);
	assert_non_null(strstr(err.msg, "test_stop"));
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	finish(&p);
}

static void a_process_that_is_not_there_is_gone(void **state)
{
	struct ht_stopped *s;
	struct ht_err err = {0};
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(try_stop(pid, true, HT_NS_PER_S, &s, &err), HT_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_running_thread_is_held_and_runs_on_afterwards),
		cmocka_unit_test(sleeping_threads_are_not_touched_when_watched),
		cmocka_unit_test(
			a_watched_thread_knows_its_registers_as_a_held_one_does),
		cmocka_unit_test(a_watched_thread_that_ran_is_reported),
		cmocka_unit_test(threads_that_come_and_go_are_all_found),
		cmocka_unit_test(a_deadline_that_is_missed_leaves_nothing_held),
		cmocka_unit_test(
			signals_of_a_stop_arrive_once_in_order_with_their_values),
		cmocka_unit_test(a_handled_signal_still_interrupts_the_call),
		cmocka_unit_test(an_ignored_signal_does_not_interrupt_the_call),
		cmocka_unit_test(no_signal_of_a_storm_is_lost),
		cmocka_unit_test(
			a_stopped_target_stays_stopped_and_its_parent_sees_nothing),
		cmocka_unit_test(a_sigstop_during_the_stop_stops_it_afterwards),
		cmocka_unit_test(
			a_sigkill_during_the_stop_ends_it_and_its_parent_is_told),
		cmocka_unit_test(another_tracer_is_named),
		cmocka_unit_test(a_process_that_is_not_there_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
