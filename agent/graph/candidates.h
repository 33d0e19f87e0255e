/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Candidates: what may hold the chunks of a group, and how many of them.
 *
 * Not the nearest anchor: one stale word near the end of a long list would be
 * nearer than the list's own head. What decides is how many of the group can be
 * reached from a holder by fields that most members have.
 */
#ifndef HT_AGENT_GRAPH_CANDIDATES_H
#define HT_AGENT_GRAPH_CANDIDATES_H

#include "agent/graph/asking.h"

#define HT_CANDIDATES_MAX 256

struct ht_candidate {
	enum ht_holder_kind kind;
	uint32_t anchor;       /* of a root */
	uint64_t start, end;   /* of a root: addresses of the variable or array;
				  of a register its number */
	uint16_t from, at;     /* of a TABLE: field by which it does */
	unsigned places;       /* different ones: an array has many */
	bool object;	       /* a variable, from place to end */
	uint32_t threads;      /* whose; 0: of none */
	uint32_t thread;       /* the last of them */
	struct ht_local local; /* of a STACK */
	unsigned regular;      /* of a TABLE: percent of its chunks have it */
	uint32_t single;       /* of a TABLE: the one chunk + 1; 0: its group */
	uint64_t references, held, bytes;
	uint64_t inside; /* of the references of a root: not to what malloc
			    returned */
};

struct ht_candidates {
	struct ht_candidate v[HT_CANDIDATES_MAX];
	size_t n;
};

/* In place of the least where there is no room: NULL where that is itself. */
struct ht_candidate *ht_candidates_add(struct ht_candidates *c,
				       const struct ht_candidate *new);
/* All of what may hold those that are asked for. false: nothing. */
bool ht_candidates_find(struct ht_asking *a, struct ht_candidates *ret);
/* What may hold the holder: those chunks of a TABLE that lead to what is asked
 * for, and no cluster that was met on the way. */
bool ht_candidates_above(struct ht_asking *a, const struct ht_candidate *table,
			 struct ht_candidates *ret);
/* Where groups hold each other in a circle (objects and the arrays in them):
 * what holds all of them. */
bool ht_candidates_around(struct ht_asking *a, struct ht_candidates *ret);
/* The one that holds the most of what nobody holds yet, of those of one rank (0
 * statics and thread-local variables, 1 chunks, 2 stacks, 3 other memory
 * outside malloc, 4 what nobody knows; HT_RANK_LAST); it keeps what it holds.
 * NULL: none that counts. */
struct ht_candidate *ht_candidates_best(struct ht_asking *a,
					struct ht_candidates *all, int of_rank);
/* Of a root: what it is, its address (of a register its number; of a
 * thread-local variable the first thread's), the index of its thread or
 * UINT32_MAX. */
enum ht_holder_kind ht_root_kind(const struct ht_graph_all *g,
				 const struct ht_root_ref *r);
uint64_t ht_root_address(const struct ht_graph_all *g,
			 const struct ht_root_ref *r);
uint32_t ht_root_thread(const struct ht_graph_all *g, uint32_t anchor);
#define HT_RANK_LAST   4
#define HT_HELD_ENOUGH 1 /* percent of a group: less is not told */

#endif
