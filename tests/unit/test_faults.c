/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 180 s
 * LDFLAGS: -Wl,@tests/lib/wrap_calls
 *
 * The agent dies at its first system call, at its second, its third... until it
 * has none left to die at, in every mode. After each death the target runs on
 * as if nothing had been: free, scheduled as ever, every signal received once,
 * no child, its memory as it was, and no EINTR unless the death lay between the
 * interrupt of the thread in epoll_wait and the mending of its result.
 */
#include <dirent.h>
#include <errno.h>
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
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "agent/self/guard.h"
#include "agent/stop/stop.h"
#include "agent/stop/tasks.h"
#include "common/clock.h"
#include "tests/lib/target.h"
#include "tests/lib/worst.h"

/* --- the worst moment ---------------------------------------------------- */

static struct program victim;
static void die(void)
{
	raise(SIGKILL);
}

/* The thread in epoll_wait is interrupted, and its result not mended yet.
 * Shared with the agent, which is another process, and outlives it. */
static volatile bool *exposed;

static void follow_exposure(int request, const struct user_regs_struct *regs)
{
	if (request == PTRACE_SETREGS || request == PTRACE_DETACH)
		*exposed = false;
	if (request == PTRACE_GETREGS && (long)regs->rax != -EINTR)
		*exposed = false;
}

long __real_ptrace(int request, pid_t pid, void *addr, void *data);
long __wrap_ptrace(int request, pid_t pid, void *addr, void *data);
long __wrap_ptrace(int request, pid_t pid, void *addr, void *data)
{
	long result;

	perhaps();
	if (pid == victim.pid && request == PTRACE_INTERRUPT)
		*exposed = true;
	result = __real_ptrace(request, pid, addr, data);
	if (pid == victim.pid && result == 0)
		follow_exposure(request, data);
	return result;
}

/* --- the target ---------------------------------------------------------- */

static char memory[128]; /* its checksum when it was young */

static int interrupted;	       /* EINTR without a signal: after this death */
static int interrupted_in_all; /* and in this mode */

/* The next line that is not "EINTR"; those are counted. */
static bool next_line(char *buf, size_t size)
{
	while (program_line(&victim, buf, size, 40000)) {
		if (strcmp(buf, "EINTR") != 0)
			return true;
		interrupted++;
	}
	return false;
}

static void read_sum(char *buf, size_t size)
{
	program_tell(&victim, "sum\n");
	assert_true(next_line(buf, size));
}

static int start_victim(void **state)
{
	(void)state;
	exposed = mmap(NULL, sizeof(*exposed), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(exposed, MAP_FAILED);
	victim = program_start("victim", NULL);
	assert_true(program_says(&victim, "ready", 10000));
	read_sum(memory, sizeof(memory));
	return 0;
}

static int end_victim(void **state)
{
	(void)state;
	program_end(&victim);
	return 0;
}

/* Any thread's children, zombies too. */
static bool has_children(pid_t pid)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	bool some = false;
	pid_t tid;

	assert_int_equal(ht_tasks_open(pid, &tasks, NULL), HT_OK);
	while ((tid = ht_tasks_next(tasks)) != 0) {
		char path[64], c;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
			 (int)pid, (int)tid);
		fd = __real_open(path, O_RDONLY);
		some |= fd >= 0 && __real_read(fd, &c, 1) > 0;
		if (fd >= 0)
			close(fd);
	}
	return some;
}

/* No thread is left in real time. */
static bool is_ordinary(pid_t pid)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	bool ordinary = true;
	pid_t tid;

	assert_int_equal(ht_tasks_open(pid, &tasks, NULL), HT_OK);
	while ((tid = ht_tasks_next(tasks)) != 0)
		ordinary &= sched_getscheduler(tid) == SCHED_OTHER;
	return ordinary;
}

/* A thread on its way home, on a machine with a hundred others before it. */
#define PATIENCE_MS 20000

static void check_unharmed(enum ht_mode mode, long n)
{
	char line[128], expected[64];

	interrupted = 0;
	if (!process_runs_free(victim.pid, PATIENCE_MS))
		fail_msg("%s, death at call %ld: the target does not run",
			 ht_mode_names[mode], n);
	snprintf(expected, sizeof(expected), "signal %ld", n);
	if (!next_line(line, sizeof(line)) || strcmp(line, expected) != 0)
		fail_msg("%s, death at call %ld: \"%s\" in place of \"%s\"",
			 ht_mode_names[mode], n, line, expected);
	read_sum(line, sizeof(line));
	if (strcmp(line, memory) != 0)
		fail_msg("%s, death at call %ld: \"%s\" in place of \"%s\"",
			 ht_mode_names[mode], n, line, memory);
	for (int i = 0; i < 10000 && has_children(victim.pid); i++)
		usleep(1000);
	if (has_children(victim.pid))
		fail_msg("%s, death at call %ld: the target has a child",
			 ht_mode_names[mode], n);
	for (int i = 0; i < PATIENCE_MS && !is_ordinary(victim.pid); i++)
		usleep(1000);
	if (!is_ordinary(victim.pid))
		fail_msg("%s, death at call %ld: a thread is in real time",
			 ht_mode_names[mode], n);
	interrupted_in_all += interrupted;
	/* The kernel has woken a thread that nobody is left to mend. */
	if (interrupted > (*exposed ? 1 : 0))
		fail_msg("%s, death at call %ld: EINTR", ht_mode_names[mode],
			 n);
}

