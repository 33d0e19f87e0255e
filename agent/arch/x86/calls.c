/* SPDX-License-Identifier: Apache-2.0 */
/* System calls by their numbers: x86-64's and, where 32-bit programs are held,
 * i386's. docs/adr/0004 has what was measured of each. */
#include <linux/sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/arch/arch.h"
#include "common/system.h"

/* --- what an interrupt does ---------------------------------------------- */

static const struct ht_interrupted interrupted_64[] = {
	{HT_NO_CALL, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_mmap, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_munmap, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_mremap, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_mprotect, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_madvise, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_brk, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_exit, HT_INTERRUPT_BRIEF, 0, 0},
	{SYS_poll, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_ppoll, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_select, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_pselect6, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_nanosleep, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_clock_nanosleep, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_futex, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_restart_syscall, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_rt_sigsuspend, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_pause, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_wait4, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_waitid, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_msgrcv, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_msgsnd, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_mq_timedreceive, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_mq_timedsend, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_flock, HT_INTERRUPT_SURVIVES, 0, 0},
	{SYS_epoll_wait, HT_INTERRUPT_EINTR_WAIT, 3, HT_FOR_EVER_MS},
	{SYS_epoll_pwait, HT_INTERRUPT_EINTR_WAIT, 3, HT_FOR_EVER_MS},
	{SYS_epoll_pwait2, HT_INTERRUPT_EINTR_WAIT, 3, 0},
	/* Three arguments: what lies in the fourth register is nobody's. */
	{SYS_semop, HT_INTERRUPT_EINTR_WAIT, -1, 0},
	{SYS_semtimedop, HT_INTERRUPT_EINTR_WAIT, 3, 0},
	{SYS_rt_sigtimedwait, HT_INTERRUPT_EINTR_WAIT, 2, 0},
	{SYS_io_getevents, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_io_uring_enter, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_accept, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_accept4, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_recvfrom, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_recvmsg, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_sendto, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_sendmsg, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_connect, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_read, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_readv, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_write, HT_INTERRUPT_EINTR, 0, 0},
	{SYS_writev, HT_INTERRUPT_EINTR, 0, 0},
};

