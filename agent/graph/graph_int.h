/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the graph: what its parts share. */
#ifndef HT_AGENT_GRAPH_GRAPH_INT_H
#define HT_AGENT_GRAPH_GRAPH_INT_H

#include "agent/graph/anchors.h"
#include "agent/graph/graph.h"
#include "agent/graph/groups.h"
#include "agent/graph/locals.h"
#include "agent/graph/reach.h"
#include "agent/graph/told.h"
#include "agent/graph/types.h"

#define HT_ROOTS_MAX   (1u << 20)
#define HT_OWNED_MAX   8 /* groups that are asked for */
#define HT_HOLDERS_MAX 6 /* told of each */

/* A word outside, or a register, that points into a node. */
struct ht_root_ref {
	uint64_t place : 63; /* bytes from the anchor's start */
	uint64_t inside : 1; /* not to what malloc returned */
	uint32_t anchor;     /* index; anchors.n + thread: a register */
	uint32_t to;
};

struct ht_graph_all {
	const struct ht_graph_in *in;
	struct ht_snapshot *out;
	struct ht_ranges own; /* malloc's memory: no anchors */
	struct ht_nodes nodes;
	struct ht_refs_in scan;
	struct ht_refs refs;
	struct ht_types types;
	struct ht_groups groups;
	struct ht_fields fields;
	struct ht_tls tls;
	struct ht_anchors anchors;
	struct ht_locals locals;
	struct ht_root_ref *root; /* the first HT_ROOTS_MAX of them */
	size_t roots;
	uint64_t all_roots;
	/* By any word; by none that may be stale. Once both are done the
	 * second's queue is room for what owners list. */
	struct ht_reach reach, sure;
	uint64_t chunks, bytes; /* of all nodes, as they were met */
	uint64_t unread;
	struct ht_told told;	  /* in place of groups, where it serves */
	struct ht_ranges objects; /* variables of modules; for owners */
};

/* names.c: of the statics that types and holders are told by. */
enum ht_code ht_names_of_types(struct ht_graph_all *g,
			       struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_names_of_holders(struct ht_graph_all *g,
				 struct ht_err *err) HT_MUST_CHECK;
/* "" when it is not sure. */
void ht_types_name(const struct ht_graph_all *g, uint32_t type, char *out,
		   size_t size);
/* type_rows.c, owners.c */
enum ht_code ht_types_report(struct ht_graph_all *g,
			     struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_owners_report(struct ht_graph_all *g,
			      struct ht_err *err) HT_MUST_CHECK;
/* leaks.c: rows of what was not reached. */
enum ht_code ht_leaks_report(struct ht_graph_all *g,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