/* --- the agent ----------------------------------------------------------- */

/* Of bounded mode: too little for a stop of all threads at once. */
#define TURNS_PAUSE_US 100
static uint64_t max_pause_us;

static void sample_and_exit(struct ht_target *t, enum ht_mode mode, long die_at)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = t, .request = &request, .snapshot = &snapshot};
	const union sigval value = {.sival_int = (int)die_at};
	struct ht_err err = {0};

	request.mode = mode;
	if (max_pause_us)
		request.max_pause_us = max_pause_us;
	ht_snapshot_init(&snapshot);
	/* On its way while the agent is at work. */
	sigqueue(victim.pid, SIGRTMIN, value);
	*exposed = false;
	worst = die;
	worst_in = die_at;
	_exit(ht_session_sample(&session, &err) == HT_OK ? 0 : 3);
}

/* Status of an agent that dies at its die_at-th call. */
static int agent(struct ht_target *t, enum ht_mode mode, long die_at)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		sample_and_exit(t, mode, die_at);
	waitpid(pid, &status, 0);
	return status;
}

static void dies_everywhere(enum ht_mode mode)
{
	struct ht_target t = HT_TARGET_NONE;
	struct ht_err err = {0};
	int status;
	long n = 0;

	interrupted_in_all = 0;
	if (ht_target_open_process(victim.pid, &t, &err) != HT_OK ||
	    ht_target_locate(&t, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
	do {
		status = agent(&t, mode, ++n);
		check_unharmed(mode, n);
	} while (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	print_message("[   NOTE   ] %s: %ld deaths, EINTR after %d\n",
		      ht_mode_names[mode], n - 1, interrupted_in_all);
	assert_true(n > 50);
	ht_target_close(&t);
}

static void an_agent_that_dies_anywhere_in_exact_harms_nothing(void **state)
{
	(void)state;
	dies_everywhere(HT_MODE_EXACT);
}

static void an_agent_that_dies_anywhere_in_bounded_harms_nothing(void **state)
{
	(void)state;
	dies_everywhere(HT_MODE_BOUNDED);
	assert_int_equal(interrupted_in_all, 0);
}

static void an_agent_that_dies_anywhere_in_turns_harms_nothing(void **state)
{
	(void)state;
	max_pause_us = TURNS_PAUSE_US;
	dies_everywhere(HT_MODE_BOUNDED);
	max_pause_us = 0;
	assert_int_equal(interrupted_in_all, 0);
}

static void an_agent_that_dies_anywhere_in_none_harms_nothing(void **state)
{
	(void)state;
	dies_everywhere(HT_MODE_NONE);
	assert_int_equal(interrupted_in_all, 0);
}

/* Long enough for a stop on a busy machine, and to be seen. */
#define ALARM_MS 2000

static void hang_with_the_target_stopped(struct ht_target *t)
{
	const struct ht_stop_limits limits = {.deadline_ns = ht_mono_ns() +
							     5 * HT_NS_PER_S};
	struct ht_stopped *stop;

	ht_guard_alarm(ALARM_MS);
	if (ht_stop_all(victim.pid, &limits, t->reader, &stop, NULL, NULL) !=
	    HT_OK)
		_exit(1);
	for (;;)
		pause();
}

static void an_agent_that_hangs_is_ended_by_its_own_alarm(void **state)
{
	struct ht_target t = HT_TARGET_NONE;
	char states[16] = "";
	int status = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(ht_target_open_process(victim.pid, &t, NULL), HT_OK);
	pid = fork();
	if (pid == 0)
		hang_with_the_target_stopped(&t);
	for (int i = 0; i < 2 * ALARM_MS && !strchr(states, 't'); i++) {
		process_states(victim.pid, states, sizeof(states));
		usleep(1000);
	}
	assert_non_null(strchr(states, 't'));
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
	assert_true(process_runs_free(victim.pid, 1000));
	ht_target_close(&t);
}

/* The copy too: killed with its agent, or ended by itself, and reaped. */
static void an_agent_that_dies_anywhere_in_snapshot_harms_nothing(void **state)
{
	(void)state;
	dies_everywhere(HT_MODE_SNAPSHOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_that_hangs_is_ended_by_its_own_alarm),
		cmocka_unit_test(
			an_agent_that_dies_anywhere_in_exact_harms_nothing),
		cmocka_unit_test(
			an_agent_that_dies_anywhere_in_bounded_harms_nothing),
		cmocka_unit_test(
			an_agent_that_dies_anywhere_in_turns_harms_nothing),
		cmocka_unit_test(
			an_agent_that_dies_anywhere_in_none_harms_nothing),
		cmocka_unit_test(
			an_agent_that_dies_anywhere_in_snapshot_harms_nothing),
	};

	return cmocka_run_group_tests(tests, start_victim, end_victim);
}
