/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/ptrace.h>

#include "agent/arch/arch.h"

#define USER_CS	  0x33
#define USER32_CS 0x23

bool ht_regs_read(pid_t tid, struct ht_regs *ret)
{
	return ptrace(PTRACE_GETREGS, tid, NULL, &ret->user) == 0;
}

bool ht_regs_write(pid_t tid, const struct ht_regs *r)
{
	return ptrace(PTRACE_SETREGS, tid, NULL, &r->user) == 0;
}

uint64_t ht_regs_pc(const struct ht_regs *r)
{
	return r->user.rip;
}

uint64_t ht_regs_sp(const struct ht_regs *r)
{
	return r->user.rsp;
}

uint64_t ht_regs_frame(const struct ht_regs *r)
{
	return r->user.rbp;
}

uint64_t ht_regs_thread_pointer(const struct ht_regs *r, unsigned word)
{
	return word == 4 ? r->user.gs_base : r->user.fs_base;
}

void ht_regs_general(const struct ht_regs *r,
		     uint64_t ret[HT_GENERAL_REGISTERS])
{
	memcpy(ret, &r->user, HT_GENERAL_REGISTERS * sizeof(*ret));
}

unsigned ht_regs_word(const struct ht_regs *r)
{
	return r->user.cs == USER_CS ? 8 : r->user.cs == USER32_CS ? 4 : 0;
}

/* A thread that was not in a call has orig_rax < 0. */
long ht_regs_call(const struct ht_regs *r)
{
	return (long long)r->user.orig_rax < 0 ? -1 : (long)r->user.orig_rax;
}

int64_t ht_regs_result(const struct ht_regs *r)
{
	return (int64_t)r->user.rax;
}

void ht_regs_set_result(struct ht_regs *r, int64_t v)
{
	r->user.rax = (unsigned long long)v;
}

void ht_regs_leave_call(struct ht_regs *r)
{
	r->user.orig_rax = (unsigned long long)-1;
}

static void put_call(struct ht_regs *r, long nr, const uint64_t args[3])
{
	ht_regs_leave_call(r);
	r->user.rax = (unsigned long long)nr;
	r->user.rdi = args[0];
	r->user.rsi = args[1];
	r->user.rdx = args[2];
}

void ht_regs_make_call(struct ht_regs *r, uint64_t pc, uint64_t sp, long nr,
		       const uint64_t args[3])
{
	put_call(r, nr, args);
	r->user.r10 = r->user.r8 = 0;
	r->user.rip = pc;
	r->user.rsp = sp;
}

void ht_regs_call_anew(struct ht_regs *r, uint64_t up, long nr,
		       const uint64_t args[3])
{
	put_call(r, nr, args);
	r->user.rsp += up;
	r->user.rip -= 2; /* "syscall" has two bytes */
}

void ht_regs_return_into(struct ht_regs *r, uint64_t pc, uint64_t sp)
{
	ht_regs_leave_call(r);
	r->user.rax = 0;
	r->user.rip = pc;
	r->user.rsp = sp;
}
