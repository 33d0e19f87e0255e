/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priority: while a target stands still nothing is more urgent than to let it
 * go.
 *
 * SCHED_FIFO for the moments in which threads are being stopped or let go: at
 * ordinary priority the threads already released starve the one that releases
 * (512 spinning threads stay stopped for a second, with it for 2-13 ms). It is
 * bounded by RLIMIT_RTTIME, so that a fault of ours cannot hold a processor. In
 * a long hold, nice -20: on a busy machine the walk, and with it the stop, took
 * four times as long without.
 */
#ifndef HT_AGENT_STOP_PRIORITY_H
#define HT_AGENT_STOP_PRIORITY_H

#include <stdbool.h>

/* Above all else. False where it is not allowed; everything works without. */
bool ht_priority_raise(void);
/* For a long hold: first among the ordinary, the helper too. */
void ht_priority_hold(void);
/* As before. */
void ht_priority_restore(void);

#endif
