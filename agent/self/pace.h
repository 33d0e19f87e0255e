/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pace: what a running target would wait for, taken in small pieces.
 *
 * A thread that works on is preempted at ticks only (4 ms at 250 Hz): as long
 * stands a thread of the target that shares its processor. And whoever reads
 * page tables holds the target's mmap lock: mmap, munmap and brk wait for it,
 * and readers that come back at once are let in before them until 4 ms have
 * passed (the kernel's rwsem). A moment's sleep lets both go on.
 */
#ifndef HT_AGENT_SELF_PACE_H
#define HT_AGENT_SELF_PACE_H

#include <stdbool.h>

/* Sleeps of this thread, and of those it starts, end in time. */
void ht_pace_init(void);
/* Whether the target runs: nobody may wait for us. Off at first: whoever is
 * held must not wait for others. For all threads. */
void ht_pace_set(bool on);
/* Between two pieces of work: sleeps when the last sleep is long ago. */
void ht_pace(void);
/* The same in a loop of short steps, counted in *steps. */
static inline void ht_pace_step(unsigned *steps)
{
	if (++*steps % 1024 == 0)
		ht_pace();
}
/* After a call that held the mmap lock for long. */
void ht_pace_lock(void);

#endif
