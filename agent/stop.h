/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stop: all threads of a target, for a moment, and nothing the target could
 * notice. PTRACE_SEIZE, never ATTACH, never EXITKILL: if we die, the kernel
 * lets the target run on. Signals that arrive meanwhile are peeked at with
 * waitid(WNOWAIT) and handed back. A thread that its owner had stopped stays
 * stopped. A system call that would now fail with EINTR is set to restart.
 */
#ifndef HT_AGENT_STOP_H
#define HT_AGENT_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/malloc_state.h"
#include "common/err.h"

struct ht_stop; /* opaque: every thread that is held */

struct ht_stop_limits {
	int64_t deadline_ns;  /* CLOCK_MONOTONIC: give up and let go */
	bool realtime;	      /* SCHED_FIFO while threads are held, if allowed */
};

/* Seizes and stops every thread, looking again until no new one appears.
 * On any error nothing is left held. HT_TRACED names the other tracer. */
enum ht_code ht_stop_all(pid_t pid, const struct ht_stop_limits *limits,
			 struct ht_stop **ret, struct ht_err *err) HT_MUST_CHECK;
/* Registers of each held thread; borrowed until release. */
const struct ht_thread_state *ht_stop_threads(const struct ht_stop *s,
					      size_t *ret_n);
/* Lets every thread go as it was. Returns the pause in microseconds: first
 * thread stopped to last one resumed. Frees s. NULL is fine. */
uint64_t ht_stop_release(struct ht_stop *s);

#endif
