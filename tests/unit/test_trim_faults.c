/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 300 s
 * LDFLAGS: -Wl,@tests/lib/wrap_calls
 *
 * The agent dies at its first system call while it has malloc_trim(0) called,
 * at its second, its third... until it has none left to die at: the thread
 * comes back to where it was each time. Or the process is killed there, ends,
 * or becomes another program: the agent is done with it, and nothing is left
 * behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/target.h"
#include "agent/sample/trim.h"
#include "tests/lib/machine.h"
#include "tests/lib/target.h"
#include "tests/lib/worst.h"

/* --- the worst moment ---------------------------------------------------- */

static struct program victim;
WRAP(long, ptrace, (int r, pid_t p, void *a, void *d), (r, p, a, d))

/* --- the target ---------------------------------------------------------- */

static void start_victim_with(const char *kind, const char *what)
{
	victim = program_start("trimmee", kind, "mild", what, NULL);
	assert_true(program_says(&victim, "ready", 10000));
}

static void start_victim(const char *kind)
{
	start_victim_with(kind, NULL);
}

static uint64_t waits(const char *kind, long n)
{
	char line[128] = "";
	uint64_t waits = 0;

	program_tell(&victim, "\n");
	do { /* it may have become another one, and said so */
		if (!program_line(&victim, line, sizeof(line), 80000))
			break;
	} while (strcmp(line, "ready") == 0);
	if (sscanf(line, "waits %" SCNu64, &waits) != 1)
		fail_msg("%s, at call %ld: \"%s\"", kind, n, line);
	return waits;
}

/* It runs, waits as ever, and has seen nothing. */
static void check_unharmed(const char *kind, long n)
{
	uint64_t before;

	if (!process_runs_free(victim.pid, 20000))
		fail_msg("%s, at call %ld: the target does not run", kind, n);
	before = waits(kind, n);
	while (waits(kind, n) < before + 2)
		usleep(3000);
}

/* --- the agent ----------------------------------------------------------- */

static int alarms;
enum { CALLED, REFUSED = 3, NOT_ASKED = 4 };

static void trim_and_exit(struct ht_target *t, long at)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = t, .request = &request, .snapshot = &snapshot};
	struct ht_trim trim;

	request.flags |= HT_WANT_BINS;
	request.max_hold_us = 60000000;
	ht_snapshot_init(&snapshot);
	if (ht_session_sample(&session, NULL) != HT_OK)
		_exit(NOT_ASKED);
	ht_trim_look(&session, &trim);
	if (trim.refusal != HT_TRIM_NONE)
		_exit(NOT_ASKED);
	worst_in = at;
	ht_trim_call(&session, &trim);
	_exit(trim.done ? CALLED : REFUSED);
}

/* Exit status of an agent; -1: it was killed. */
static int agent(struct ht_target *t, long at)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		trim_and_exit(t, at);
	waitpid(pid, &status, 0);
	/* By its own alarm, where it found no processor for 0.7 s. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		alarms++;
	else if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

#define ATTEMPTS 200

/* Of a target at work there may be nothing to trim at a moment. */
static int agent_that_calls(struct ht_target *t, long at)
{
	int status = NOT_ASKED;

	for (int i = 0; i < ATTEMPTS && status == NOT_ASKED; i++)
		status = agent(t, at);
	assert_int_not_equal(status, NOT_ASKED);
	return status;
}

