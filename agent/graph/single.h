/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single: the one chunk that most of those that are asked for can be reached
 * from. A program's object that has a list or a tree is often the only one of
 * its kind, of a size that many others have: no field of its group tells.
 */
#ifndef HT_AGENT_GRAPH_SINGLE_H
#define HT_AGENT_GRAPH_SINGLE_H

#include "agent/graph/candidates.h"

/* Added to the candidates, if there is one and nothing says that it could be
 * another: of those that nobody holds yet. What is reached stays as it was. */
bool ht_single_find(struct ht_asking *a, struct ht_candidates *all);

#endif
