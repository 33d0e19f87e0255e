/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round: a walk of the whole heap in slices, one with each light look. What a
 * slice found is kept until the last one ends the round: then the size classes
 * are whole, as old as the round took. A round lives as long as its agent.
 */
#ifndef HT_AGENT_WALK_ROUND_H
#define HT_AGENT_WALK_ROUND_H

#include "agent/walk/curve.h"
#include "agent/walk/lists.h"

struct ht_arena_walk;

struct ht_round {
	/* Where the next slice begins: a chunk header when it was seen. arena
	 * 0: with the first. */
	uint64_t arena, at;
	int64_t begun_ns; /* 0: no slice of this round yet */
	uint64_t done;	  /* bytes walked in it */
	uint64_t lost;	  /* of them, where no chunks were found */
	struct ht_class_count in_use[HT_CLASSES];
	/* Free chunks by the bin of their size, of this round so far and of all
	 * that was known before: of the last round, or of a walk. */
	struct ht_class_count binned[HT_BINS + 1];
	struct ht_curve now, before;
	int64_t before_ns; /* when that was begun */
	bool compared;	   /* the two, as far as the round has come */
	double drift;	   /* and this share lies between them */
	/* Of this look: */
	uint64_t left; /* bytes that may still be walked */
	bool ended;    /* the last slice of the round */
};

/* Before the arenas of a look, a light one or another. */
void ht_round_begin(const struct ht_walk_in *in);
/* A walk, not two halves of one at a time, met these free chunks in its next
 * arena. */
void ht_round_learn(const struct ht_walk_in *in, uint64_t system,
		    const struct ht_class_count binned[HT_BINS + 1]);
/* Walks what the round has to walk of this arena, as far as the look may.
 * found: what its lists hold, which looks in use to the pass. */
enum ht_code ht_round_slice(struct ht_arena_walk *aw,
			    const struct ht_lists *found,
			    struct ht_err *err) HT_MUST_CHECK;
/* After them, when in use is known: a round that ended leaves its classes in
 * w->in_use, and begins anew. */
void ht_round_end(struct ht_walk *w);

#endif
