/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leave: whether a thread can be taken out of the system call that it sleeps
 * in, do something else for a while, and go back as if nothing had been.
 *
 * The kernel knows how much of a relative time limit is left, and forgets it on
 * the way back from any signal frame: such a call would begin anew. So it can
 * be left only when it has only just begun. A call without a limit, with an
 * absolute one, or whose limit the kernel itself counts down in the caller's
 * memory (select, ppoll) can be left at any time. One that may have done a part
 * of its work (write, recv of MSG_WAITALL) never: what it has done is gone.
 */
#ifndef HT_AGENT_STOP_LEAVE_H
#define HT_AGENT_STOP_LEAVE_H

#include "agent/stop/tasks.h"

enum ht_leave {
	HT_LEAVE_NEVER,
	HT_LEAVE_FRESH, /* within a moment of its beginning */
	HT_LEAVE_NOW,
};

/* Of a thread of a 64-bit program. tasks: /proc/PID/task, to see what a
 * descriptor is. */
enum ht_leave ht_leave(const struct ht_sleep *sleep, DIR *tasks, pid_t tid);

#endif
