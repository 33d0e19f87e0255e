/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One arena, stage by stage; each owns what it makes (arena_walk.c has the
 * order):
 *
 * - segments.c: extent, where the arena lies
 * - segment_pass.c: met, the linear pass: chunks by size, records of free ones
 * - bins.c: listed, what the lists say of those records
 * - sweep.c: swept, free runs in address order, what is resident and why
 * - blocked.c: which chunks keep memory below the top
 *
 * The pass alone is handed all of it: when its tables are full, what was met so
 * far is listed and swept at once (overflow.c).
 */
#ifndef HT_AGENT_WALK_ARENA_H
#define HT_AGENT_WALK_ARENA_H

#include "agent/walk/bins.h"
#include "agent/walk/sweep.h"

struct ht_arena_walk {
	struct ht_arena_in in;
	struct ht_extent extent;
	struct ht_met met;
	struct ht_listed listed;
	struct ht_swept swept;
	struct ht_arena figures; /* its row */
	bool cut;		 /* its lists were not followed to their ends */
	bool estimated;		 /* and what they hold was estimated */
	/* Then: bytes of bins that were followed, and that there may be. */
	uint64_t followed, whole;
};

/* The linear pass over the i-th segment. */
enum ht_code ht_segment_pass(struct ht_arena_walk *aw, size_t i,
			     struct ht_err *err) HT_MUST_CHECK;

struct ht_second_half; /* opaque */
/* Lets the helper walk segment i from somewhere ahead of the pass on, which
 * then stops there. NULL: not worth it, or not to be had. */
struct ht_second_half *ht_second_half_begin(struct ht_arena_walk *aw, size_t i);
/* Waits for it, and takes what it found if the pass arrived where it began.
 * false: it did not, or something is wrong in one half or the other. The pass
 * may go on to its own stop in both cases. Frees the split. */
bool ht_second_half_join(struct ht_arena_walk *aw, size_t i,
			 struct ht_second_half *s);

/* The tables are full, the pass is at segment i: uses them up, empties them. */
void ht_overflow_drain(struct ht_arena_walk *aw, size_t i);
/* What is in each bin and fastbin, once that was necessary. */
void ht_overflow_end(struct ht_arena_walk *aw);

#endif
