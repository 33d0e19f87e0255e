/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reach: which nodes can be reached from the anchors: by any word whose value
 * is an address in them, and, a second time, by none that may be stale. What
 * the first finds and the second does not is the bound of what stale words may
 * hide.
 */
#ifndef HT_AGENT_GRAPH_REACH_H
#define HT_AGENT_GRAPH_REACH_H

#include "agent/graph/anchors.h"
#include "agent/graph/groups.h"

struct ht_reach {
	uint64_t *seen; /* one bit a node */
	uint32_t *queue;
	size_t head, tail;
	size_t left;	 /* of what was taken from the queue: the first so many
			    are to be read again */
	uint64_t unread; /* bytes of nodes that were read again, and could not
			    be */
	size_t seen_bytes, queue_bytes;
};

struct ht_reach_in {
	const struct ht_nodes *nodes;
	const struct ht_refs *refs;
	const struct ht_refs_in *scan;
	/* Only fields that are regular; NULL: all. */
	const struct ht_groups *groups;
	const struct ht_fields *fields;
};

enum ht_code ht_reach_begin(uint32_t nodes, struct ht_reach *ret,
			    struct ht_err *err) HT_MUST_CHECK;
static inline bool ht_reach_has(const struct ht_reach *r, uint32_t node)
{
	return r->seen[node / 64] >> node % 64 & 1;
}
/* A node that is held from outside. */
static inline void ht_reach_add(struct ht_reach *r, uint32_t node)
{
	uint64_t bit = UINT64_C(1) << node % 64;

	if (r->seen[node / 64] & bit)
		return;
	r->seen[node / 64] |= bit;
	r->queue[r->tail++] = node;
}
/* All that can be reached from those that were added. */
void ht_reach_run(const struct ht_reach_in *in, struct ht_reach *r);
void ht_reach_fini(struct ht_reach *r);

#endif