/* i386 numbers: asm/unistd_32.h cannot be included beside the 64-bit ones. */
static const struct ht_interrupted interrupted_32[] = {
	{HT_NO_CALL, HT_INTERRUPT_BRIEF, 0, 0},
	{1, HT_INTERRUPT_BRIEF, 0, 0},	    /* exit */
	{45, HT_INTERRUPT_BRIEF, 0, 0},	    /* brk */
	{91, HT_INTERRUPT_BRIEF, 0, 0},	    /* munmap */
	{125, HT_INTERRUPT_BRIEF, 0, 0},    /* mprotect */
	{163, HT_INTERRUPT_BRIEF, 0, 0},    /* mremap */
	{192, HT_INTERRUPT_BRIEF, 0, 0},    /* mmap2 */
	{219, HT_INTERRUPT_BRIEF, 0, 0},    /* madvise */
	{0, HT_INTERRUPT_SURVIVES, 0, 0},   /* restart_syscall */
	{7, HT_INTERRUPT_SURVIVES, 0, 0},   /* waitpid */
	{29, HT_INTERRUPT_SURVIVES, 0, 0},  /* pause */
	{82, HT_INTERRUPT_SURVIVES, 0, 0},  /* select, old */
	{114, HT_INTERRUPT_SURVIVES, 0, 0}, /* wait4 */
	{142, HT_INTERRUPT_SURVIVES, 0, 0}, /* _newselect */
	{143, HT_INTERRUPT_SURVIVES, 0, 0}, /* flock */
	{162, HT_INTERRUPT_SURVIVES, 0, 0}, /* nanosleep */
	{168, HT_INTERRUPT_SURVIVES, 0, 0}, /* poll */
	{179, HT_INTERRUPT_SURVIVES, 0, 0}, /* rt_sigsuspend */
	{240, HT_INTERRUPT_SURVIVES, 0, 0}, /* futex */
	{267, HT_INTERRUPT_SURVIVES, 0, 0}, /* clock_nanosleep */
	{284, HT_INTERRUPT_SURVIVES, 0, 0}, /* waitid */
	{308, HT_INTERRUPT_SURVIVES, 0, 0}, /* pselect6 */
	{309, HT_INTERRUPT_SURVIVES, 0, 0}, /* ppoll */
	{407, HT_INTERRUPT_SURVIVES, 0, 0}, /* clock_nanosleep_time64 */
	{413, HT_INTERRUPT_SURVIVES, 0, 0}, /* pselect6_time64 */
	{414, HT_INTERRUPT_SURVIVES, 0, 0}, /* ppoll_time64 */
	{422, HT_INTERRUPT_SURVIVES, 0, 0}, /* futex_time64 */
	{256, HT_INTERRUPT_EINTR_WAIT, 3, HT_FOR_EVER_MS}, /* epoll_wait */
	{319, HT_INTERRUPT_EINTR_WAIT, 3, HT_FOR_EVER_MS}, /* epoll_pwait */
	{441, HT_INTERRUPT_EINTR_WAIT, 3, 0},		   /* epoll_pwait2 */
	{177, HT_INTERRUPT_EINTR_WAIT, 2, 0},		   /* rt_sigtimedwait */
	{421, HT_INTERRUPT_EINTR_WAIT, 2, 0}, /* rt_sigtimedwait_time64 */
	{420, HT_INTERRUPT_EINTR_WAIT, 3, 0}, /* semtimedop_time64 */
	{117, HT_INTERRUPT_EINTR, 0, 0},      /* ipc: semop, semtimedop */
	{247, HT_INTERRUPT_EINTR, 0, 0},      /* io_getevents */
	{426, HT_INTERRUPT_EINTR, 0, 0},      /* io_uring_enter */
	{102, HT_INTERRUPT_EINTR, 0, 0},      /* socketcall */
	{362, HT_INTERRUPT_EINTR, 0, 0},      /* connect */
	{364, HT_INTERRUPT_EINTR, 0, 0},      /* accept4 */
	{369, HT_INTERRUPT_EINTR, 0, 0},      /* sendto */
	{370, HT_INTERRUPT_EINTR, 0, 0},      /* sendmsg */
	{371, HT_INTERRUPT_EINTR, 0, 0},      /* recvfrom */
	{372, HT_INTERRUPT_EINTR, 0, 0},      /* recvmsg */
	{3, HT_INTERRUPT_EINTR, 0, 0},	      /* read */
	{4, HT_INTERRUPT_EINTR, 0, 0},	      /* write */
	{145, HT_INTERRUPT_EINTR, 0, 0},      /* readv */
	{146, HT_INTERRUPT_EINTR, 0, 0},      /* writev */
};

const struct ht_interrupted *ht_interrupted(long nr, unsigned word)
{
	const struct ht_interrupted *table =
		word == 4 ? interrupted_32 : interrupted_64;
	size_t n = word == 4 ? sizeof(interrupted_32) / sizeof(*table)
			     : sizeof(interrupted_64) / sizeof(*table);

	for (size_t i = 0; i < n; i++)
		if (table[i].nr == nr)
			return &table[i];
	return NULL;
}

/* --- what limits a wait --------------------------------------------------- */

