/* SPDX-License-Identifier: Apache-2.0 */
/* Signal frames that rt_sigreturn loads, and the way back from them. */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "agent/arch/arch.h"

/* Where the kernel's own frames say what they hold: <asm/sigcontext.h>. */
#define FP_SW_OFFSET 464
#define FP_MAGIC1    0x46505853u
#define FP_MAGIC2    0x46505845u
/* XSAVE's header, with a bit for each component that is not as it is at first.
 */
#define HEADER_AT  512
#define HEADER_END 576
/* CPUID leaf 0xd, ecx: of a component that a process must ask for, as AMX's
 * tiles. */
#define XSAVE_LEAF 0xd
#define ON_DEMAND  4u
#define COMPONENTS 63u
/* Flags that sigaltstack refuses, which rt_sigreturn does not mind. */
#define NO_ALTSTACK_CHANGE   7
#define UC_FP_XSTATE	     1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4

/* Direction and trap: no function of a program may be called with them. */
#define EFLAGS_DF_TF 0x500u

void ht_sigframe_enter(struct ht_sigframe *l, const struct ht_regs *regs,
		       uint64_t restorer, uint64_t pc, uint64_t sp)
{
	l->restorer = restorer;
	l->f = (struct ht_ucontext){
		.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		.rip = pc,
		.rsp = sp,
		.eflags = regs->user.eflags & ~(uint64_t)EFLAGS_DF_TF,
		.cs = (uint16_t)regs->user.cs,
		.ss = (uint16_t)regs->user.ss,
		.sigmask = ~UINT64_C(0), /* no handler in the midst of it */
	};
	l->f.stack[1] = NO_ALTSTACK_CHANGE;
}

const struct ht_code_bytes ht_syscall_ret = {3, {0x0f, 0x05, 0xc3}};
/* mov $15, %rax; syscall */
const struct ht_code_bytes ht_restorer = {
	9, {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05}};

void ht_sigframe_call(struct ht_sigframe *l, long nr, const uint64_t args[6])
{
	l->f.rax = (uint64_t)nr;
	l->f.rdi = args[0];
	l->f.rsi = args[1];
	l->f.rdx = args[2];
	l->f.r10 = args[3];
	l->f.r8 = args[4];
	l->f.r9 = args[5];
}

/* Whether a system call was interrupted and is to be entered anew. */
static bool restarts(const struct ht_regs *r)
{
	return ht_regs_call(r) >= 0 && ht_regs_result(r) <= -HT_ERESTARTSYS &&
	       ht_regs_result(r) >= -HT_ERESTARTNOHAND;
}

void ht_sigframe_home(struct ht_sigframe *l, const struct ht_regs *regs,
		      uint64_t restorer, uint64_t vector_at, uint64_t sigmask)
{
	const struct user_regs_struct *r = &regs->user;
	bool restart = restarts(regs);

	l->restorer = restorer;
	l->f = (struct ht_ucontext){
		.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.rdx = r->rdx,
		.rcx = r->rcx,
		.rsp = r->rsp,
		.rax = restart ? r->orig_rax : r->rax,
		.rip = restart ? r->rip - 2 : r->rip,
		.eflags = r->eflags,
		.cs = (uint16_t)r->cs,
		.ss = (uint16_t)r->ss,
		.fpstate = vector_at,
		.sigmask = sigmask,
	};
	l->f.stack[1] = NO_ALTSTACK_CHANGE;
}

/* Whether the thread has room for this component, since it used it once: ptrace
 * takes it only then. It is offered as it is at first, and what the thread had
 * is put back at once. */
static bool has_room(pid_t tid, uint8_t *vector, size_t whole,
		     unsigned component)
{
	struct iovec v = {vector, whole};
	uint64_t used, with;
	bool has;

	memcpy(&used, vector + HEADER_AT, sizeof(used));
	with = used | UINT64_C(1) << component;
	memcpy(vector + HEADER_AT, &with, sizeof(with));
	has = ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &v) == 0;
	memcpy(vector + HEADER_AT, &used, sizeof(used));
	if (has)
		ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &v);
	return has;
}

/* Bytes of a frame of the kernel's own for this thread. ptrace tells of all
 * that the machine has; what a process must ask for has no room in a frame
 * before its first use, and from then on always. A frame that says more is
 * taken for one of x87 and SSE alone, and the rest is lost; a thread whose
 * frame has less is ended where Linux looks for the rest. */
static size_t own_size(pid_t tid, uint8_t *vector, size_t whole)
{
	uint64_t has, used;
	size_t end = HEADER_END;

	memcpy(&has, vector + FP_SW_OFFSET, sizeof(has));
	memcpy(&used, vector + HEADER_AT, sizeof(used));
	for (unsigned i = 2; i < COMPONENTS; i++) {
		uint32_t size, at, how, none;

		if (!(has >> i & 1))
			continue;
		__cpuid_count(XSAVE_LEAF, i, size, at, how, none);
		if (how & ON_DEMAND && !(used >> i & 1) &&
		    !has_room(tid, vector, whole, i))
			continue;
		if (end < (size_t)at + size)
			end = (size_t)at + size;
	}
	return end < whole ? end : whole;
}

enum ht_code ht_sigframe_vector(pid_t tid, uint8_t *vector, size_t *ret_size,
				struct ht_err *err)
{
	struct iovec v = {vector, HT_VECTOR_MAX};
	struct {
		uint32_t magic1, extended_size;
		uint64_t xfeatures;
		uint32_t xstate_size, padding[7];
	} sw = {.magic1 = FP_MAGIC1};
	const uint32_t magic2 = FP_MAGIC2;
	size_t own;

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &v) < 0)
		return ht_fail_sys(err, HT_REFUSED, errno,
				   "thread %d: vector registers", (int)tid);
	memcpy(&sw.xfeatures, vector + FP_SW_OFFSET, 8);
	own = own_size(tid, vector, v.iov_len);
	sw.xstate_size = (uint32_t)own;
	sw.extended_size = sw.xstate_size + (uint32_t)sizeof(magic2);
	memcpy(vector + FP_SW_OFFSET, &sw, sizeof(sw));
	memcpy(vector + own, &magic2, sizeof(magic2));
	*ret_size = own + sizeof(magic2);
	return HT_OK;
}

void ht_sigframe_put_back(pid_t tid, const struct ht_regs *regs,
			  uint8_t *vector, uint64_t *sigmask)
{
	/* As many bytes as the machine has of it: ptrace takes no more. What
	 * the frame's second mark lies on is not in use. */
	struct iovec v = {vector, HT_VECTOR_MAX};

	if (ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &v) == 0 &&
	    ptrace(PTRACE_SETSIGMASK, tid, (void *)8, sigmask) == 0)
		ht_regs_write(tid, regs);
}
