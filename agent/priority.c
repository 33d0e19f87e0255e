/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/priority.h"

#include <sched.h>
#include <sys/resource.h>

#define FIFO_PRIORITY	 50
#define LONGEST_BURST_US 2000000

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

void ht_priority_restore(void)
{
	const struct sched_param other = {.sched_priority = 0};

	/* The flag once set needs a capability to be cleared: keep it. */
	sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &other);
}