static const struct ht_limited limited[] = {
	{SYS_poll, HT_LIMIT_INT, 2},
	{SYS_ppoll, HT_LIMIT_NONE, 0},
	{SYS_select, HT_LIMIT_NONE, 0},
	{SYS_pselect6, HT_LIMIT_NONE, 0},
	{SYS_nanosleep, HT_LIMIT_RELATIVE, 0},
	{SYS_clock_nanosleep, HT_LIMIT_TIMER, 1},
	{SYS_futex, HT_LIMIT_FUTEX, 1},
	{SYS_rt_sigsuspend, HT_LIMIT_NONE, 0},
	{SYS_pause, HT_LIMIT_NONE, 0},
	{SYS_wait4, HT_LIMIT_NONE, 0},
	{SYS_waitid, HT_LIMIT_NONE, 0},
	{SYS_msgrcv, HT_LIMIT_NONE, 0},
	{SYS_msgsnd, HT_LIMIT_NONE, 0},
	{SYS_flock, HT_LIMIT_NONE, 0},
	{SYS_epoll_wait, HT_LIMIT_INT, 3},
	{SYS_epoll_pwait, HT_LIMIT_INT, 3},
	{SYS_epoll_pwait2, HT_LIMIT_POINTER, 3},
	{SYS_semop, HT_LIMIT_NONE, 0},
	{SYS_semtimedop, HT_LIMIT_POINTER, 3},
	{SYS_rt_sigtimedwait, HT_LIMIT_POINTER, 2},
	{SYS_read, HT_LIMIT_PLAIN, 0},
	{SYS_readv, HT_LIMIT_PLAIN, 0},
	{SYS_accept, HT_LIMIT_SOCKET, 0},
	{SYS_accept4, HT_LIMIT_SOCKET, 0},
	{SYS_recvfrom, HT_LIMIT_RECEIVE, 3},
	{SYS_recvmsg, HT_LIMIT_RECEIVE, 2},
};

const struct ht_limited *ht_limited(long nr)
{
	for (size_t i = 0; i < sizeof(limited) / sizeof(*limited); i++)
		if (limited[i].nr == nr)
			return &limited[i];
	return NULL;
}

/* --- a few by themselves ------------------------------------------------- */

enum ht_vfork ht_vfork_call(long nr, unsigned word)
{
	static const long calls[2][3] = {{190, 120, 435},
					 {SYS_vfork, SYS_clone, SYS_clone3}};
	static const enum ht_vfork of[] = {HT_VFORK, HT_VFORK_CLONE,
					   HT_VFORK_CLONE3};

	for (size_t i = 0; i < 3; i++)
		if (nr == calls[word == 8][i])
			return of[i];
	return HT_VFORK_NOT;
}

bool ht_call_is_sleep(long nr)
{
	return nr == HT_CALL_SLEEP;
}

bool ht_call_is_pause(long nr)
{
	return nr == SYS_pause;
}

bool ht_regs_resumes_sleep(const struct ht_regs *r)
{
	return ht_regs_result(r) == SYS_restart_syscall;
}

void ht_sigframe_sleep(struct ht_sigframe *l, int ms)
{
	ht_sigframe_call(l, HT_CALL_SLEEP, (uint64_t[6]){0, 0, (uint64_t)ms});
}

void ht_sigframe_pause(struct ht_sigframe *l)
{
	ht_sigframe_call(l, SYS_pause, (uint64_t[6]){0});
}

void ht_sigframe_open(struct ht_sigframe *l, uint64_t path, int flags)
{
	ht_sigframe_call(l, SYS_open, (uint64_t[6]){path, (uint64_t)flags});
}

/* A 32-bit thread's head is known to the 32-bit system call only, which takes
 * pointers below 4 GiB. */
#define I386_GET_ROBUST_LIST 312

static uint64_t robust_head_32(pid_t tid)
{
	uint64_t head = 0;
	long ret;
	uint32_t *out = mmap(NULL, HT_PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (out == MAP_FAILED)
		return 0;
	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"((long)I386_GET_ROBUST_LIST), "b"((long)tid),
			   "c"(&out[0]), "d"(&out[1])
			 : "memory", "r8", "r9", "r10", "r11");
	if (ret == 0)
		head = out[0];
	munmap(out, HT_PAGE_SIZE);
	return head;
}

uint64_t ht_robust_head(pid_t tid, unsigned word)
{
	void *head = NULL;
	size_t len;

	if (word == 4)
		return robust_head_32(tid);
	if (syscall(SYS_get_robust_list, tid, &head, &len) < 0)
		return 0;
	return (uint64_t)(uintptr_t)head;
}
