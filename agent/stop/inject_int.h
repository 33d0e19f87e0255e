/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of inject.h and call.h share: frames, the chain, stops on it.
 */
#ifndef HT_AGENT_STOP_INJECT_INT_H
#define HT_AGENT_STOP_INJECT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include <time.h>

#include "common/clock.h"
#include "common/err.h"

#define RED_ZONE   128
#define XSTATE_MAX 16384
/* Where the kernel's own frames say what they hold: <asm/sigcontext.h>. */
#define FP_SW_OFFSET 464
#define FP_MAGIC1    0x46505853u
#define FP_MAGIC2    0x46505845u
/* Flags that sigaltstack refuses, which rt_sigreturn does not mind. */
#define NO_ALTSTACK_CHANGE   7
#define UC_FP_XSTATE	     1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4

/* The part of a signal frame that rt_sigreturn reads. */
struct frame {
	uint64_t flags, link;
	uint64_t stack[3];
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx,
		rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t sigmask;
};
_Static_assert(sizeof(struct frame) == 304, "struct ucontext of the kernel");

/* "return to rt_sigreturn", then the frame. */
struct link {
	uint64_t restorer;
	struct frame f;
};

/* --- inject_frame.c ------------------------------------------------------ */

/* A frame that goes on at pc with this stack, all signals blocked and all other
 * registers 0; the caller sets those that matter. */
void ht_link_enter(struct link *l, const struct user_regs_struct *regs,
		   uint64_t restorer, uint64_t pc, uint64_t sp);
/* Whether a system call was interrupted and is to be entered anew. */
bool ht_link_restarts(const struct user_regs_struct *regs);
/* The thread's own registers. An interrupted call is entered anew. */
void ht_link_home(struct link *l, const struct user_regs_struct *regs,
		  uint64_t restorer, uint64_t xstate_at, uint64_t sigmask);
/* The vector registers (at most XSTATE_MAX + 4 bytes), marked as the kernel
 * marks them in its own frames. */
enum ht_code ht_link_xstate(pid_t tid, uint8_t *xstate, size_t *ret_size,
			    struct ht_err *err) HT_MUST_CHECK;
/* All that a stopped thread had, its registers last: until then it comes home
 * along its chain. */
void ht_link_put_back(pid_t tid, const struct user_regs_struct *regs,
		      uint8_t *xstate, size_t xstate_size, uint64_t *sigmask);

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
	struct link to_wait; /* the thread's first */
	struct link to_calm;
	struct link to_park; /* a moment in which we fetch it home */
	struct link to_home;
	struct link to_fork;	  /* the helper's first */
	struct link to_copy_exit; /* the helper's second, the copy's first */
	struct link to_adjust, to_write, to_stay; /* the copy's, if we live */
	struct scheduling usual;		  /* the thread's own */
	char adjust_path[32], adjust[8];
	uint64_t padding;
	uint8_t xstate[XSTATE_MAX + 4];
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
