/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guard: what ends the agent when our own code cannot. The kernel does it in
 * every case, and a tracer's end lets its tracees run on.
 */
#ifndef HT_AGENT_SELF_GUARD_H
#define HT_AGENT_SELF_GUARD_H

#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"

/* Dies with its parent; no core file; no descriptor but 0-3. HT_GONE: the
 * parent has ended already. */
enum ht_code ht_guard_arrive(int first_surplus,
			     struct ht_err *err) HT_MUST_CHECK;
/* SIGALRM at its default action after timeout_ms from now; 0: never. */
void ht_guard_alarm(uint64_t timeout_ms);
/* When it comes, CLOCK_MONOTONIC; 0: never. */
int64_t ht_guard_until_ns(void);
/* The same alarm, if that is sooner, for the time of a stop: a read that hangs
 * in the kernel (a page of the target that does not come back from swap) cannot
 * be called off by us, but it ends with us, and the target runs on.
 * ht_guard_restore brings back what is left of the other. */
void ht_guard_shorten(int64_t within_ns);
void ht_guard_restore(void);
/*
 * The dead man's switch, for the time that anything of the target may be held:
 * SIGKILL from a timer of the kernel's, which needs no instruction of ours, nor
 * our parent's. It ends us where we are stopped (SIGSTOP, a cgroup frozen by
 * v2), and the kernel lets the target run on. Each beat puts both off: this,
 * and, a moment earlier, SIGALRM for what merely hangs, which says so. A v1
 * freezer lets nobody be killed: ht_freezer_leave (freezer.h).
 * HT_REFUSED: there is no such timer to be had, nothing may be held.
 */
#define HT_GUARD_HANG_NS (700 * HT_NS_PER_MS)
#define HT_GUARD_DEAD_NS (900 * HT_NS_PER_MS)
enum ht_code ht_guard_hold(struct ht_err *err) HT_MUST_CHECK;
void ht_guard_beat(void); /* nothing outside of a hold */
/* Within a hold, while nothing of the target stands: whoever waits for a
 * processor then, behind many others, is not ended. Nothing outside of one. */
void ht_guard_pause(void);
void ht_guard_resume(void);
void ht_guard_release(void);

#endif
