/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calm: a process does what it did before. Each figure that a verdict reads is
 * held against its lowest and highest in the stretch before the last verdict:
 * while all of them stay within, a new verdict would hardly say anything else
 * than the last. A slow rise leaves the band of one stretch in the next. Pure:
 * no clock, no I/O.
 */
#ifndef HT_DAEMON_PROCESS_CALM_H
#define HT_DAEMON_PROCESS_CALM_H

#include <stdbool.h>

#include "analysis/needs.h"

struct ht_calm_band {
	unsigned samples;
	float low[HT_NEED_COUNT], high[HT_NEED_COUNT]; /* NaN: unknown */
};

struct ht_calm {
	struct ht_calm_band before, since; /* the last verdict */
	bool moved; /* some figure left the band, or is known by now, or not */
};

/* The figures of a sample. */
void ht_calm_take(struct ht_calm *c, const double values[HT_METRIC_COUNT]);
/* A verdict was made of what came so far. */
void ht_calm_judged(struct ht_calm *c);
/* There was a verdict and a stretch before it, and nothing moved since. */
bool ht_calm_is(const struct ht_calm *c);

#endif
