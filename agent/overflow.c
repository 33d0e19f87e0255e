/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overflow: an arena with more free chunks than our memory limit has room for.
 *
 * What the linear pass counted by itself stays exact: how many chunks are in
 * bins, by size. Fastbins are counted by following them in the target, all at
 * once, a read of one batch a step. Where each chunk lies is known only for
 * those that found room: free runs and residency by cause are then too low,
 * and that is said.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/walk_int.h"

#define STEPS_MAX  (UINT64_C(1) << 26)
#define SIZE_FLAGS UINT64_C(7)

struct chase {
	struct ht_arena_walk *aw;
	uint64_t at[HT_FASTBINS_MAX]; /* chunk; 0: the list is done */
	uint8_t bytes[HT_FASTBINS_MAX][16];
};

/* Next chunk of fastbin i; 0 at its end, or where it cannot be right. */
static uint64_t next_of(const struct chase *c, unsigned i)
{
	const struct ht_layout *l = c->aw->layout;
	uint64_t place = c->at[i] + ht_chunk_header(l), head = 0, next = 0;

	memcpy(&head, c->bytes[i], l->word);
	memcpy(&next, c->bytes[i] + l->word, l->word);
	if ((head & ~SIZE_FLAGS) != ht_fastbin_size(l, i))
		return 0;
	if (c->aw->space->safe_linking)
		next ^= place >> 12;
	return next % l->align == ht_chunk_bias(l) ? next : 0;
}

/* One chunk further in every list; false: all are done. */
static bool step(struct chase *c)
{
	const unsigned word = c->aw->layout->word;
	struct ht_piece piece[HT_FASTBINS_MAX];
	unsigned list[HT_FASTBINS_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < c->aw->layout->fastbins; i++) {
		if (c->at[i] == 0)
			continue;
		list[n] = i;
		piece[n++] = (struct ht_piece){.addr = c->at[i] + word,
					       .buf = c->bytes[i],
					       .len = 2 * word};
	}
	ht_reader_batch(c->aw->walk->in->reader, piece, n);
	for (size_t k = 0; k < n; k++) {
		unsigned i = list[k];

		if (piece[k].ok) {
			c->aw->fast[i].chunks++;
			c->at[i] = next_of(c, i);
		} else {
			c->at[i] = 0;
		}
	}
	return n > 0;
}

void ht_overflow_count(struct ht_arena_walk *aw)
{
	struct chase c = {.aw = aw};
	uint64_t steps = STEPS_MAX;

	for (unsigned i = 0; i < aw->layout->fastbins; i++) {
		c.at[i] = aw->root->fast[i];
		aw->fast[i] = (struct ht_list_count){0, 0};
	}
	while (steps-- && step(&c))
		;
	for (unsigned i = 0; i < aw->layout->fastbins; i++)
		aw->fast[i].bytes =
			aw->fast[i].chunks * ht_fastbin_size(aw->layout, i);
	for (unsigned i = 1; i <= HT_BINS; i++)
		aw->bin[i] = (struct ht_list_count){aw->binned[i].chunks,
						    aw->binned[i].bytes};
	ht_snapshot_warn(aw->walk->out,
			 "arena %" PRIu64 " has more free chunks than fit our "
			 "memory limit: its unsorted chunks count in the bins "
			 "of their sizes, its free runs and its residency by "
			 "cause are too low",
			 aw->root->index);
}
