/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inject: one held thread forks its process for us, and never knows.
 *
 * The thread is given registers and, below the red zone of its stack, a chain
 * of signal frames, each a whole set of registers that rt_sigreturn loads:
 *
 *   thread   vfork a helper -> wait for it -> its own scheduling -> a moment's
 *            sleep, in which it is given all that it had by us -> or, without
 *            us, its own registers as they were
 *   helper   (same memory, for microseconds) fork the copy -> exit
 *   copy     exit
 *
 * The chain runs by itself: should we die at any moment, the thread still comes
 * back to where it was, the helper is waited for, and the copy, an orphan that
 * init reaps, exits without having run a line of the program. While we live the
 * copy is held before its first instruction, and killed by the kernel when we
 * end (PTRACE_O_EXITKILL, on the copy alone).
 */
#ifndef HT_AGENT_STOP_INJECT_H
#define HT_AGENT_STOP_INJECT_H

#include "agent/arch/arch.h"
#include "agent/memory/maps.h"
#include "agent/memory/reader.h"

/* Two pieces of the target's own code that the chain is made of. */
struct ht_inject_code {
	uint64_t syscall_ret; /* syscall; ret */
	uint64_t restorer;    /* mov $15, %rax; syscall: calls rt_sigreturn */
};

/* Looks for them in the target's libraries: before the stop, it reads some MiB.
 */
enum ht_code ht_inject_find(const struct ht_maps *maps,
			    struct ht_reader *reader,
			    struct ht_inject_code *ret,
			    struct ht_err *err) HT_MUST_CHECK;

/* Whether they are still there: a library may have been unloaded since. */
enum ht_code ht_inject_check(const struct ht_inject_code *code,
			     struct ht_reader *reader,
			     struct ht_err *err) HT_MUST_CHECK;

/* Whether a thread stopped with these registers can be used: it is in no system
 * call, or in one that restarts without memory of when it began. */
bool ht_inject_usable(const struct ht_regs *regs);

/* CLOCK_MONOTONIC. A thread that finds no processor to fork on must not hold
 * up all others: these are let go then, the fork is called off. */
struct ht_inject_limits {
	int64_t soon_ns;     /* from then on it is called off */
	int64_t deadline_ns; /* to wait for the thread afterwards */
	void (*let_others_go)(void *ctx); /* called once: when the copy exists,
					     or at soon_ns */
	void *ctx;
};

/* Forks the process of the held thread tid. regs: as it was stopped. SIGCHLD is
 * blocked. On success the thread runs and is no longer ours, ret_copy has been
 * born, the others have been let go, and ht_inject_take must follow.
 * HT_REFUSED: this thread cannot be used, it is as before, still held.
 * Otherwise the thread is where it was or on its way back, and has been asked
 * to stop; HT_BUSY: it was late, HT_SYS: the kernel would not fork; HT_TIMEOUT:
 * it did not stop within the deadline, only our end lets it go. */
enum ht_code ht_inject_fork(pid_t tid, const struct ht_regs *regs,
			    const struct ht_inject_code *code,
			    const struct ht_inject_limits *limits,
			    struct ht_reader *reader, pid_t *ret_copy,
			    struct ht_err *err) HT_MUST_CHECK;
/* Waits until the copy stands, and binds its life to ours: end it with
 * ht_inject_end. On an error it has ended. */
enum ht_code ht_inject_take(pid_t copy, int64_t deadline_ns,
			    struct ht_err *err) HT_MUST_CHECK;
/* Kills the copy and waits for it. */
void ht_inject_end(pid_t copy);

#endif
