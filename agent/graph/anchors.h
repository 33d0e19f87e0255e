/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors: the memory outside malloc whose words keep chunks reachable: statics
 * of all modules, stacks from their pointer up, thread-local variables,
 * whatever else is mapped; and the registers.
 *
 * A stack below its pointer is not read: what lies there is over (stacks.h).
 * Nor are the arenas' own structs: what they name is free. A word on a stack
 * may be one that no function means any more; so may a word of a mapping that
 * nobody knows. What hangs on such words alone is said apart.
 */
#ifndef HT_AGENT_GRAPH_ANCHORS_H
#define HT_AGENT_GRAPH_ANCHORS_H

#include "agent/graph/stacks.h"
#include "agent/graph/tls.h"
#include "agent/walk/ranges.h"

enum ht_anchor_kind {
	HT_ANCHOR_STATIC,
	HT_ANCHOR_STACK,
	HT_ANCHOR_TLS,
	HT_ANCHOR_OTHER,
	HT_ANCHOR_REGISTER,
	HT_ANCHOR_KINDS
};

struct ht_anchor {
	uint64_t start, end; /* REGISTER: none */
	enum ht_anchor_kind kind;
	uint32_t vma;	 /* of the module's first mapping; UINT32_MAX */
	uint32_t thread; /* index; UINT32_MAX: of none */
	/* Of thread-local variables: from here to where the first thread has
	 * the same. */
	uint64_t shift;
};

struct ht_anchors {
	struct ht_anchor *v; /* sorted by address, disjoint */
	size_t n, capacity;
	const struct ht_maps *maps;
	const struct ht_thread_state *threads; /* all four borrowed */
	size_t threads_n;
	size_t unknown; /* threads whose registers were not to be had */
};

struct ht_anchors_in {
	struct ht_stacks_in stacks;
	const struct ht_tls *tls;
	const struct ht_ranges *arenas; /* segments and arena structs: no roots;
					   sorted */
};

/* HT_NOMEM. */
enum ht_code ht_anchors_find(const struct ht_anchors_in *in,
			     struct ht_anchors *ret,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_anchors_fini(struct ht_anchors *a);

#endif
