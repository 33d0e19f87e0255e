/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/priority.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>

#include "agent/self/helper.h"
#include "agent/self/pace.h"

#define FIFO_PRIORITY	 50
#define LONGEST_BURST_US 2000000
#define NICEST		 (-20)

static int usual_nice;
static bool holding; /* nice is not the usual one */

/* Of both our threads: one waits for the other. */
static bool schedule(int policy, int priority)
{
	const struct sched_param param = {.sched_priority = priority};
	pid_t helper = ht_helper_tid();

	/* The flag once set needs a capability to be cleared: keep it. */
	policy |= SCHED_RESET_ON_FORK;
	return sched_setscheduler(0, policy, &param) == 0 &&
	       (helper == 0 || sched_setscheduler(helper, policy, &param) == 0);
}

bool ht_priority_raise(void)
{
	struct rlimit burst;

	/* The kernel ends us (SIGXCPU) after that long without a sleep. */
	if (getrlimit(RLIMIT_RTTIME, &burst) < 0)
		return false;
	if (burst.rlim_cur > LONGEST_BURST_US) {
		burst.rlim_cur = LONGEST_BURST_US;
		if (setrlimit(RLIMIT_RTTIME, &burst) < 0)
			return false;
	}
	return schedule(SCHED_FIFO, FIFO_PRIORITY);
}

/* A thread's own, on Linux. Where it is refused the hold is but longer. */
static void set_nice(void *nice)
{
	setpriority(PRIO_PROCESS, 0, *(const int *)nice);
}

static void set_nice_of_both(int nice)
{
	bool helped = ht_helper_run(set_nice, &nice);

	set_nice(&nice);
	if (helped)
		ht_helper_wait();
}

void ht_priority_hold(void)
{
	schedule(SCHED_OTHER, 0);
	errno = 0;
	usual_nice = getpriority(PRIO_PROCESS, 0);
	holding = errno == 0;
	if (holding)
		set_nice_of_both(NICEST);
}

void ht_priority_restore(void)
{
	schedule(ht_pace_policy(), 0);
	if (holding)
		set_nice_of_both(usual_nice);
	holding = false;
}
