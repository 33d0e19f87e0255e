/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Light: an arena without the linear pass (docs/adr/0031). What malloc itself
 * keeps gives system, free by place and, of the heaps' ends, overhead; what is
 * left is in use. The sweep then goes over the chunks that the lists led to, as
 * it goes over those that a pass met.
 */
#ifndef HT_AGENT_WALK_LIGHT_H
#define HT_AGENT_WALK_LIGHT_H

#include "agent/walk/arena.h"

/* Fills what the pass and the lists would: met.links, met.overhead, listed. */
enum ht_code ht_light_arena(struct ht_arena_walk *aw,
			    struct ht_err *err) HT_MUST_CHECK;
/* What is neither free nor overhead is in use. After the sums of what is free.
 */
void ht_light_settle(struct ht_arena_walk *aw);
/* How every group of figures was obtained. */
void ht_light_tell(struct ht_walk *w);

#endif
