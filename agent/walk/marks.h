/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks: which chunks there are and which of them are in use, one by one, for
 * whoever goes on from the figures of a walk to the chunks themselves.
 *
 * Two bits for each unit (MALLOC_ALIGNMENT) of a segment: whether a chunk, or
 * what ends one, begins there; whether a chunk in use does. Chunks in use are
 * those that the walk counts: neither in a bin, nor a fastbin, nor a thread
 * cache. Only for memory at rest.
 *
 * Two threads may walk: the second half of a segment has its words to itself
 * but for the first, whose bits it keeps apart (parallel_segment.c); rows of
 * arenas are marked apart as a whole (parallel.c).
 */
#ifndef HT_AGENT_WALK_MARKS_H
#define HT_AGENT_WALK_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/libc/layout.h"
#include "agent/walk/ranges.h"

struct ht_links;
struct ht_segment;

/* The chunks of one segment. */
struct ht_marked {
	uint64_t start, end; /* of the segment */
	uint64_t first;	     /* its first chunk */
	uint64_t units;	     /* bits in each map */
	unsigned shift;	     /* log2 of a unit */
	unsigned word;	     /* of the chunk headers */
	uint64_t arena;	     /* its index */
	uint64_t *bound, *used;
	/* For a teller: the chunks of which it has told; NULL: it has no room.
	 */
	uint64_t *told;
	/* Of the words before this one the bits are kept here: another thread
	 * writes the last of them, too. 0: there is none. */
	uint64_t from, kept_bound, kept_used;
};

struct ht_marks {
	size_t bytes_max; /* set by the caller: memory for all maps */
	size_t bytes;
	size_t told_max; /* set by the caller: memory for what is told */
	bool full;	 /* some segment found no room: all is void */
	struct ht_marked *segment; /* sorted by address once the walk is done */
	size_t n, capacity;
	struct ht_ranges mmapped; /* each mmapped chunk's mapping; sorted */
	unsigned mmapped_word;	  /* of their headers */
	unsigned mmapped_bias;
};

/* Empty maps for a segment that is about to be walked; NULL: no room. */
struct ht_marked *ht_marks_add(struct ht_marks *m, const struct ht_layout *l,
			       const struct ht_segment *s, uint64_t arena);
/* The chunks that the tables of an arena know to be in a fastbin. */
void ht_marks_drop_fast(struct ht_marks *m, const struct ht_links *l);
/* One chunk that is not in use after all. */
void ht_marks_drop(struct ht_marks *m, uint64_t chunk);
/* When all is walked: sorts, and takes the mmapped chunks over. false: no
 * memory. */
bool ht_marks_end(struct ht_marks *m, const struct ht_ranges *mmapped);
void ht_marks_fini(struct ht_marks *m);

/* The second half of a segment, from a chunk on, for another thread. */
struct ht_marked ht_marked_half(const struct ht_marked *m, uint64_t chunk);
/* What that thread kept apart; or nothing of what it marked, up to `end`. */
void ht_marked_take(struct ht_marked *m, const struct ht_marked *half);
void ht_marked_drop(struct ht_marked *m, const struct ht_marked *half,
		    uint64_t end);
/* All segments of `from`, which has none then. false: no memory. */
bool ht_marks_append(struct ht_marks *m, struct ht_marks *from);

/* For the pass: a chunk begins here. */
static inline __attribute__((always_inline)) void
ht_mark(struct ht_marked *m, uint64_t chunk, bool used)
{
	uint64_t i = (chunk - m->first) >> m->shift, w = i / 64;
	bool apart = w < m->from;

	*(apart ? &m->kept_bound : &m->bound[w]) |= UINT64_C(1) << i % 64;
	*(apart ? &m->kept_used : &m->used[w]) |= (uint64_t)used << i % 64;
}

#endif
