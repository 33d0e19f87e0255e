/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: the free lists of an arena, followed in the target from chunk to
 * chunk. What a light look (light.h) reads of a heap: its cost is that of the
 * free chunks, whatever lies between them.
 */
#ifndef HT_AGENT_WALK_LISTS_H
#define HT_AGENT_WALK_LISTS_H

#include "agent/walk/bins.h"

/* A free chunk that a list led to. */
struct ht_listed_chunk {
	uint64_t at;
	uint32_t units; /* size, in alignments */
	uint8_t list;	/* bin 1..HT_BINS; HT_LISTED_FAST + index */
	uint8_t tries;	/* which attempt at its list met it */
	bool backward;	/* from the list's end */
};
#define HT_LISTED_FAST (HT_BINS + 1)
#define HT_LISTED_MAX  (HT_LISTED_FAST + HT_FASTBINS_MAX)

struct ht_lists {
	struct ht_listed_chunk *v; /* sorted by address; owned */
	size_t n, capacity;
	uint32_t align; /* bytes of a unit */
	/* Bins that were not followed to their ends; and fastbins. */
	bool cut, cut_bin[HT_BINS + 1], cut_fast;
	bool swapped;	 /* some lead into what is swapped out */
	unsigned astray; /* lists that led to what cannot be */
};

#define HT_LISTS_MOST ((size_t)1 << 21)

/* Follows all lists of the arena, bins up to max chunks, fastbins up to
 * HT_LISTS_MOST; counts into b->bin and b->fast. HT_NOMEM only. */
enum ht_code ht_lists_follow(const struct ht_arena_in *in,
			     const struct ht_extent *x, size_t max,
			     struct ht_listed *b, struct ht_lists *ret,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_lists_fini(struct ht_lists *l);

#endif
