/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of inject.h and call.h share: frames, the chain, stops on it.
 */
#ifndef HT_AGENT_STOP_INJECT_INT_H
#define HT_AGENT_STOP_INJECT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "agent/arch/arch.h"
#include "common/clock.h"
#include "common/err.h"

/* --- stops --------------------------------------------------------------- */

/* struct sched_attr of <linux/sched/types.h>, which does not go together with
 * <sched.h>. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};
_Static_assert(sizeof(struct scheduling) == 56, "struct sched_attr, version 1");

/* All that is written below the stack, lowest address first: a signal handler
 * that ran on the thread would push its frame below the thread's own links. */
struct chain {
	struct ht_sigframe to_wait; /* the thread's first */
	struct ht_sigframe to_background;
	struct ht_sigframe to_park; /* a moment in which we fetch it home */
	struct ht_sigframe to_home;
	struct ht_sigframe to_fork; /* the helper's first */
	struct ht_sigframe
		to_copy_exit; /* the helper's second, the copy's first */
	struct ht_sigframe to_adjust, to_write,
		to_stay;	 /* the copy's, if we live */
	struct scheduling usual; /* the thread's own */
	char adjust_path[32], adjust[8];
	uint64_t padding;
	uint8_t vector[HT_VECTOR_MAX + 4];
};

#define AT(member) offsetof(struct chain, member)

/* Between two looks for it, at first; doubled each time. */
#define FETCH_NS     (30 * HT_NS_PER_US)
#define FETCH_MAX_NS HT_NS_PER_MS

#define NO_STOP (-1) /* in time */
#define ENDED	(-2)

/* The next stop of pid, status as waitid gives it, or one of the above. A stop
 * is not consumed: should we die, a signal that it came with is not lost. An
 * end is: its parent hears of it only then. */
int ht_inject_next_stop(pid_t pid, int64_t deadline_ns);
/* The signal that a stop with this status came with, for ptrace; or none. */
void *ht_inject_signal_of(int status);
/* From a stop with this status; its signal goes along. */
bool ht_inject_run_on(pid_t pid, int status);
/* After a moment, longer each time. Not one that has stopped by itself (its
 * process is being stopped): it would stop again before its next instruction,
 * and get nowhere. */
void ht_inject_ask_to_stop(pid_t pid, struct timespec *moment);

#endif
