/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/restart.h"

#include <errno.h>
#include <stddef.h>

#include "common/system.h"

/* The kernel's own "restart unless a handler runs"; never seen by programs. */
#define KERNEL_ERESTARTNOHAND 514
#define USER32_CS	      0x23

enum what_interrupt_does {
	CALL_UNKNOWN,  /* not in the table: may notice */
	CALL_BRIEF,    /* memory management: cannot be interrupted, soon over */
	CALL_SURVIVES, /* the kernel restarts it, deadline kept, nothing lost */
	CALL_EINTR,    /* EINTR; nothing was done: may be restarted */
	CALL_EINTR_WAIT, /* the same; sleeps for ever if its time limit is
			    absent */
};

struct call {
	int nr;
	enum what_interrupt_does does;
	int limit_arg;	   /* CALL_EINTR_WAIT: argument that limits the wait */
	uint32_t for_ever; /* ... and its value (low half) for "no limit" */
};

#define PAGE_FAULT  HT_NAP_NO_CALL
#define FOR_EVER_MS UINT32_MAX /* int timeout = -1 */

static const struct call calls_64[] = {
	{PAGE_FAULT, CALL_BRIEF, 0, 0},
	{SYS_mmap, CALL_BRIEF, 0, 0},
	{SYS_munmap, CALL_BRIEF, 0, 0},
	{SYS_mremap, CALL_BRIEF, 0, 0},
	{SYS_mprotect, CALL_BRIEF, 0, 0},
	{SYS_madvise, CALL_BRIEF, 0, 0},
	{SYS_brk, CALL_BRIEF, 0, 0},
	{SYS_exit, CALL_BRIEF, 0, 0},
	{SYS_poll, CALL_SURVIVES, 0, 0},
	{SYS_ppoll, CALL_SURVIVES, 0, 0},
	{SYS_select, CALL_SURVIVES, 0, 0},
	{SYS_pselect6, CALL_SURVIVES, 0, 0},
	{SYS_nanosleep, CALL_SURVIVES, 0, 0},
	{SYS_clock_nanosleep, CALL_SURVIVES, 0, 0},
	{SYS_futex, CALL_SURVIVES, 0, 0},
	{SYS_restart_syscall, CALL_SURVIVES, 0, 0},
	{SYS_rt_sigsuspend, CALL_SURVIVES, 0, 0},
	{SYS_pause, CALL_SURVIVES, 0, 0},
	{SYS_wait4, CALL_SURVIVES, 0, 0},
	{SYS_waitid, CALL_SURVIVES, 0, 0},
	{SYS_msgrcv, CALL_SURVIVES, 0, 0},
	{SYS_msgsnd, CALL_SURVIVES, 0, 0},
	{SYS_mq_timedreceive, CALL_SURVIVES, 0, 0},
	{SYS_mq_timedsend, CALL_SURVIVES, 0, 0},
	{SYS_flock, CALL_SURVIVES, 0, 0},
	{SYS_epoll_wait, CALL_EINTR_WAIT, 3, FOR_EVER_MS},
	{SYS_epoll_pwait, CALL_EINTR_WAIT, 3, FOR_EVER_MS},
	{SYS_epoll_pwait2, CALL_EINTR_WAIT, 3, 0},
	{SYS_semop, CALL_EINTR_WAIT, 3, 0},
	{SYS_semtimedop, CALL_EINTR_WAIT, 3, 0},
	{SYS_rt_sigtimedwait, CALL_EINTR_WAIT, 2, 0},
	{SYS_io_getevents, CALL_EINTR, 0, 0},
	{SYS_io_uring_enter, CALL_EINTR, 0, 0},
	{SYS_accept, CALL_EINTR, 0, 0},
	{SYS_accept4, CALL_EINTR, 0, 0},
	{SYS_recvfrom, CALL_EINTR, 0, 0},
	{SYS_recvmsg, CALL_EINTR, 0, 0},
	{SYS_sendto, CALL_EINTR, 0, 0},
	{SYS_sendmsg, CALL_EINTR, 0, 0},
	{SYS_connect, CALL_EINTR, 0, 0},
	{SYS_read, CALL_EINTR, 0, 0},
	{SYS_readv, CALL_EINTR, 0, 0},
	{SYS_write, CALL_EINTR, 0, 0},
	{SYS_writev, CALL_EINTR, 0, 0},
};

