/* SPDX-License-Identifier: Apache-2.0 */
/* Heap map: which stretches of a segment are resident, and which of that is
 * free: as text, `pages` of a heap's row. */
#ifndef HT_AGENT_WALK_HEAP_MAP_H
#define HT_AGENT_WALK_HEAP_MAP_H

#include "agent/walk/met.h"

#define HT_HEAP_CELLS	 48
#define HT_HEAP_MAP_TEXT (2 * HT_HEAP_CELLS + 1)

/* Of one segment, while it is swept. */
struct ht_heap_map {
	uint64_t start, cell;	      /* of the segment; bytes of a cell */
	uint64_t free[HT_HEAP_CELLS]; /* resident bytes of whole free pages */
};

void ht_heap_map_begin(struct ht_heap_map *m, const struct ht_segment *s);
/* Whole pages that hold no byte in use. */
void ht_heap_map_free(struct ht_heap_map *m, const struct ht_pages *pages,
		      uint64_t from, uint64_t to);
/* Once all that is free was told. */
void ht_heap_map_text(const struct ht_heap_map *m, const struct ht_segment *s,
		      const struct ht_pages *pages, char out[HT_HEAP_MAP_TEXT]);

#endif
