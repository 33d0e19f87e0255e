/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Size trend: whether what realloc makes of a site's chunks becomes larger and
 * larger. Where chunks grow, are given back, and others begin anew, the sizes
 * that are asked for are the same for ever. The calls of one window are of one
 * moment of the program, and count as one: their means. Pure.
 */
#ifndef HT_AGENT_WHO_SIZE_TREND_H
#define HT_AGENT_WHO_SIZE_TREND_H

#include <stdbool.h>
#include <stdint.h>

struct ht_size_trend {
	uint64_t window;	    /* that goes on */
	double calls, at, size;	    /* sums of it */
	double n, t, s, tt, ts, ss; /* of those before it: sums of time, size
				       and their products */
};

/* A size, at a time in seconds, in a window; windows come one by one. */
void ht_size_trend_add(struct ht_size_trend *trend, uint64_t window,
		       double at_s, double size);
/* Whether there was any call. */
bool ht_size_trend_any(const struct ht_size_trend *trend);
/* The line through them rises, and not by chance: by more than four times what
 * its slope is uncertain by. */
bool ht_size_trend_rises(const struct ht_size_trend *trend);

#endif