static void open_victim(struct ht_target *t)
{
	struct ht_err err = {0};

	*t = HT_TARGET_NONE;
	if (ht_target_open_process(victim.pid, t, &err) != HT_OK ||
	    ht_target_locate(t, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static void die(void)
{
	raise(SIGKILL);
}

/* At every call, or at every so-and-so-many-th. what: an option of trimmee's.
 */
static void dies_everywhere(const char *kind, const char *what, long step)
{
	struct ht_target t;
	int status;
	long n = 1, deaths = -1;

	worst = die;
	start_victim_with(kind, what);
	open_victim(&t);
	do {
		status = agent_that_calls(&t, n);
		check_unharmed(kind, n);
		deaths++;
		n += step;
	} while (status == -1 || status == REFUSED);
	print_message("[   NOTE   ] %s: %ld deaths, %d by alarm\n", kind,
		      deaths, alarms);
	assert_true(n > 50);
	ht_target_close(&t);
	program_end(&victim);
}

static void an_agent_that_dies_anywhere_leaves_the_call_to_finish(void **state)
{
	(void)state;
	dies_everywhere("futex", NULL, 1);
	dies_everywhere("poll", "tiles", 3);
}

static void also_where_the_thread_has_a_time_limit(void **state)
{
	(void)state;
	dies_everywhere("select", NULL, 3);
	dies_everywhere("nanosleep", "tiles", 3);
}

/* --- the target's end ---------------------------------------------------- */

static void kill_victim(void)
{
	__real_kill(victim.pid, SIGKILL);
}

static void replace_victim(void)
{
	program_tell(&victim, "x");
	usleep(2000);
}

/* Each is a new process: not at every call, unless HT_FAULT_STEP=1. */
static long step_wanted(void)
{
	const char *n = getenv("HT_FAULT_STEP");

	return n ? strtol(n, NULL, 10) : 7;
}

static void a_target_that_is_killed_anywhere_holds_up_nobody(void **state)
{
	int status;
	long n = 1;

	(void)state;
	worst = kill_victim;
	do {
		struct ht_target t;

		start_victim("futex");
		open_victim(&t);
		status = agent_that_calls(&t, n);
		assert_int_not_equal(status, NOT_ASKED);
		ht_target_close(&t);
		program_end(&victim);
		n += step_wanted();
	} while (n < 200);
}

static void a_target_that_is_replaced_anywhere_runs_as_another(void **state)
{
	struct ht_target t;
	int status;

	(void)state;
	worst = replace_victim;
	for (long n = 1; n < 200; n += step_wanted()) {
		start_victim("futex");
		open_victim(&t);
		status = agent_that_calls(&t, n);
		assert_int_not_equal(status, NOT_ASKED);
		if (n < 30) /* surely it came to that */
			assert_true(program_says(&victim, "ready", 10000));
		check_unharmed("replaced", n);
		ht_target_close(&t);
		program_end(&victim);
	}
}

static void end_victim(void)
{
	if (write(victim.in, "e", 1) == 1) /* it may have ended */
		usleep(2000);
}

#define EXITED 7 /* trimmee.c */

/* By exit(3), in another thread. */
static void a_target_that_ends_anywhere_ends_as_it_wanted_to(void **state)
{
	(void)state;
	worst = end_victim;
	for (long n = 1; n < 200; n += step_wanted()) {
		struct ht_target t;
		siginfo_t info = {0};
		int status;

		start_victim("poll");
		open_victim(&t);
		status = agent_that_calls(&t, n);
		assert_int_not_equal(status, NOT_ASKED);
		end_victim(); /* where the agent had fewer calls */
		assert_int_equal(waitid(P_PID, (id_t)victim.pid, &info,
					WEXITED | WNOWAIT),
				 0);
		assert_int_equal(info.si_code, CLD_EXITED);
		assert_int_equal(info.si_status, EXITED);
		ht_target_close(&t);
		program_end(&victim);
	}
}

/* --- filters ------------------------------------------------------------- */

static int reader_of_filters(struct ht_target *t, long at)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		worst_in = at;
		ht_trim_read_filters(t);
		_exit(t->filtered.n == 1 ? CALLED : REFUSED);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

/* A call that its filter does not list would kill it. */
static void
an_agent_that_dies_while_it_reads_a_filter_harms_nobody(void **state)
{
	struct ht_target t;
	long n = 0;
	int status;

	(void)state;
	needs("seccomp_read");
	worst = die;
	victim = program_start("untrimmable", "listed", NULL);
	assert_true(program_says(&victim, "ready", 10000));
	open_victim(&t);
	do {
		status = reader_of_filters(&t, ++n);
		if (!process_runs_free(victim.pid, 20000) ||
		    !process_is(victim.pid, "S", 20000))
			fail_msg("at call %ld: it is not as it was", n);
	} while (status == -1);
	print_message("[   NOTE   ] filters: %ld deaths\n", n - 1);
	assert_int_equal(status, CALLED);
	assert_true(n > 8);
	ht_target_close(&t);
	program_end(&victim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_agent_that_dies_anywhere_leaves_the_call_to_finish),
		cmocka_unit_test(also_where_the_thread_has_a_time_limit),
		cmocka_unit_test(
			a_target_that_is_killed_anywhere_holds_up_nobody),
		cmocka_unit_test(
			a_target_that_is_replaced_anywhere_runs_as_another),
		cmocka_unit_test(
			a_target_that_ends_anywhere_ends_as_it_wanted_to),
		cmocka_unit_test(
			an_agent_that_dies_while_it_reads_a_filter_harms_nobody),
	};

	signal(SIGPIPE, SIG_IGN); /* of what ended */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
