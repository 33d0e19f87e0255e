/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/system.h"

/* CLOCK_MONOTONIC: the alarm of the whole measurement; 0: none. */
static int64_t until_ns;

static void set_alarm(int64_t within_ns)
{
	const struct itimerval limit = {
		.it_value = {.tv_sec = within_ns / HT_NS_PER_S,
			     .tv_usec =
				     within_ns % HT_NS_PER_S / HT_NS_PER_US}};

	setitimer(ITIMER_REAL, &limit, NULL);
}

void ht_guard_alarm(uint64_t timeout_ms)
{
	int64_t ns = (int64_t)timeout_ms * HT_NS_PER_MS;

	until_ns = ns > 0 ? ht_mono_ns() + ns : 0;
	set_alarm(ns);
}

int64_t ht_guard_until_ns(void)
{
	return until_ns;
}

void ht_guard_shorten(int64_t within_ns)
{
	int64_t left = until_ns - ht_mono_ns();

	if (left < HT_NS_PER_US)
		left = HT_NS_PER_US; /* 0 would be never */
	set_alarm(until_ns && left < within_ns ? left : within_ns);
}

void ht_guard_restore(void)
{
	if (until_ns)
		ht_guard_shorten(INT64_MAX);
	else
		set_alarm(0);
}

/* --- the dead man's switch ----------------------------------------------- */

static struct {
	timer_t timer;
	pid_t owner; /* a child has no timers of its parent's; 0: none */
	_Atomic bool holding, paused;
	_Atomic int64_t beat_ns;
} dead_man;

static bool have_switch(void)
{
	struct sigevent kill = {.sigev_notify = SIGEV_SIGNAL,
				.sigev_signo = SIGKILL};

	if (dead_man.owner != getpid() &&
	    timer_create(CLOCK_MONOTONIC, &kill, &dead_man.timer) == 0)
		dead_man.owner = getpid();
	return dead_man.owner == getpid();
}

static void set_switch(int64_t within_ns)
{
	const struct itimerspec limit = {
		.it_value = {within_ns / HT_NS_PER_S, within_ns % HT_NS_PER_S}};

	timer_settime(dead_man.timer, 0, &limit, NULL);
}

static void put_off(void)
{
	dead_man.beat_ns = ht_mono_ns();
	set_switch(HT_GUARD_DEAD_NS);
	ht_guard_shorten(HT_GUARD_HANG_NS);
}

enum ht_code ht_guard_hold(struct ht_err *err)
{
	if (!have_switch())
		return ht_fail_sys(
			err, HT_REFUSED, errno,
			"no timer (RLIMIT_SIGPENDING?) that would let the process go if we were stopped ourselves");
	put_off();
	dead_man.holding = true;
	return HT_OK;
}

void ht_guard_beat(void)
{
	if (dead_man.holding &&
	    ht_mono_ns() - dead_man.beat_ns >= HT_GUARD_HANG_NS / 10)
		put_off();
}

void ht_guard_pause(void)
{
	if (!dead_man.holding)
		return;
	dead_man.holding = false;
	dead_man.paused = true;
	set_switch(0);
	ht_guard_restore();
}

void ht_guard_resume(void)
{
	if (!dead_man.paused)
		return;
	put_off();
	dead_man.paused = false;
	dead_man.holding = true;
}

void ht_guard_release(void)
{
	ht_guard_pause();
	dead_man.paused = false;
}

/* --- arriving ------------------------------------------------------------ */

enum ht_code ht_guard_arrive(int first_surplus, struct ht_err *err)
{
	const struct rlimit none = {0, 0};
	pid_t parent = getppid();
	sigset_t all;

	ht_close_from(first_surplus);
	setrlimit(RLIMIT_CORE, &none);
	/* An inherited mask or handler must not keep the alarm from us, nor the
	 * news of a stop. */
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGALRM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	/* Whoever stops our parent's terminal or process group does not stop
	 * us, who may hold the target this moment. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	setsid(); /* fails where we lead a session already */
	have_switch();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ht_fail_sys(err, HT_SYS, errno, "PR_SET_PDEATHSIG");
	if (getppid() != parent)
		return ht_fail(err, HT_GONE, "the parent ended");
	return HT_OK;
}
