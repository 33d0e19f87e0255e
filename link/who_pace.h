/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who pace: when a window on malloc opens and after how many calls it ends, so
 * that no more calls pay for being seen than may. Pure: no clock, no I/O.
 *
 * A window opens while the program rests, as a rule, and sees the begin of what
 * it does then: so some are long, and the rest after each is as long as the
 * calls that it saw may take.
 */
#ifndef HT_LINK_WHO_PACE_H
#define HT_LINK_WHO_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a call that is seen takes longer, at most: 16 us where a trap costs 7,
 * some 1 on metal (docs/adr/0025). */
#define HT_WHO_CALL_US 16
/* ... and one that is passed over, of another size or as the window closes. */
#define HT_WHO_PASSED_US 10

/* By growth: a first write whose stack is taken, and one that is only counted
 * (docs/adr/0033). */
#define HT_WHO_STACK_US	  8
#define HT_WHO_COUNTED_US 0.5

/* Of the time, in which windows are opened; then chunks are followed only. What
 * may be lost in all of it is spent by then: what is seen later tells little.
 */
#define HT_WHO_WINDOWS_SHARE 0.5
#define HT_WHO_WALKS	     3 /* tries of the last one */

struct ht_who_pace {
	double share;		/* of a thread's time that may be lost */
	int64_t next_ns;	/* before this no window opens */
	uint64_t hits, samples; /* of all windows so far */
	size_t windows;
	double lost_s;	/* of a thread's time, so far */
	double armed_s; /* by growth: in so much of it */
};

/* After how many calls the next one ends. */
uint64_t ht_who_pace_hits(const struct ht_who_pace *p);
/* A window was closed; hits, samples (those that were not passed over): of all
 * of them, as the agent tells. */
void ht_who_pace_took(struct ht_who_pace *p, int64_t now_ns, uint64_t hits,
		      uint64_t samples);
/* By growth: first writes that were counted, of how many the stack was taken,
 * and for how long, in all since begin_ns. */
void ht_who_pace_grew(struct ht_who_pace *p, int64_t begin_ns, uint64_t hits,
		      uint64_t seen, uint64_t armed_us);
/* ... and for how long is looked at once: less than a ring of samples holds,
 * and less still where that would take long to make up for. */
int64_t ht_who_pace_growth_ns(const struct ht_who_pace *p);
/* Share of a thread's time that was lost in so much of it, at most. */
double ht_who_pace_lost(const struct ht_who_pace *p, int64_t time_ns);

#endif