/* i386 numbers: asm/unistd_32.h cannot be included beside the 64-bit ones. */
static const struct call calls_32[] = {
	{PAGE_FAULT, CALL_BRIEF, 0, 0},
	{1, CALL_BRIEF, 0, 0},			/* exit */
	{45, CALL_BRIEF, 0, 0},			/* brk */
	{91, CALL_BRIEF, 0, 0},			/* munmap */
	{125, CALL_BRIEF, 0, 0},		/* mprotect */
	{163, CALL_BRIEF, 0, 0},		/* mremap */
	{192, CALL_BRIEF, 0, 0},		/* mmap2 */
	{219, CALL_BRIEF, 0, 0},		/* madvise */
	{0, CALL_SURVIVES, 0, 0},		/* restart_syscall */
	{7, CALL_SURVIVES, 0, 0},		/* waitpid */
	{29, CALL_SURVIVES, 0, 0},		/* pause */
	{82, CALL_SURVIVES, 0, 0},		/* select, old */
	{114, CALL_SURVIVES, 0, 0},		/* wait4 */
	{142, CALL_SURVIVES, 0, 0},		/* _newselect */
	{143, CALL_SURVIVES, 0, 0},		/* flock */
	{162, CALL_SURVIVES, 0, 0},		/* nanosleep */
	{168, CALL_SURVIVES, 0, 0},		/* poll */
	{179, CALL_SURVIVES, 0, 0},		/* rt_sigsuspend */
	{240, CALL_SURVIVES, 0, 0},		/* futex */
	{267, CALL_SURVIVES, 0, 0},		/* clock_nanosleep */
	{284, CALL_SURVIVES, 0, 0},		/* waitid */
	{308, CALL_SURVIVES, 0, 0},		/* pselect6 */
	{309, CALL_SURVIVES, 0, 0},		/* ppoll */
	{407, CALL_SURVIVES, 0, 0},		/* clock_nanosleep_time64 */
	{413, CALL_SURVIVES, 0, 0},		/* pselect6_time64 */
	{414, CALL_SURVIVES, 0, 0},		/* ppoll_time64 */
	{422, CALL_SURVIVES, 0, 0},		/* futex_time64 */
	{256, CALL_EINTR_WAIT, 3, FOR_EVER_MS}, /* epoll_wait */
	{319, CALL_EINTR_WAIT, 3, FOR_EVER_MS}, /* epoll_pwait */
	{441, CALL_EINTR_WAIT, 3, 0},		/* epoll_pwait2 */
	{177, CALL_EINTR_WAIT, 2, 0},		/* rt_sigtimedwait */
	{421, CALL_EINTR_WAIT, 2, 0},		/* rt_sigtimedwait_time64 */
	{420, CALL_EINTR_WAIT, 3, 0},		/* semtimedop_time64 */
	{117, CALL_EINTR, 0, 0},		/* ipc: semop, semtimedop */
	{247, CALL_EINTR, 0, 0},		/* io_getevents */
	{426, CALL_EINTR, 0, 0},		/* io_uring_enter */
	{102, CALL_EINTR, 0, 0},		/* socketcall */
	{362, CALL_EINTR, 0, 0},		/* connect */
	{364, CALL_EINTR, 0, 0},		/* accept4 */
	{369, CALL_EINTR, 0, 0},		/* sendto */
	{370, CALL_EINTR, 0, 0},		/* sendmsg */
	{371, CALL_EINTR, 0, 0},		/* recvfrom */
	{372, CALL_EINTR, 0, 0},		/* recvmsg */
	{3, CALL_EINTR, 0, 0},			/* read */
	{4, CALL_EINTR, 0, 0},			/* write */
	{145, CALL_EINTR, 0, 0},		/* readv */
	{146, CALL_EINTR, 0, 0},		/* writev */
};

static const struct call *find(long nr, unsigned word)
{
	const struct call *table = word == 4 ? calls_32 : calls_64;
	size_t n = word == 4 ? sizeof(calls_32) / sizeof(*calls_32)
			     : sizeof(calls_64) / sizeof(*calls_64);

	for (size_t i = 0; i < n; i++)
		if (table[i].nr == nr)
			return &table[i];
	return NULL;
}

bool ht_restart_brief(const struct ht_nap *nap, unsigned word)
{
	const struct call *c = find(nap->nr, word);

	return c && c->does == CALL_BRIEF;
}

bool ht_restart_survives(const struct ht_nap *nap, unsigned word)
{
	const struct call *c = find(nap->nr, word);

	if (!c)
		return false;
	if (c->does == CALL_SURVIVES)
		return true;
	/* semop has three arguments; what lies in the fourth register is
	 * nobody's. */
	if (word == 8 && nap->nr == SYS_semop)
		return true;
	return c->does == CALL_EINTR_WAIT &&
	       (uint32_t)nap->arg[c->limit_arg] == c->for_ever &&
	       (c->for_ever == FOR_EVER_MS || nap->arg[c->limit_arg] == 0);
}

bool ht_restart_needs_mending(const struct ht_nap *nap, unsigned word)
{
	const struct call *c = find(nap->nr, word);

	return c && c->does == CALL_EINTR_WAIT;
}

bool ht_restart_mend(struct user_regs_struct *regs)
{
	unsigned word = regs->cs == USER32_CS ? 4 : 8;
	const struct call *c;

	/* A thread that was not in a call has orig_rax < 0. */
	if ((long long)regs->orig_rax < 0 || (int)regs->rax != -EINTR)
		return false;
	c = find((long)regs->orig_rax, word);
	if (!c || c->does < CALL_EINTR)
		return false;
	regs->rax = (unsigned long long)-KERNEL_ERESTARTNOHAND;
	return true;
}
