/* SPDX-License-Identifier: Apache-2.0 */
/* Sweep: free runs of an arena in address order; what is resident, and why. */
#ifndef HT_AGENT_WALK_SWEEP_H
#define HT_AGENT_WALK_SWEEP_H

#include "agent/walk/heap_map.h"

#define HT_BLOCKED_RUNS 4096 /* more free runs than chunks ever asked about */

/* A free run below a top, as blocked.c wants them. */
struct ht_run {
	uint64_t start, end;
};

struct ht_sweep; /* opaque: how far it came */

struct ht_swept {
	struct ht_sweep *sweep;
	struct ht_kept kept;
	/* as in the arena's row; HT_UNKNOWN where some page's state is not */
	uint64_t resident, retained, resident_free, trimmable, pinned;
	uint64_t trimmable_private; /* as in totals */
	uint64_t beyond; /* resident bytes that more than one free chunk has */
	bool private_unknown;
	struct ht_run
		*run; /* ring of the last free runs of the top's segment */
	size_t runs;
	char (*maps)[HT_HEAP_MAP_TEXT]; /* of each segment; NULL: not wanted */
	uint64_t joined; /* where the free chunks that touch the top begin */
};

/* Once fastbins are known. */
void ht_sweep(const struct ht_arena_in *in, const struct ht_extent *x,
	      const struct ht_met *met, struct ht_swept *ret);
/* Before, for tables that do not hold all: what lies below this address of the
 * i-th segment. */
void ht_sweep_below(const struct ht_arena_in *in, const struct ht_extent *x,
		    const struct ht_met *met, struct ht_swept *ret, size_t i,
		    uint64_t address);
/* Resident bytes of a segment, without pages that are wholly another's. */
uint64_t ht_segment_resident(const struct ht_arena_in *in,
			     const struct ht_pages *pages,
			     const struct ht_segment *s);
void ht_swept_fini(struct ht_swept *s);
/* Fills the pin of the arena's row, and the snapshot's blocked_* for the first
 * main arena. */
void ht_blocked(const struct ht_arena_in *in, const struct ht_extent *x,
		const struct ht_met *met, const struct ht_swept *swept,
		struct ht_arena *ret);

#endif
