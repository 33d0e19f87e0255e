/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dominators: through which nodes every way to a node leads, and so what would
 * be reachable no more without one: its retained size. Semi-NCA (Georgiadis,
 * 2005) on flat arrays: some 40 bytes a node and 4 a reference.
 *
 * Above the nodes stand tops: what holds some of them from outside. Top 0 is
 * the one that everything hangs on; the others hang on it.
 */
#ifndef HT_AGENT_GRAPH_DOMINATORS_H
#define HT_AGENT_GRAPH_DOMINATORS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define HT_DOMINATORS_NONE UINT32_MAX

struct ht_dominators_in {
	uint32_t nodes;
	const uint32_t *first, *to;	    /* those of node i are [first[i],
					       first[i + 1]) */
	uint32_t tops;			    /* at least 1 */
	const uint32_t *top_first, *top_to; /* likewise; nodes alone */
};

/* Numbers are those of a search from top 0 on, which is 0. */
struct ht_dominators {
	uint32_t n; /* that were reached, tops included */
	uint32_t
		*number; /* of each node, then of each top; NONE: not reached */
	uint32_t *vertex;   /* the reverse */
	uint32_t *idom;	    /* of each number: that of its dominator */
	uint64_t *retained; /* of each number: bytes; see below */
	void *memory;
	size_t bytes;
};

/* Memory that it takes. */
size_t ht_dominators_bytes(uint64_t nodes, uint64_t references);
/* HT_NOMEM. */
enum ht_code ht_dominators_make(const struct ht_dominators_in *in,
				struct ht_dominators *ret,
				struct ht_err *err) HT_MUST_CHECK;
/* retained has the size of each alone, and is made what goes with it. */
void ht_dominators_sum(struct ht_dominators *d);
void ht_dominators_fini(struct ht_dominators *d);

#endif
