/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s */
/* System calls of a stopped target return what they would have returned. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/stop/restart.h"
#include "agent/stop/stop.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/lib/target.h"

#define FOR_EVER     "for ever"
#define STOPS	     200
#define STOPS_FOR_NS (HT_NS_PER_S * 7 / 10)
#define LATE_MS	     400 /* less than where a whole new second would end */

/* name, what it returns after its second; FOR_EVER: it must still wait. */
static const struct {
	const char *name, *result;
} calls[] = {
	{"epoll_wait", "0 0"},
	{"epoll_for_ever", FOR_EVER},
	{"epoll_pwait2", "0 0"},
	{"poll", "0 0"},
	{"select", "0 0"},
	{"nanosleep", "0 0"},
	{"futex", "-1 ETIMEDOUT"},
	{"semop", FOR_EVER},
	{"semtimedop", "-1 EAGAIN"},
	{"msgrcv", FOR_EVER},
	{"sigtimedwait", "-1 EAGAIN"},
	{"sigwaitinfo", FOR_EVER},
	{"io_getevents", "0 0"},
	{"io_uring", FOR_EVER},
	{"recv_timeout", "-1 EAGAIN"},
	{"recv_half", FOR_EVER},
	{"pipe_write", FOR_EVER},
	{"pipe_read", FOR_EVER},
	{"eventfd", FOR_EVER},
	{"vfork", "0 0"},
	{"pause", FOR_EVER},
};
#define CALLS (sizeof(calls) / sizeof(*calls))

static void stop_once(pid_t pid, bool watch_sleepers, size_t *held)
{
	const struct ht_stop_limits limits = {
		.deadline_ns = ht_mono_ns() + 20 * HT_NS_PER_S,
		.watch = watch_sleepers ? HT_WATCH_SLEEPERS : HT_WATCH_UNSAFE,
	};
	struct ht_reader reader = {0};
	struct ht_stopped *stop = NULL;
	struct ht_err err = {0};

	if (ht_reader_open_process(pid, 8, false, &reader, &err) != HT_OK)
		return;
	/* Once its second is over the program ends: HT_GONE then. */
	if (ht_stop_all(pid, &limits, &reader, &stop, NULL, &err) != HT_OK &&
	    err.code != HT_GONE)
		fail_msg("%s", err.msg);
	if (stop)
		*held += ht_stop_held(stop);
	ht_stop_release(stop);
	ht_reader_close(&reader);
}

static void check(size_t i, const struct program *p)
{
	char line[128] = "";
	bool for_ever = strcmp(calls[i].result, FOR_EVER) == 0;
	bool ended = program_line(p, line, sizeof(line), for_ever ? 20 : 10000);
	long ms, waited;

	if (for_ever) {
		if (ended)
			fail_msg("%s returned: %s", calls[i].name, line);
		return;
	}
	if (!ended)
		fail_msg("%s did not keep its deadline", calls[i].name);
	assert_int_equal(sscanf(line, "%*d %*s %ld %ld", &ms, &waited), 2);
	if (strncmp(line, calls[i].result, strlen(calls[i].result)) != 0)
		fail_msg("%s returned: %s", calls[i].name, line);
	if (ms < 1000 || ms - waited > 1000 + LATE_MS)
		fail_msg("%s: after %ld ms in place of 1000, %ld ms of which "
			 "no processor was free",
			 calls[i].name, ms, waited);
}

/* It waits, and no longer for its input; or it has ended. */
static bool waits_in_its_call(pid_t pid)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48], line[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return true;
	return line[0] != 'r' && strncmp(line, "0 0x0 ", 6) != 0;
}

/* Returns when the first of them began. */
static int64_t start_calls(struct program *p)
{
	int64_t begin;

	for (size_t i = 0; i < CALLS; i++)
		p[i] = program_start("calls", calls[i].name, NULL);
	for (size_t i = 0; i < CALLS; i++)
		assert_true(program_says(&p[i], "ready", 5000));
	begin = ht_mono_ns();
	for (size_t i = 0; i < CALLS; i++)
		program_tell(&p[i], "x");
	for (size_t i = 0; i < CALLS; i++)
		while (!waits_in_its_call(p[i].pid))
			usleep(100);
	return begin;
}

/* All calls at once, each stopped 200 times within its one second, at least
 * once: those that wait for ever are there on the slowest machine. */
static size_t stop_often(bool watch_sleepers)
{
	struct program p[CALLS];
	size_t held = 0;
	int64_t until;
	int k = 0;

	until = start_calls(p) + STOPS_FOR_NS;
	/* Not up to the end: io_getevents, interrupted in the very moment in
	 * which its time is over, says EINTR for 0, and waits once more. */
	do
		for (size_t i = 0; i < CALLS; i++)
			stop_once(p[i].pid, watch_sleepers, &held);
	while (++k < STOPS && ht_mono_ns() < until);
	print_message("[   NOTE   ] %d rounds, %zu held\n", k, held);
	for (size_t i = 0; i < CALLS; i++)
		check(i, &p[i]);
	for (size_t i = 0; i < CALLS; i++)
		program_end(&p[i]);
	return held;
}

static void calls_of_a_watched_target_keep_result_and_deadline(void **state)
{
	(void)state;
	assert_int_equal(stop_often(true), 0);
}

static void calls_of_a_held_target_keep_result_and_deadline(void **state)
{
	(void)state;
	/* Those that the kernel restarts were held. */
	assert_true(stop_often(false) >= 5);
}

/* A tracer that interrupts one thread, and is gone when it stands there. */
static void interrupt_and_die(pid_t pid)
{
	pid_t tracer = fork();
	int status;

	if (tracer == 0) {
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 &&
		    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0)
			waitpid(pid, &status, __WALL);
		_exit(0);
	}
	assert_true(tracer > 0);
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
}

/* What the manual says of an agent that is killed between an interrupt and the
 * mending: it is that which makes the EINTR, and where the mending is done
 * there is none, even if the next moment is the agent's last. */
static void
an_interrupt_that_nobody_mends_is_seen_and_a_mended_one_is_not(void **state)
{
	struct program p = program_start("calls", "epoll_for_ever", NULL);
	char line[128] = "";
	size_t held = 0;

	(void)state;
	assert_true(program_says(&p, "ready", 5000));
	program_tell(&p, "x");
	while (!waits_in_its_call(p.pid))
		usleep(100);
	stop_once(p.pid, false, &held);
	assert_int_equal(held, 1);
	assert_false(program_line(&p, line, sizeof(line), 20));
	interrupt_and_die(p.pid);
	assert_true(program_line(&p, line, sizeof(line), 20000));
	assert_memory_equal(line, "-1 EINTR", 8);
	program_end(&p);
}

/* rt_sigreturn turns restart_syscall into EINTR. */
static void a_sleep_about_to_go_on_is_not_used_to_fork(void **state)
{
	struct ht_regs regs = {
		.user = {.cs = 0x33, .orig_rax = SYS_clock_nanosleep}};

	(void)state;
	assert_true(ht_inject_usable(&regs));
	regs.user.rax = SYS_restart_syscall;
	assert_false(ht_inject_usable(&regs));
	regs.user.orig_rax = (unsigned long long)-1;
	assert_false(ht_inject_usable(&regs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			calls_of_a_watched_target_keep_result_and_deadline),
		cmocka_unit_test(
			calls_of_a_held_target_keep_result_and_deadline),
		cmocka_unit_test(
			an_interrupt_that_nobody_mends_is_seen_and_a_mended_one_is_not),
		cmocka_unit_test(a_sleep_about_to_go_on_is_not_used_to_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
