/* SPDX-License-Identifier: Apache-2.0 */
/* Bins: what is in each bin and fastbin, as the lists of an arena say. */
#ifndef HT_AGENT_WALK_BINS_H
#define HT_AGENT_WALK_BINS_H

#include "agent/walk/met.h"

struct ht_listed {
	const struct ht_arena_in *in;
	struct ht_met *met; /* its records are marked with their lists */
	struct ht_list list[HT_BINS];
	struct ht_list_count bin[HT_BINS + 1], fast[HT_FASTBINS_MAX];
	bool helped;	  /* the helper follows them */
	bool all_listed;  /* each free chunk is in one */
	bool overflowed;  /* the tables did not hold all (overflow.c) */
	uint32_t *member; /* positions of all fastbin chunks then; sorted */
	size_t members, members_capacity;
	bool members_cut; /* there were more */
};

/* After the pass. Fastbins are known at once, bins (which the sweep does not
 * need) only at the end. in, met: borrowed until then. */
void ht_bins_begin(const struct ht_arena_in *in, struct ht_met *met,
		   struct ht_listed *ret);
void ht_bins_end(struct ht_listed *b);
/* A row for each that is not empty. */
bool ht_bins_add_rows(const struct ht_arena_in *in, const struct ht_listed *b);

#endif
