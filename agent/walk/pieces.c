/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces: that bins' lists are sound is proved, and what each holds is counted,
 * without looking from each chunk back.
 *
 * Each link forward is a pair (chunk, fd), each link back one (bk, chunk), the
 * headers' with them. Are these the same pairs, then whatever a link leads to
 * is a free chunk or a header, leads back, and is led to once: all of it is
 * rings. That they are the same is told by the sums of a hash of each, with a
 * key that no target knows: they differ where the pairs do, but once in 2^64.
 *
 * What is left is which ring a chunk is in. A list of a million chunks that lie
 * anywhere in memory costs a cache miss per chunk when it is followed from its
 * head alone. Here rings are cut: every so many records one begins a piece, and
 * so does each header; a piece ends at the next such. They are followed many at
 * a time, so that misses overlap, one link a chunk. Then each list is put
 * together from its header on, and what they hold must be all that is free: a
 * ring without a header is none of it. Where anything does not agree nothing is
 * concluded: the lists are followed one by one, to find the fault.
 */
#include <stdlib.h>

#include "agent/self/pace.h"
#include "agent/walk/links.h"

#define PIECES_FROM 65536 /* free chunks; with fewer all lists are short */
#define PIECES	    4096  /* at most twice as many, and the headers */
#define LANES	    48	  /* pieces followed at a time */

struct piece {
	uint32_t next;	   /* link to what follows its last chunk */
	uint8_t low, high; /* bins that its chunks' sizes belong to */
	struct ht_list_count count;
};

struct cut {
	struct ht_links *l;
	const struct ht_list *list;
	size_t lists;
	struct piece *piece; /* those of records, then those of headers */
	size_t pieces;	     /* of records */
	unsigned shift;	     /* record i begins one if i % 2^shift == 0 */
	uint64_t size[HT_SMALL_LAST + 1]; /* of all chunks of a small bin */
	bool sound;
};

/* With the headers' own. */
static bool pairs_agree(const struct cut *c)
{
	uint64_t sum = c->l->pairs;

	for (size_t i = 0; i < c->lists; i++) {
		const struct ht_list *list = &c->list[i];
		uint32_t header = HT_LINK_BIN(list->bin);

		sum += ht_pair_hash(c->l->key, header, list->head) -
		       ht_pair_hash(c->l->key, list->tail, header);
	}
	return sum == 0;
}

/* --- pieces -------------------------------------------------------------- */

static bool begins_piece(const struct cut *c, size_t record)
{
	return (record & (((size_t)1 << c->shift) - 1)) == 0;
}

static inline void add_chunk(const struct cut *c, struct piece *p, size_t i)
{
	const struct ht_record *r = &c->l->free.v[i];
	const uint8_t bin = r->from;

	p->low = bin < p->low ? bin : p->low;
	p->high = bin > p->high ? bin : p->high;
	p->count.chunks++;
	p->count.bytes += bin <= HT_SMALL_LAST ? c->size[bin]
					       : (uint64_t)c->l->more[i].units
							 << c->l->shift;
	p->next = r->link;
}

/* One chunk of a piece; false: the piece is done. */
static inline bool step(struct cut *c, struct piece *p)
{
	const struct ht_record *r;

	if (p->next >= HT_LINK_BIN(HT_BINS))
		return false; /* a header: join() looks */
	r = ht_record_find(&c->l->free, p->next - 1);
	c->sound &= r != NULL;
	if (!r || begins_piece(c, (size_t)(r - c->l->free.v)))
		return false;
	add_chunk(c, p, (size_t)(r - c->l->free.v));
	return true;
}

static void begin(struct cut *c, size_t piece)
{
	struct piece *p = &c->piece[piece];

	*p = (struct piece){.low = UINT8_MAX};
	if (piece < c->pieces)
		add_chunk(c, p, piece << c->shift);
	else
		p->next = c->list[piece - c->pieces].head;
}

static void follow_pieces(struct cut *c)
{
	const size_t all = c->pieces + c->lists;
	struct piece *lane[LANES];
	size_t lanes = 0, begun = 0;
	unsigned steps = 0;

	while (begun < all || lanes > 0) {
		ht_pace_step(&steps);
		while (lanes < LANES && begun < all) {
			begin(c, begun);
			lane[lanes++] = &c->piece[begun++];
		}
		for (size_t i = 0; i < lanes; i++)
			ht_fetch_directory(&c->l->free, lane[i]->next);
		for (size_t i = 0; i < lanes; i++)
			ht_fetch_records(&c->l->free, lane[i]->next);
		for (size_t i = 0; i < lanes;) {
			if (step(c, lane[i]))
				i++;
			else
				lane[i] = lane[--lanes];
		}
	}
}

/* The piece that a link leads to; NULL: it leads to none. */
static const struct piece *piece_at(const struct cut *c, uint32_t link)
{
	const struct ht_record *r =
		link < HT_LINK_BIN(HT_BINS)
			? ht_record_find(&c->l->free, link - 1)
			: NULL;
	size_t i = r ? (size_t)(r - c->l->free.v) : 0;

	return r && begins_piece(c, i) ? &c->piece[i >> c->shift] : NULL;
}

/* A list from its header on, which has the i-th piece of headers. */
static bool join(const struct cut *c, size_t i, struct ht_list *list)
{
	const struct piece *p = &c->piece[c->pieces + i];
	struct piece all = {.low = list->bin, .high = list->bin};

	for (size_t joined = 0; joined <= c->pieces; joined++) {
		all.count.chunks += p->count.chunks;
		all.count.bytes += p->count.bytes;
		if (p->count.chunks) {
			all.low = p->low < all.low ? p->low : all.low;
			all.high = p->high > all.high ? p->high : all.high;
		}
		if (p->next == HT_LINK_BIN(list->bin)) {
			list->count = all.count;
			return list->bin == 1 || all.low == all.high;
		}
		p = piece_at(c, p->next);
		if (!p)
			return false;
	}
	return false; /* cannot be; never loop on it */
}

static bool join_all(const struct cut *c, struct ht_list *lists)
{
	uint64_t chunks = 0;

	for (size_t i = 0; i < c->lists; i++) {
		if (!join(c, i, &lists[i]))
			return false;
		chunks += lists[i].count.chunks;
	}
	return chunks == c->l->free.n;
}

static bool follow_and_join(struct cut *c, struct ht_list *lists)
{
	uint64_t largest;

	for (unsigned bin = 2; bin <= HT_SMALL_LAST; bin++)
		ht_bin_range(c->l->layout, bin, &c->size[bin], &largest);
	while (c->l->free.n >> c->shift > PIECES)
		c->shift++;
	c->pieces = ((c->l->free.n - 1) >> c->shift) + 1;
	c->piece = reallocarray(NULL, c->pieces + c->lists, sizeof(*c->piece));
	if (!c->piece)
		return false;
	follow_pieces(c);
	c->sound = c->sound && join_all(c, lists);
	free(c->piece);
	return c->sound;
}

bool ht_links_join_bins(struct ht_links *l, struct ht_list *lists, size_t n)
{
	struct cut c = {.l = l, .list = lists, .lists = n, .sound = true};

	if (l->free.n < PIECES_FROM || !pairs_agree(&c))
		return false;
	if (follow_and_join(&c, lists))
		return true;
	for (size_t i = 0; i < n; i++)
		lists[i].count = (struct ht_list_count){0};
	return false;
}
