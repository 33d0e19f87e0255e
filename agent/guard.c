/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"

#define FIRST_SURPLUS_FD 4

enum ht_code ht_guard_arrive(struct ht_err *err)
{
	const struct rlimit none = {0, 0};
	pid_t parent = getppid();
	sigset_t all;

	close_range(FIRST_SURPLUS_FD, ~0u, 0);
	setrlimit(RLIMIT_CORE, &none);
	/* An inherited mask or handler must not keep the alarm from us, nor the
	 * news of a stop. */
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGALRM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return ht_fail_sys(err, HT_SYS, errno, "PR_SET_PDEATHSIG");
	if (getppid() != parent)
		return ht_fail(err, HT_GONE, "the parent ended");
	return HT_OK;
}

void ht_guard_alarm(uint64_t timeout_ms)
{
	const struct itimerval limit = {
		.it_value = {.tv_sec = (time_t)(timeout_ms / 1000),
			     .tv_usec =
				     (suseconds_t)(timeout_ms % 1000 * 1000)}};

	setitimer(ITIMER_REAL, &limit, NULL);
}

struct itimerval ht_guard_hurry(int64_t within_ns)
{
	const struct itimerval limit = {
		.it_value = {.tv_sec = within_ns / HT_NS_PER_S,
			     .tv_usec =
				     within_ns % HT_NS_PER_S / HT_NS_PER_US}};
	struct itimerval before = {0};

	setitimer(ITIMER_REAL, &limit, &before);
	return before;
}

void ht_guard_ease(const struct itimerval *before)
{
	setitimer(ITIMER_REAL, before, NULL);
}
