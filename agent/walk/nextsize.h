/* SPDX-License-Identifier: Apache-2.0 */
/* Nextsize: the second links of chunks in bins of several sizes. */
#ifndef HT_AGENT_WALK_NEXTSIZE_H
#define HT_AGENT_WALK_NEXTSIZE_H

#include "agent/walk/bins.h"

/* After the bins were followed to their ends, of a target that stands still:
 * what leads astray is a finding. Of thousands of such chunks: nothing. */
void ht_nextsize_check(const struct ht_arena_in *in, const struct ht_met *met);

#endif
