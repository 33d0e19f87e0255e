/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/leave.h"

#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/system.h"

/* What an argument says of the call's time limit. */
enum limit {
	LIMIT_NONE,	/* there is none, or it is kept: now */
	LIMIT_RELATIVE, /* there is one: fresh */
	LIMIT_INT,	/* an int; negative: for ever */
	LIMIT_POINTER,	/* NULL: for ever */
	LIMIT_TIMER,	/* flags: TIMER_ABSTIME */
	LIMIT_FUTEX,	/* the operation tells */
	LIMIT_PLAIN,	/* a descriptor: what it is tells */
	LIMIT_SOCKET,	/* may have one of its own (SO_RCVTIMEO) */
	LIMIT_RECEIVE,	/* the same; flags of recv */
};

static const struct {
	int nr;
	enum limit limit;
	int arg; /* which argument says so */
} calls[] = {
	{SYS_poll, LIMIT_INT, 2},
	{SYS_ppoll, LIMIT_NONE, 0},
	{SYS_select, LIMIT_NONE, 0},
	{SYS_pselect6, LIMIT_NONE, 0},
	{SYS_nanosleep, LIMIT_RELATIVE, 0},
	{SYS_clock_nanosleep, LIMIT_TIMER, 1},
	{SYS_futex, LIMIT_FUTEX, 1},
	{SYS_rt_sigsuspend, LIMIT_NONE, 0},
	{SYS_pause, LIMIT_NONE, 0},
	{SYS_wait4, LIMIT_NONE, 0},
	{SYS_waitid, LIMIT_NONE, 0},
	{SYS_msgrcv, LIMIT_NONE, 0},
	{SYS_msgsnd, LIMIT_NONE, 0},
	{SYS_flock, LIMIT_NONE, 0},
	{SYS_epoll_wait, LIMIT_INT, 3},
	{SYS_epoll_pwait, LIMIT_INT, 3},
	{SYS_epoll_pwait2, LIMIT_POINTER, 3},
	{SYS_semop, LIMIT_NONE, 0},
	{SYS_semtimedop, LIMIT_POINTER, 3},
	{SYS_rt_sigtimedwait, LIMIT_POINTER, 2},
	{SYS_read, LIMIT_PLAIN, 0},
	{SYS_readv, LIMIT_PLAIN, 0},
	{SYS_accept, LIMIT_SOCKET, 0},
	{SYS_accept4, LIMIT_SOCKET, 0},
	{SYS_recvfrom, LIMIT_RECEIVE, 3},
	{SYS_recvmsg, LIMIT_RECEIVE, 2},
};

/* Its own word is compared anew when the wait is entered anew, as the kernel
 * itself does when it restarts one. */
static enum ht_leave leave_futex(const struct ht_nap *nap)
{
	switch ((int)nap->arg[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT: /* relative */
		return nap->arg[3] == 0 ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case FUTEX_WAIT_BITSET: /* absolute */
		return HT_LEAVE_NOW;
	default:
		return HT_LEAVE_NEVER;
	}
}

/* Descriptors whose reading does nothing before it has all of an answer. */
static enum ht_leave leave_read(const struct ht_nap *nap, DIR *tasks, pid_t tid)
{
	static const char *const known[] = {"pipe:",
					    "anon_inode:[eventfd]",
					    "anon_inode:[timerfd]",
					    "anon_inode:[signalfd]",
					    "anon_inode:inotify",
					    "/dev/pts/",
					    "/dev/tty"};
	char path[64], to[64] = "";

	snprintf(path, sizeof(path), "%d/fd/%d", (int)tid, (int)nap->arg[0]);
	if (readlinkat(dirfd(tasks), path, to, sizeof(to) - 1) <= 0)
		return HT_LEAVE_NEVER;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncmp(to, known[i], strlen(known[i])) == 0)
			return HT_LEAVE_NOW;
	return strncmp(to, "socket:", 7) == 0 ? HT_LEAVE_FRESH : HT_LEAVE_NEVER;
}

enum ht_leave ht_leave(const struct ht_nap *nap, DIR *tasks, pid_t tid)
{
	const size_t n = sizeof(calls) / sizeof(*calls);
	uint64_t arg;
	size_t i = 0;

	while (i < n && calls[i].nr != nap->nr)
		i++;
	if (i == n)
		return HT_LEAVE_NEVER;
	arg = nap->arg[calls[i].arg];
	switch (calls[i].limit) {
	case LIMIT_NONE:
		return HT_LEAVE_NOW;
	case LIMIT_INT:
		return (int)arg < 0 ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case LIMIT_POINTER:
		return arg == 0 ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case LIMIT_TIMER:
		return arg & TIMER_ABSTIME ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case LIMIT_FUTEX:
		return leave_futex(nap);
	case LIMIT_PLAIN:
		return leave_read(nap, tasks, tid);
	case LIMIT_RECEIVE:
		return arg & MSG_WAITALL ? HT_LEAVE_NEVER : HT_LEAVE_FRESH;
	case LIMIT_RELATIVE:
	case LIMIT_SOCKET:
		break;
	}
	return HT_LEAVE_FRESH;
}
