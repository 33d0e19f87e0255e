/* SPDX-License-Identifier: Apache-2.0 */
/* Signal frames that rt_sigreturn loads, and the way back from them. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "agent/stop/inject_int.h"

/* Direction and trap: no function of a program may be called with them. */
#define EFLAGS_DF_TF 0x500u

void ht_link_enter(struct link *l, const struct user_regs_struct *regs,
		   uint64_t restorer, uint64_t pc, uint64_t sp)
{
	l->restorer = restorer;
	l->f = (struct frame){
		.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		.rip = pc,
		.rsp = sp,
		.eflags = regs->eflags & ~(uint64_t)EFLAGS_DF_TF,
		.cs = (uint16_t)regs->cs,
		.ss = (uint16_t)regs->ss,
		.sigmask = ~UINT64_C(0), /* no handler in the midst of it */
	};
	l->f.stack[1] = NO_ALTSTACK_CHANGE;
}

bool ht_link_restarts(const struct user_regs_struct *r)
{
	return (long long)r->orig_rax >= 0 && (long long)r->rax <= -512 &&
	       (long long)r->rax >= -514;
}

void ht_link_home(struct link *l, const struct user_regs_struct *r,
		  uint64_t restorer, uint64_t xstate_at, uint64_t sigmask)
{
	bool restart = ht_link_restarts(r);

	l->restorer = restorer;
	l->f = (struct frame){
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
		.fpstate = xstate_at,
		.sigmask = sigmask,
	};
	l->f.stack[1] = NO_ALTSTACK_CHANGE;
}

enum ht_code ht_link_xstate(pid_t tid, uint8_t *xstate, size_t *ret_size,
			    struct ht_err *err)
{
	struct iovec v = {xstate, XSTATE_MAX};
	struct {
		uint32_t magic1, extended_size;
		uint64_t xfeatures;
		uint32_t xstate_size, padding[7];
	} sw = {.magic1 = FP_MAGIC1};
	const uint32_t magic2 = FP_MAGIC2;

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &v) < 0)
		return ht_fail_sys(err, HT_REFUSED, errno,
				   "thread %d: vector registers", (int)tid);
	memcpy(&sw.xfeatures, xstate + FP_SW_OFFSET, 8);
	sw.xstate_size = (uint32_t)v.iov_len;
	sw.extended_size = sw.xstate_size + (uint32_t)sizeof(magic2);
	memcpy(xstate + FP_SW_OFFSET, &sw, sizeof(sw));
	memcpy(xstate + v.iov_len, &magic2, sizeof(magic2));
	*ret_size = v.iov_len + sizeof(magic2);
	return HT_OK;
}

void ht_link_put_back(pid_t tid, const struct user_regs_struct *regs,
		      uint8_t *xstate, size_t xstate_size, uint64_t *sigmask)
{
	struct iovec v = {xstate, xstate_size - sizeof(uint32_t)};

	if (ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &v) == 0 &&
	    ptrace(PTRACE_SETSIGMASK, tid, (void *)8, sigmask) == 0)
		ptrace(PTRACE_SETREGS, tid, NULL, regs);
}
