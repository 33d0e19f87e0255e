/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Candidates: what may hold the chunks of a group, and how many of them.
 *
 * Not the nearest anchor: one stale word near the end of a long list would be
 * nearer than the list's own head. What decides is how many of the group can be
 * reached from a holder by fields that most members have. Groups that link to
 * each other by the same field (the nodes of one list may be of several sizes)
 * are taken as one cluster.
 */
#ifndef HT_AGENT_GRAPH_CANDIDATES_H
#define HT_AGENT_GRAPH_CANDIDATES_H

#include "agent/graph/graph_int.h"

#define HT_CLUSTER_FIELDS 4 /* by which a cluster links to itself */
#define HT_CANDIDATES_MAX 256

struct ht_asking {
	struct ht_graph_all *g;
	struct ht_members members;
	bool *in;	/* of each group: in the cluster */
	bool *was;	/* of each group: in a cluster before */
	uint16_t group; /* asked for */
	uint16_t field[HT_CLUSTER_FIELDS];
	unsigned fields;
	struct ht_reach reach;
	uint64_t budget; /* nodes that may still be passed */
};

struct ht_candidate {
	enum ht_holder_kind kind;
	uint32_t anchor;     /* of a root */
	uint64_t start, end; /* of a root: addresses of the variable or array;
				of a register its number */
	uint16_t from, at;   /* of a TABLE: field by which it does */
	unsigned places;     /* different ones: an array has many */
	bool object;	     /* a variable, from place to end */
	uint64_t references, held, bytes;
};

struct ht_candidates {
	struct ht_candidate v[HT_CANDIDATES_MAX];
	size_t n;
};

/* All of what may hold the group: a->group, a->in and a->fields are set,
 * nothing is marked. false: nothing. */
bool ht_candidates_find(struct ht_asking *a, uint16_t group,
			struct ht_candidates *ret);
/* The cluster of a->group alone. */
void ht_cluster_find(struct ht_asking *a);
/* The one that holds the most of what nobody holds yet, of those of one rank (0
 * statics and thread-local variables, 1 chunks, 2 stacks, 3 what nobody knows);
 * it keeps what it holds. NULL: none that counts. */
struct ht_candidate *ht_candidates_best(struct ht_asking *a,
					struct ht_candidates *all, int of_rank);
/* What is held from the from-th on is held no more. */
void ht_asking_forget(struct ht_asking *a, size_t from);
/* Whether a reference from this place links members of the cluster. */
bool ht_cluster_links(const struct ht_asking *a, uint16_t from, uint16_t at);
static inline uint64_t ht_chunks_of(const struct ht_asking *a, uint16_t group)
{
	return a->g->groups.v[group].chunks;
}
#define HT_HELD_ENOUGH 1 /* percent of a group: less is not told */

#endif
