/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/leave.h"

#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/arch/arch.h"

/* Its own word is compared anew when the wait is entered anew, as the kernel
 * itself does when it restarts one. */
static enum ht_leave leave_futex(const struct ht_sleep *sleep)
{
	switch ((int)sleep->arg[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT: /* relative */
		return sleep->arg[3] == 0 ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case FUTEX_WAIT_BITSET: /* absolute */
		return HT_LEAVE_NOW;
	default:
		return HT_LEAVE_NEVER;
	}
}

/* Descriptors whose reading does nothing before it has all of an answer. */
static enum ht_leave leave_read(const struct ht_sleep *sleep, DIR *tasks,
				pid_t tid)
{
	static const char *const known[] = {"pipe:",
					    "anon_inode:[eventfd]",
					    "anon_inode:[timerfd]",
					    "anon_inode:[signalfd]",
					    "anon_inode:inotify",
					    "/dev/pts/",
					    "/dev/tty"};
	char path[64], to[64] = "";

	snprintf(path, sizeof(path), "%d/fd/%d", (int)tid, (int)sleep->arg[0]);
	if (readlinkat(dirfd(tasks), path, to, sizeof(to) - 1) <= 0)
		return HT_LEAVE_NEVER;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncmp(to, known[i], strlen(known[i])) == 0)
			return HT_LEAVE_NOW;
	return strncmp(to, "socket:", 7) == 0 ? HT_LEAVE_FRESH : HT_LEAVE_NEVER;
}

enum ht_leave ht_leave(const struct ht_sleep *sleep, DIR *tasks, pid_t tid)
{
	const struct ht_limited *c = ht_limited(sleep->nr);
	uint64_t arg;

	if (!c)
		return HT_LEAVE_NEVER;
	arg = sleep->arg[c->arg];
	switch (c->limit) {
	case HT_LIMIT_NONE:
		return HT_LEAVE_NOW;
	case HT_LIMIT_INT:
		return (int)arg < 0 ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case HT_LIMIT_POINTER:
		return arg == 0 ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case HT_LIMIT_TIMER:
		return arg & TIMER_ABSTIME ? HT_LEAVE_NOW : HT_LEAVE_FRESH;
	case HT_LIMIT_FUTEX:
		return leave_futex(sleep);
	case HT_LIMIT_PLAIN:
		return leave_read(sleep, tasks, tid);
	case HT_LIMIT_RECEIVE:
		return arg & MSG_WAITALL ? HT_LEAVE_NEVER : HT_LEAVE_FRESH;
	case HT_LIMIT_RELATIVE:
	case HT_LIMIT_SOCKET:
		break;
	}
	return HT_LEAVE_FRESH;
}
