/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retained: how many bytes could be reached no more without a holder, or
 * without the chunks of a group; exact, by dominators and by a second way
 * through the graph. Up to some millions of chunks: beyond it is not told, and
 * why.
 */
#ifndef HT_AGENT_GRAPH_RETAINED_H
#define HT_AGENT_GRAPH_RETAINED_H

#include "agent/graph/candidates.h"

#define HT_RETAINED_NODES_MAX (UINT32_C(2) << 20)

/* Rows of the snapshot, and what they are told of. */
struct ht_retaining {
	struct {
		uint64_t row;
		struct ht_candidate is; /* no TABLE */
	} holder[HT_OWNED_MAX * HT_HOLDERS_MAX];
	size_t holders;
	struct {
		uint64_t row;
		uint16_t group;
	} owned[HT_OWNED_MAX];
	size_t groups;
};

/* Fills these rows, or warns. HT_NOMEM. */
enum ht_code ht_retained_report(struct ht_asking *a,
				const struct ht_retaining *r,
				struct ht_err *err) HT_MUST_CHECK;

#endif
