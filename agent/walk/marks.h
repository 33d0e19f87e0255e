/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks: which chunks there are and which of them are in use, one by one, for
 * whoever goes on from the figures of a walk to the chunks themselves.
 *
 * Two bits for each unit (MALLOC_ALIGNMENT) of a segment: whether a chunk, or
 * what ends one, begins there; whether a chunk in use does. Chunks in use are
 * those that the walk counts: neither in a bin, nor a fastbin, nor a thread
 * cache. Only for memory at rest, walked alone: there is one writer.
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
};

struct ht_marks {
	size_t bytes_max; /* set by the caller: memory for all maps */
	size_t bytes;
	bool full;		   /* some segment found no room: all is void */
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

/* For the pass: a chunk begins here. */
static inline __attribute__((always_inline)) void
ht_mark(const struct ht_marked *m, uint64_t chunk, bool used)
{
	uint64_t i = (chunk - m->first) >> m->shift;

	m->bound[i / 64] |= UINT64_C(1) << i % 64;
	m->used[i / 64] |= (uint64_t)used << i % 64;
}

#endif
