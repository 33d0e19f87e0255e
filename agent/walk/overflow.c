/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overflow: an arena with more free chunks than our memory limit has room for.
 *
 * Its records are then used up as they come: whenever the tables are full, all
 * that lies below the pass is swept (runs, residency, what could be trimmed)
 * and forgotten. For that it must be known which chunks are in a fastbin before
 * the pass has met them all: the fastbins are followed in the target itself,
 * all at once, a read of one batch a step. What the pass counts by itself stays
 * exact: how many chunks are in bins, by size. Only the lists themselves are
 * not checked, and what is unsorted counts in the bin of its size.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/walk/arena.h"
#include "agent/walk/sound.h"
#include "common/invariant.h"

#define MEMBERS_MAX ((size_t)2 << 20) /* 8 MiB of positions */

struct chase {
	struct ht_arena_walk *aw;
	uint64_t at[HT_FASTBINS_MAX]; /* chunk; 0: the list is done */
	uint8_t bytes[HT_FASTBINS_MAX][16];
	/* Where each list was some steps ago: to be met again in a loop only
	 * (R. P. Brent, 1980). */
	uint64_t landmark[HT_FASTBINS_MAX];
	uint64_t steps;
};

static bool add_member(struct ht_arena_walk *aw, uint64_t chunk)
{
	uint32_t link = ht_links_encode(&aw->met.links, chunk);

	if (link == HT_LINK_END || link > HT_LINK_MAX ||
	    aw->listed.members == MEMBERS_MAX)
		return false;
	if (aw->listed.members == aw->listed.members_capacity) {
		size_t to = 2 * aw->listed.members_capacity + 4096;
		void *grown = reallocarray(aw->listed.member, to,
					   sizeof(*aw->listed.member));

		if (!grown)
			return false;
		aw->listed.member = grown;
		aw->listed.members_capacity = to;
	}
	aw->listed.member[aw->listed.members++] = link - 1;
	return true;
}

/* Next chunk of fastbin i; 0 at its end, or where it cannot be right. */
static uint64_t next_of(const struct chase *c, unsigned i)
{
	const struct ht_layout *l = c->aw->in.layout;
	uint64_t place = c->at[i] + ht_chunk_header(l), head = 0, next = 0;

	memcpy(&head, c->bytes[i], l->word);
	memcpy(&next, c->bytes[i] + l->word, l->word);
	if ((head & ~HT_SIZE_FLAGS) != ht_fastbin_size(l, i))
		return 0;
	if (c->aw->in.space->safe_linking)
		next ^= place >> 12;
	return next % l->align == ht_chunk_bias(l) ? next : 0;
}

static void report_loop(const struct chase *c, unsigned i)
{
	ht_walk_find(c->aw->in.walk->out, "list_loop", c->at[i],
		     c->aw->in.root->index,
		     "fastbin %u: 0x%" PRIx64 " comes round again", i,
		     c->at[i]);
}

/* A chunk of fastbin i was read: counts it, goes on to the next. */
static void met(struct chase *c, unsigned i)
{
	struct ht_arena_walk *aw = c->aw;

	aw->listed.fast[i].chunks++;
	aw->listed.members_cut |= !add_member(aw, c->at[i]);
	c->at[i] = next_of(c, i);
	if (c->at[i] == 0)
		return;
	if (c->at[i] == c->landmark[i]) {
		report_loop(c, i);
		c->at[i] = 0;
	}
	if ((c->steps & (c->steps - 1)) == 0)
		c->landmark[i] = c->at[i];
}

/* One chunk further in every list; false: all are done. */
static bool step(struct chase *c)
{
	const unsigned word = c->aw->in.layout->word;
	struct ht_piece piece[HT_FASTBINS_MAX];
	unsigned list[HT_FASTBINS_MAX];
	size_t n = 0;

	c->steps++;
	for (unsigned i = 0; i < c->aw->in.layout->fastbins; i++) {
		if (c->at[i] == 0)
			continue;
		list[n] = i;
		piece[n++] = (struct ht_piece){.addr = c->at[i] + word,
					       .buf = c->bytes[i],
					       .len = 2 * word};
	}
	ht_reader_batch(c->aw->in.walk->in->reader, piece, n);
	for (size_t k = 0; k < n; k++) {
		if (piece[k].ok)
			met(c, list[k]);
		else
			c->at[list[k]] = 0;
	}
	return n > 0;
}

static int by_position(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static void follow_fastbins(struct ht_arena_walk *aw)
{
	/* In a sound arena more chunks than this cannot be. */
	uint64_t steps = aw->in.root->system / ht_chunk_min(aw->in.layout);
	struct chase c = {.aw = aw};

	for (unsigned i = 0; i < aw->in.layout->fastbins; i++) {
		c.at[i] = aw->in.root->fast[i];
		aw->listed.fast[i] = (struct ht_list_count){0, 0};
	}
	while (steps-- && step(&c))
		;
	for (unsigned i = 0; i < aw->in.layout->fastbins; i++)
		aw->listed.fast[i].bytes = aw->listed.fast[i].chunks *
					   ht_fastbin_size(aw->in.layout, i);
	if (aw->listed.members)
		qsort(aw->listed.member, aw->listed.members,
		      sizeof(*aw->listed.member), by_position);
}

static void begin(struct ht_arena_walk *aw)
{
	if (aw->listed.overflowed)
		return;
	aw->listed.overflowed = true;
	follow_fastbins(aw);
	ht_snapshot_warn(
		aw->in.walk->out,
		"arena %" PRIu64
		" has more free chunks than fit our memory limit: its lists were not checked, its unsorted chunks count in the bins of their sizes",
		aw->in.root->index);
}

/* Candidates that are in a fastbin lose the mark. Both are sorted. */
static void mark_members(struct ht_arena_walk *aw)
{
	struct ht_record_index *x = &aw->met.links.fast;
	size_t granule = 0, m = 0;

	for (size_t i = 0; i < x->n; i++) {
		uint32_t position;

		while (granule + 1 < x->granules && x->first[granule + 1] <= i)
			granule++;
		position =
			(uint32_t)(granule << HT_GRANULE_SHIFT) | x->v[i].slot;
		while (m < aw->listed.members &&
		       aw->listed.member[m] < position)
			m++;
		if (m < aw->listed.members && aw->listed.member[m] == position)
			x->v[i].mark &= (uint8_t)~HT_FAST_CANDIDATE;
	}
}

void ht_overflow_drain(struct ht_arena_walk *aw, size_t i)
{
	begin(aw);
	mark_members(aw);
	HT_ASSERT(ht_links_sound(&aw->met.links));
	if (aw->in.walk->in->marks)
		ht_marks_drop_fast(aw->in.walk->in->marks, &aw->met.links);
	ht_sweep_below(&aw->in, &aw->extent, &aw->met, &aw->swept, i,
		       aw->met.pass.at);
	ht_links_clear(&aw->met.links);
}

void ht_overflow_end(struct ht_arena_walk *aw)
{
	begin(aw);
	mark_members(aw);
	for (unsigned i = 1; i <= HT_BINS; i++)
		aw->listed.bin[i] = (struct ht_list_count){
			aw->met.binned[i].chunks, aw->met.binned[i].bytes};
	if (aw->met.links.full || aw->listed.members_cut)
		ht_snapshot_warn(
			aw->in.walk->out,
			"arena %" PRIu64
			": some of its free chunks could not be placed, its free runs and its residency by cause are too low",
			aw->in.root->index);
}
