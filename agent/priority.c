/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/priority.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>

#include "agent/helper.h"

#define FIFO_PRIORITY	 50
#define LONGEST_BURST_US 2000000
#define NICEST		 (-20)

static int usual_nice;
static bool holding; /* nice is not the usual one */

bool ht_priority_raise(void)
{
	const struct sched_param fifo = {.sched_priority = FIFO_PRIORITY};
	struct rlimit burst;

	/* The kernel ends us (SIGXCPU) after that long without a sleep. */
	if (getrlimit(RLIMIT_RTTIME, &burst) < 0)
		return false;
	if (burst.rlim_cur > LONGEST_BURST_US) {
		burst.rlim_cur = LONGEST_BURST_US;
		if (setrlimit(RLIMIT_RTTIME, &burst) < 0)
			return false;
	}
	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo) ==
	       0;
}

static void be_ordinary(void)
{
	const struct sched_param other = {.sched_priority = 0};

	/* The flag once set needs a capability to be cleared: keep it. */
	sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &other);
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
	be_ordinary();
	errno = 0;
	usual_nice = getpriority(PRIO_PROCESS, 0);
	holding = errno == 0;
	if (holding)
		set_nice_of_both(NICEST);
}

void ht_priority_restore(void)
{
	be_ordinary();
	if (holding)
		set_nice_of_both(usual_nice);
	holding = false;
}
