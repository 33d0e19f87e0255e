/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the census: its state, and what its files share. */
#ifndef HT_AGENT_WALK_CENSUS_INT_H
#define HT_AGENT_WALK_CENSUS_INT_H

#include "agent/walk/census.h"
#include "agent/walk/heaps.h"

#define HEADERS_MAX 256
#define HEADER_MAX  16
#define GAPS_MAX    16

struct census {
	struct ht_walk *w;
	const struct ht_layout *layout;
	const struct ht_space *space;
	const struct ht_arena_root *main;
	struct ht_census *found;
	struct ht_ranges known; /* heaps, found segments: nothing to search */
	uint64_t chunks, bytes; /* mmapped, of this malloc */
	uint64_t wanted;	/* mmapped chunks that mp_ counts */
	uint64_t wanted_bytes;	/* and their bytes; HT_UNKNOWN */
	uint64_t missing;	/* bytes of segments not found yet */
	bool mmapped_only;	/* segments were found before */
	bool thorough;		/* every page, not only where a chain leads */
	bool aligned;		/* and headers that memalign has moved */
	bool anywhere;		/* segments beside another malloc's top, too */
	bool in_chain;		/* a chunk may begin here */
	uint64_t reached;	/* searched up to here */
	unsigned renewals;	/* times that mappings may still be renewed */
	size_t first_range;	/* of this malloc, in found->mmapped */
	/* What others took from brk between two parts of it that are ours:
	 * parts are the first segments found, gap[k] follows the k-th. */
	uint64_t gap[GAPS_MAX];
	size_t gaps;
	struct ht_view *window; /* the walk's, for probing segments */
	/* headers read ahead, one a page */
	uint64_t batch_start;
	size_t batch, batch_next;
	uint8_t header[HEADERS_MAX][HEADER_MAX];
	bool readable[HEADERS_MAX];
};

/* Length of the mapping that a header `offset` bytes behind its start
 * describes; 0: none. */
uint64_t ht_census_mmapped_length(const struct census *c, uint64_t offset,
				  uint64_t prev_size, uint64_t head);
bool ht_census_add_mmapped(struct census *c, uint64_t at, uint64_t length);
/* First where the look before found them, for those that lie amid others'
 * memory are found by looking at every page of it: found are all of them, or
 * none. */
bool ht_census_where_they_were(struct census *c);
/* For the next look. */
void ht_census_remember(struct census *c, uint64_t at);
/* A chunk that malloc counts and whose header does not lead to it: adds it
 * where only one stretch of memory can be it, a finding. false: no memory. */
bool ht_census_find_lost(struct census *c);
/* As many chunks as malloc counts, and as long. */
bool ht_census_adds_up(const struct census *c);
/* End of the segment that begins at `start`; 0: none does. */
uint64_t ht_census_segment_end(struct census *c, uint64_t start, uint64_t end);
/* Whether a segment at `at` may be this malloc's, for all that is known of the
 * others. */
bool ht_census_may_be_ours(const struct census *c, uint64_t at);
bool ht_census_add_segment(struct census *c, uint64_t at, uint64_t end);
size_t ht_census_counted_gaps(const struct census *c);
uint64_t ht_census_missing_bytes(const struct census *c);
bool ht_census_add_brk_parts(struct census *c);
void ht_census_join_counted(struct census *c, struct ht_ranges *segments);
/* Whether all of [at, at + length) may be one mapping of malloc's. */
bool ht_census_whole(const struct census *c, uint64_t at, uint64_t length);
/* All mappings, along chains of neighbours unless c->thorough; false: no
 * memory. */
bool ht_census_search(struct census *c);

#endif
