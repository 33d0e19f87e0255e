/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inject: one held thread forks its process for us, and never knows.
 *
 * The thread is given registers and, below the red zone of its stack, a chain
 * of signal frames, each a whole set of registers that rt_sigreturn loads:
 *
 *   thread   vfork a helper -> wait for it -> its own registers, as they were
 *   helper   (same memory, for microseconds) fork the copy -> exit
 *   copy     exit
 *
 * The chain runs by itself: should we die at any moment, the thread still comes
 * back to where it was, the helper is waited for, and the copy, an orphan that
 * init reaps, exits without having run a line of the program. While we live the
 * copy is held before its first instruction, and killed by the kernel when we
 * end (PTRACE_O_EXITKILL, on the copy alone).
 */
#ifndef HT_AGENT_INJECT_H
#define HT_AGENT_INJECT_H

#include <sys/user.h>

#include "agent/maps.h"
#include "agent/reader.h"

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

/* Whether a thread stopped with these registers can be used: it is in no system
 * call, or in one that restarts without memory of when it began. */
bool ht_inject_usable(const struct user_regs_struct *regs);

/* Forks the process of the held thread tid. regs: as it was stopped. On success
 * the thread runs and is no longer ours; ret_copy is held by us: end it with
 * ht_inject_end. HT_REFUSED: this thread cannot be used, it is as before, still
 * held. Any other error: the kernel would not fork; the thread is where it was,
 * and has been asked to stop. */
enum ht_code ht_inject_fork(pid_t tid, const struct user_regs_struct *regs,
			    const struct ht_inject_code *code,
			    struct ht_reader *reader, int64_t deadline_ns,
			    pid_t *ret_copy, struct ht_err *err) HT_MUST_CHECK;
/* Kills the copy and waits for it. */
void ht_inject_end(pid_t copy);

#endif
