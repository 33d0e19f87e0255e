/* SPDX-License-Identifier: Apache-2.0 */
/* Census: what anonymous mappings hold that is on no list of malloc's: mmapped
 * chunks, and segments of a main arena. */
#ifndef HT_AGENT_WALK_CENSUS_H
#define HT_AGENT_WALK_CENSUS_H

#include "agent/libc/locate.h"
#include "agent/walk/ranges.h"

/* What the census found in anonymous mappings. */
struct ht_census {
	struct ht_ranges mmapped; /* runs of neighbouring mmapped chunks */
	uint64_t chunks, bytes; /* mmapped chunks, and their mappings' length */
	bool known;		/* false: nothing to look for could be known */
	/* Against mp_.n_mmaps and mp_.mmapped_mem: how many malloc counts, and
	 * by how many bytes its sum is another. */
	uint64_t counted, missed_bytes;
	/* Headers read for it so far; and whether, where everything was looked
	 * through, chains of neighbours had led to as much. */
	uint64_t headers;
	bool chains_suffice;
	/* How many mallocs have segments in anonymous mappings. Where several
	 * do they lie side by side, and nothing in them says whose they are. */
	unsigned spread;
	/* Segments of a main arena that left brk: ends with fenceposts or top.
	 */
	struct ht_ranges segments[HT_MALLOCS_MAX];
};

struct ht_walk;
struct ht_arena_root;
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
