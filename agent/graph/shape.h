/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shape: how the members of a cluster hang together, in words, told by which of
 * the fields that link them lead back to where another comes from.
 */
#ifndef HT_AGENT_GRAPH_SHAPE_H
#define HT_AGENT_GRAPH_SHAPE_H

#include "agent/graph/candidates.h"

/* A name that stays: of the cluster in `a`, held by this candidate. */
const char *ht_shape_of(const struct ht_asking *a,
			const struct ht_candidate *c);

#endif
