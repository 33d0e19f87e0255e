/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stop: all threads of a target, for a moment, and nothing the target could
 * notice. PTRACE_SEIZE, never ATTACH, never EXITKILL: if we die, the kernel
 * lets the target run on. Signals that arrive meanwhile are peeked at with
 * waitid(WNOWAIT) and handed back. A thread that its owner had stopped stays
 * stopped. A system call that would now fail with EINTR is set to restart.
 *
 * A thread that sleeps in the kernel changes nothing. It is held only where the
 * interrupt leaves no trace in its program (restart.h); else it is watched: its
 * run counter, compared at the end, says whether it slept all the time.
 */
#ifndef HT_AGENT_STOP_STOP_H
#define HT_AGENT_STOP_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "agent/stop/inject.h"
#include "agent/stop/tracee.h"
#include "common/err.h"

struct ht_stopped; /* opaque: every thread that is held or watched */

struct ht_stop_limits {
	int64_t deadline_ns; /* CLOCK_MONOTONIC: give up and let go */
	bool realtime;	     /* SCHED_FIFO while threads are held, if allowed */
	enum ht_tracee_watch watch; /* SLEEPERS: for short stops */
};

struct ht_stop_report {
	uint64_t pause_us; /* first thread stopped to last one resumed */
	size_t woken;	   /* see ht_stop_woken, at the moment of release */
	bool stuck; /* a thread could not be let go: end the process soon,
		       then the kernel does it */
};

/* Seizes and stops every thread, looking again until no new one appears.
 * reader: borrowed, for thread pointers of threads that are only watched.
 * On any error nothing is left held, and ret_report (or NULL) says how long
 * some threads were. HT_TRACED names the other tracer, HT_TIMEOUT: the deadline
 * came first. */
enum ht_code ht_stop_all(pid_t pid, const struct ht_stop_limits *limits,
			 struct ht_reader *reader, struct ht_stopped **ret,
			 struct ht_stop_report *ret_report,
			 struct ht_err *err) HT_MUST_CHECK;
/* Registers of each thread; borrowed until release. */
const struct ht_thread_state *ht_stop_threads(const struct ht_stopped *s,
					      size_t *ret_n);
/* Threads that are held: stopped by us. */
size_t ht_stop_held(const struct ht_stopped *s);
/* Watched threads that ran since the stop: what was read may have moved. */
size_t ht_stop_woken(struct ht_stopped *s);

/* Lets some held threads run for a moment and stops them again, the others
 * stay: so each gets out of malloc without another getting in. which: true for
 * each thread of ht_stop_threads() to let run. Threads that they create are
 * stopped, too: ask for ht_stop_threads() again. */
enum ht_code ht_stop_nudge(struct ht_stopped *s, const bool *which,
			   int64_t run_ns, int64_t deadline_ns,
			   struct ht_err *err) HT_MUST_CHECK;

/* Forks the target by one of its held threads (inject.h), and lets all go the
 * moment the copy exists; ht_stop_release must still follow, and reports as
 * woken the threads that ran since this call began. HT_REFUSED: no thread that
 * can be used, or vfork; HT_BUSY: a watched thread runs, or the fork did not
 * come by soon_ns and was called off; HT_SYS: the kernel would not fork. */
enum ht_code ht_stop_fork(struct ht_stopped *s,
			  const struct ht_inject_code *code_found,
			  int64_t soon_ns, pid_t *ret_copy,
			  struct ht_err *err) HT_MUST_CHECK;

/* For a long hold: among the ordinary, but first; release raises it again. */
void ht_stop_lower_priority(const struct ht_stopped *s);

/* Lets every thread go as it was. Frees s. NULL is fine: an empty report. */
struct ht_stop_report ht_stop_release(struct ht_stopped *s);

#endif
