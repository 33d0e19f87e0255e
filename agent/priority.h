/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priority: SCHED_FIFO for the moments in which threads are being stopped or
 * let go. At ordinary priority the threads already released starve the one that
 * releases: 512 spinning threads stay stopped for a second, with it for 2-13
 * ms. Bounded by RLIMIT_RTTIME, so that a fault of ours cannot hold a
 * processor.
 */
#ifndef HT_AGENT_PRIORITY_H
#define HT_AGENT_PRIORITY_H

#include <stdbool.h>

/* False where it is not allowed; everything works without. */
bool ht_priority_raise(void);
void ht_priority_restore(void);

#endif
