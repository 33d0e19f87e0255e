/* SPDX-License-Identifier: Apache-2.0 */
/* Census: what anonymous mappings hold that is on no list of malloc's: mmapped
 * chunks, and segments of a main arena. */
#ifndef HT_AGENT_WALK_CENSUS_H
#define HT_AGENT_WALK_CENSUS_H

#include "agent/walk/heaps.h"

enum ht_code ht_census_take(struct ht_walk *w,
			    struct ht_err *err) HT_MUST_CHECK;
/* The mmapped chunks once more, of this instant, with fresh mappings. */
enum ht_code ht_census_again(struct ht_walk *w,
			     struct ht_err *err) HT_MUST_CHECK;
/* Appends the segments in anonymous mappings that a main arena, as it is now,
 * has taken since it was walked; they are `bytes` together. */
enum ht_code ht_census_grown(struct ht_walk *w, const struct ht_arena_root *now,
			     uint64_t bytes, struct ht_ranges *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* Whether malloc's mappings look like this one: anonymous, private, writable.
 */
bool ht_census_worth_searching(const struct ht_maps *m, const struct ht_vma *v);
/* Whether it cost so much already that it is not tried again and again. */
bool ht_census_dear(const struct ht_census *c);
/* Whether malloc's counters of them still are those of the census. */
bool ht_census_holds(const struct ht_walk *w);
/* What does not add up is told. */
void ht_census_warn(struct ht_walk *w);
void ht_census_fini(struct ht_census *c);

#endif
