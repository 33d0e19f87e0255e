/* SPDX-License-Identifier: Apache-2.0 */
/* Advice: what one snapshot allows to say, each with the bytes it is about.
 * Never "leak": that needs time. Also fills s->fragmentation's ratios. */
#ifndef HT_ANALYSIS_ADVICE_H
#define HT_ANALYSIS_ADVICE_H

#include "schema/snapshot.h"

/* Appends to s->advice; states from one look: "retained_high", "pinned",
 * "fragmented", "many_arenas", "thread_caches", "outside_malloc",
 * "shared_memory", "nothing_notable", "over_time", and remedies: "trim_now",
 * "trim_threshold", "top_pad", "mmap_threshold", "arena_max", "tcache_count",
 * "pin", "allocator".
 */
enum ht_code ht_advise(struct ht_snapshot *s, struct ht_err *err) HT_MUST_CHECK;

/* It sends on to a verdict: nothing to say beside one. */
bool ht_advice_is_next_step(const struct ht_advice *a);

#endif
