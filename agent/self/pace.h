/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pace: what a running target would wait for, taken in small pieces.
 *
 * A thread that works on is preempted at ticks only (4 ms at 250 Hz): as long
 * stands a thread of the target that shares its processor. And whoever reads
 * page tables holds the target's mmap lock: mmap, munmap and brk wait for it,
 * and readers that come back at once are let in before them until 4 ms have
 * passed (the kernel's rwsem). A moment's sleep lets both go on.
 *
 * Who wakes from it takes no processor from a thread that runs (SCHED_BATCH):
 * where all of them are taken, a tick gives it one. That it waits so is borne
 * for half a second a sample; then it is a thread among others, in bursts that
 * grow with how long it has waited. Once half of its time limit is gone it is
 * one without bursts: what it would not come to is worth more to who asked.
 */
#ifndef HT_AGENT_SELF_PACE_H
#define HT_AGENT_SELF_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Begins, in a process that looks at one that runs: this thread, and those it
 * starts. */
void ht_pace_init(void);
/* Whether the target runs: nobody may wait for us. Off before ht_pace_init:
 * whoever is held must not wait for others. For all threads. */
void ht_pace_set(bool on);
/* Begins a sample, in the thread that reads, which may take so long; 0: as long
 * as it takes. */
void ht_pace_begin(uint64_t limit_ms);
/* The longest that this thread has worked at one go since ht_pace_begin() while
 * the target ran, in processor time: as long may a thread of the target have
 * waited for a processor. Microseconds. */
uint64_t ht_pace_longest_us(void);
/* Between two pieces of work: sleeps when the last sleep is long ago. */
void ht_pace(void);
/* The same in a loop of short steps, counted in *steps. */
static inline void ht_pace_step(unsigned *steps)
{
	if (++*steps % 64 == 0)
		ht_pace();
}
/* ... of steps of some tens of nanoseconds, beside which a clock is dear. */
static inline void ht_pace_short_step(unsigned *steps)
{
	if (++*steps % 1024 == 0)
		ht_pace();
}
/* After a call that held the mmap lock for long. */
void ht_pace_lock(void);
/* How a thread of ours is scheduled while nothing is held: SCHED_... */
int ht_pace_policy(void);

#endif
