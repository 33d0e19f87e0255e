/* SPDX-License-Identifier: Apache-2.0 */
/* Segments: which stretches of memory an arena consists of. */
#ifndef HT_AGENT_WALK_SEGMENTS_H
#define HT_AGENT_WALK_SEGMENTS_H

#include "agent/walk/heaps.h"

/* The arena that is walked. */
struct ht_arena_in {
	struct ht_walk *walk;
	const struct ht_space *space;
	const struct ht_layout *layout;
	struct ht_arena_root *root;
};

/* Where it lies. */
struct ht_extent {
	struct ht_segment *segment;
	struct ht_pages *pages; /* of each segment */
	size_t segments;
	size_t top_segment;    /* SIZE_MAX: none holds the top */
	uint64_t top, top_end; /* 0, 0: no top (untouched or corrupt) */
};

enum ht_code ht_segments_find(const struct ht_arena_in *in,
			      struct ht_extent *ret,
			      struct ht_err *err) HT_MUST_CHECK;
void ht_extent_fini(struct ht_extent *x);
/* Whether the pass stopped at a fencepost, and where the segment's chunks then
 * really end. */
bool ht_segment_fence(struct ht_reader *reader, const struct ht_layout *l,
		      bool main, uint64_t at, uint64_t end, uint64_t *ret_end);

#endif
