/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Estimate: what lists that a light look did not follow to their ends hold, by
 * what slices of the heap held when they were walked (round.h).
 */
#ifndef HT_AGENT_WALK_ESTIMATE_H
#define HT_AGENT_WALK_ESTIMATE_H

#include "agent/walk/arena.h"
#include "agent/walk/lists.h"

/* Completes the counts of bins that were cut. false: nothing is known of the
 * heap yet to do so. */
bool ht_estimate_bins(struct ht_arena_walk *aw, const struct ht_lists *found);
/* What of it is resident, as of what was followed. After the sweep. */
void ht_estimate_resident(struct ht_arena_walk *aw);
/* By how many bytes what was estimated may be off; NAN: not known yet. */
double ht_estimate_off(const struct ht_walk *w);
/* The same, and while that is not known all that was estimated. */
uint64_t ht_estimate_uncertain(const struct ht_walk *w);

#endif
