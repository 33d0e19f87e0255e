/* SPDX-License-Identifier: Apache-2.0 */
/* Met: what the linear pass over the segments of an arena met. */
#ifndef HT_AGENT_WALK_MET_H
#define HT_AGENT_WALK_MET_H

#include "agent/walk/segments.h"

#define HT_RESYNC_BUDGET (4u << 20) /* of one arena */

struct ht_met {
	struct ht_pass pass;   /* of the segment that is walked */
	struct ht_links links; /* records of free chunks */
	struct ht_class_count
		in_use[HT_CLASSES]; /* at first: all that looks so */
	struct ht_class_count
		binned[HT_BINS + 1]; /* free chunks by their size */
	struct ht_ranges overhead;   /* without whole pages of others */
	unsigned resync_budget;
	/* What others took from brk amid malloc's chunks. */
	size_t foreign_pieces;
	uint64_t foreign_bytes, foreign_first;
	bool lost; /* where malloc's chunks go on behind one was not found */
	/* Bytes not walked: pages among them are swapped, or absent and
	 * somebody's to fill. */
	uint64_t unread, withheld;
	uint64_t checkpoint[HT_CHECKPOINTS]; /* of the top's segment */
	size_t checkpoints;
};

/* All of it was walked: what is found missing is missing. */
static inline bool ht_met_is_whole(const struct ht_met *m)
{
	return !m->unread && !m->withheld && !m->lost;
}

/* A chunk header at or behind `from` from which sizes lead on for many chunks,
 * or to `stop`; 0: none. budget: headers that may still be looked at; those
 * that cannot be any count an eighth. */
uint64_t ht_resync(struct ht_reader *reader, const struct ht_pages *pages,
		   const struct ht_layout *l, uint64_t from, uint64_t stop,
		   unsigned *budget);

#endif
