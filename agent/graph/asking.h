/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking: for which chunks it is asked what holds them, all of a group or some,
 * and the cluster that they are in: groups that link to each other by the same
 * field (the nodes of one list may be of several sizes) are taken as one.
 */
#ifndef HT_AGENT_GRAPH_ASKING_H
#define HT_AGENT_GRAPH_ASKING_H

#include "agent/graph/graph_int.h"

#define HT_CLUSTER_FIELDS 4 /* by which a cluster links to itself */

struct ht_retaining;

struct ht_asking {
	struct ht_graph_all *g;
	struct ht_members members;
	bool *in;	/* of each group: in the cluster */
	bool *was;	/* of each group: in a cluster before */
	uint16_t group; /* asked for */
	uint16_t field[HT_CLUSTER_FIELDS];
	unsigned fields;
	bool any; /* ... or by no field in particular: children in an array */
	struct ht_reach reach;
	uint64_t budget; /* nodes that may still be passed */
	/* Of the group, those that are asked for; all where `some` is not set.
	 * next: room for others. */
	uint64_t *only, *next;
	bool some;
	uint64_t asked; /* so many */
	bool around;	/* the cluster links by every common field */
	struct ht_retaining *retaining; /* rows that want retained sizes */
};

/* Members are left to be listed. false: no memory. */
bool ht_asking_begin(struct ht_graph_all *g, struct ht_asking *ret);
void ht_asking_end(struct ht_asking *a);
/* For all of a group. */
void ht_asking_all(struct ht_asking *a, uint16_t group);
/* Of all of a group, for those that an anchor leads to: who else leads to what
 * nobody holds does not hold it. */
void ht_asking_reached(struct ht_asking *a);
/* For those of a group that lead to what was asked for, or for this one (+ 1;
 * 0: none in particular); the cluster until now is among those before. */
void ht_asking_narrow(struct ht_asking *a, uint16_t group, uint32_t single);
/* What a chunk leads to in the cluster is reached. */
void ht_asking_seed(struct ht_asking *a, uint32_t node);
/* From what was reached on, by the cluster's own links. Returns how many of
 * those that are asked for were not reached before. */
uint64_t ht_asking_spread(struct ht_asking *a);
/* All clusters before are one with this, and what they lead to that leads back
 * to them. */
void ht_asking_around(struct ht_asking *a);
/* What is reached from the from-th on is reached no more. */
void ht_asking_forget(struct ht_asking *a, size_t from);
/* The cluster of a->group alone. */
void ht_cluster_find(struct ht_asking *a);
/* Whether a reference from this place links members of the cluster. */
bool ht_cluster_links(const struct ht_asking *a, uint16_t from, uint16_t at,
		      uint16_t to);

static inline uint64_t ht_chunks_of(const struct ht_asking *a, uint16_t group)
{
	return a->g->groups.v[group].chunks;
}

/* Whether chunks of a group may hold the cluster: they are not in it, nor in
 * one that was met before. */
static inline bool ht_asking_may_hold(const struct ht_asking *a, uint16_t group)
{
	return !a->in[group] && !a->was[group] &&
	       !a->g->groups.v[group].holds_none;
}

/* Of a member of the group: whether it is asked for. */
static inline bool ht_asking_counts(const struct ht_asking *a, uint32_t node)
{
	return !a->some || (a->only[node / 64] >> node % 64 & 1);
}

#endif
