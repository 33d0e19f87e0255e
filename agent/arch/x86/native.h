/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 for agent/arch/arch.h, which alone includes this. */
#ifndef HT_AGENT_ARCH_X86_NATIVE_H
#define HT_AGENT_ARCH_X86_NATIVE_H

#include <linux/audit.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define HT_PAGE_SIZE	     UINT64_C(4096) /* it has one */
#define HT_RED_ZONE	     128u
#define HT_ENTRY_SP	     8	/* sp % 16 where a function is entered */
#define HT_GENERAL_REGISTERS 15 /* r15 to rdi of struct user_regs_struct */
#define HT_SAVED_REGISTERS   6	/* of those the first */
#define HT_VECTOR_MAX	     16384

/* What ht_regs_read() and ht_regs_write() ask of ptrace. */
#define HT_PTRACE_REGISTERS PTRACE_GETREGS, PTRACE_SETREGS
/* A line of /proc/TID/status that names "shstk" where a shadow stack is. */
#define HT_SHADOW_STACK_LINE "x86_Thread_features:"
/* ht_robust_head() of a 32-bit thread comes to the kernel by another gate: its
 * name in libseccomp. */
#define HT_SECCOMP_SECOND SCMP_ARCH_X86
#define HT_AUDIT_ARCH	  AUDIT_ARCH_X86_64
#define HT_CALL_SLEEP	  SYS_poll
#define HT_CALL_RESUME	  SYS_restart_syscall

/* The kernel's struct pt_regs, which its programs see: places of its words. */
enum {
	HT_PT_FRAME = 32,
	HT_PT_RESULT = 80,
	HT_PT_ARGUMENT_3 = 96,
	HT_PT_ARGUMENT_2 = 104,
	HT_PT_ARGUMENT_1 = 112,
	HT_PT_PC = 128,
	HT_PT_SP = 152,
};

/* The kernel's samples of registers: which of them, and in what order. */
enum {
	HT_PERF_FRAME,
	HT_PERF_SP,
	HT_PERF_PC,
	HT_PERF_REGS,
	HT_PERF_REGS_MASK = 1 << 6 | 1 << 7 | 1 << 8,
};

struct ht_regs {
	struct user_regs_struct user;
};

/* The part of a signal frame that rt_sigreturn reads. */
struct ht_ucontext {
	uint64_t flags, link;
	uint64_t stack[3];
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx,
		rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	uint64_t sigmask;
};
_Static_assert(sizeof(struct ht_ucontext) == 304,
	       "struct ucontext of the kernel");

/* "return to rt_sigreturn", then the frame. */
struct ht_sigframe {
	uint64_t restorer;
	struct ht_ucontext f;
};

#endif
