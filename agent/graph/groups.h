/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: nodes of one size class and one type, taken together; and fields:
 * from which place of the members of one group how many references lead to
 * those of another.
 *
 * A field that most members have is the program's; what only a few have is left
 * over from earlier uses of their memory. Whoever asks what holds a group asks
 * the fields, never one path through the graph.
 */
#ifndef HT_AGENT_GRAPH_GROUPS_H
#define HT_AGENT_GRAPH_GROUPS_H

#include "agent/graph/refs.h"
#include "agent/walk/sizes.h"

#define HT_GROUPS_MAX 65535u
#define HT_GROUP_REST 0 /* those that found no group of their own */
#define HT_TYPE_NONE  0

struct ht_group {
	uint32_t type;	   /* HT_TYPE_NONE: not known */
	uint32_t class;	   /* size class; HT_CLASSES: mmapped */
	uint64_t max_size; /* largest chunk size; 0: mmapped */
	uint64_t chunks, bytes;
	bool holds_none; /* bytes, of which no word is a pointer */
};

struct ht_groups {
	struct ht_group *v; /* [0]: the rest */
	size_t n;
	uint16_t *of;	/* of each node */
	uint32_t *slot; /* hash table of numbers */
	/* Of each class the one without a type, which most are; 0: not yet. */
	uint16_t plain[HT_CLASSES + 1];
	size_t of_bytes;
	bool beside; /* of is another's */
};

enum ht_code ht_groups_begin(uint32_t nodes, struct ht_groups *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* Groups of its own for a second thread, which has nodes of its own. */
enum ht_code ht_groups_beside(const struct ht_groups *g, struct ht_groups *ret,
			      struct ht_err *err) HT_MUST_CHECK;
/* The second thread's become g's. type: what its types are called in g's.
 * Nodes from `from` to `to` are its. false: no memory. */
bool ht_groups_join(struct ht_groups *g, const struct ht_groups *second,
		    const uint16_t *type, uint32_t from, uint32_t to);
void ht_groups_add(struct ht_groups *g, const struct ht_node *node,
		   uint32_t type);
void ht_groups_fini(struct ht_groups *g);

struct ht_field_count {
	uint16_t from, to; /* groups */
	uint16_t at;	   /* as in ht_refs, HT_REF_INSIDE included */
	uint64_t count;
};
struct ht_fields {
	struct ht_field_count *v; /* hash table; count 0: empty */
	size_t n;
	struct ht_field_count *all; /* the same, one after the other */
	uint64_t lost;		    /* references that found no room */
};

/* Which nodes each group has: those of group i are node[first[i]] to
 * node[first[i + 1] - 1], in order of their numbers. */
struct ht_members {
	uint32_t *first; /* groups + 1 of them */
	uint32_t *node;	 /* borrowed */
};
/* node: room for all nodes. false: no memory. */
bool ht_members_list(const struct ht_groups *g, uint32_t nodes, uint32_t *node,
		     struct ht_members *ret);
void ht_members_fini(struct ht_members *m);

/* HT_NOMEM. */
enum ht_code ht_fields_make(const struct ht_nodes *n, const struct ht_refs *r,
			    const struct ht_groups *g, struct ht_fields *ret,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_fields_fini(struct ht_fields *f);
/* 0 when there is none. */
uint64_t ht_fields_count(const struct ht_fields *f, uint16_t from, uint16_t at,
			 uint16_t to);
/* The *i-th, which becomes the next; NULL: no more. */
const struct ht_field_count *ht_fields_next(const struct ht_fields *f,
					    size_t *i);
/* The place by which fields are told apart: an element of an array is one. */
uint16_t ht_field_place(const struct ht_group *from, uint16_t at);
/* Whether most members of one group or the other have it. */
bool ht_field_is_regular(const struct ht_groups *g, uint64_t count,
			 uint16_t from, uint16_t to);

#endif
