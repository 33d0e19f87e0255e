/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces: bins' lists followed from many places at once.
 *
 * A list of a million chunks that lie anywhere in memory costs a cache miss per
 * chunk when it is followed from its head alone. Here lists are cut: every so
 * many records one begins a piece, which ends at the next such chunk or at a
 * bin's header. Pieces are followed many at a time, so that misses overlap, and
 * each chunk is still met once. Then each list is put together from its header
 * on. Where anything does not agree nothing is concluded: the lists are
 * followed one by one, to find the fault.
 */
#include <stdlib.h>

#include "agent/self/pace.h"
#include "agent/walk/links.h"

#define PIECES_FROM 65536 /* free chunks; with fewer all lists are short */
#define PIECES	    4096  /* at most twice as many */
#define LANES	    48	  /* pieces followed at a time */

struct piece {
	uint32_t last;	   /* link to its last chunk */
	uint32_t next;	   /* link to what follows that one */
	uint8_t low, high; /* bins that its chunks' sizes belong to */
	bool listed;	   /* found in a list */
	struct ht_list_count count;
};

struct cut {
	struct ht_links *l;
	struct piece *piece;
	size_t pieces;
	unsigned shift; /* record i begins a piece if i % 2^shift == 0 */
	bool sound;
};

static bool begins_piece(const struct cut *c, size_t record)
{
	return (record & (((size_t)1 << c->shift) - 1)) == 0;
}

/* The record that a link leads to, if its bk leads back; NULL: unsound. */
static struct ht_record *arrive(const struct cut *c, uint32_t link,
				uint32_t from)
{
	struct ht_record *r;

	if (link == HT_LINK_END || link > HT_LINK_MAX)
		return NULL;
	r = ht_record_find(&c->l->free, link - 1);
	return r && c->l->more[r - c->l->free.v].back == from ? r : NULL;
}

static void add_chunk(struct cut *c, struct piece *p, uint32_t link, size_t i)
{
	uint64_t size = (uint64_t)c->l->more[i].units << c->l->shift;
	uint8_t bin = (uint8_t)ht_bin_index(c->l->layout, size);

	c->l->free.v[i].mark = 0; /* in a list; which one is not needed */
	p->low = bin < p->low ? bin : p->low;
	p->high = bin > p->high ? bin : p->high;
	p->count.chunks++;
	p->count.bytes += size;
	p->last = link;
	p->next = c->l->free.v[i].link;
}

/* One chunk of a piece; false: the piece is done, or unsound. */
static bool step(struct cut *c, struct piece *p)
{
	const struct ht_record *r;
	size_t i;

	if (p->next > HT_LINK_MAX)
		return false; /* a header, as a rule: join() looks */
	r = arrive(c, p->next, p->last);
	i = r ? (size_t)(r - c->l->free.v) : 0;
	if (r && begins_piece(c, i))
		return false;
	c->sound = c->sound && r && r->mark == HT_MARK_NONE;
	if (!c->sound)
		return false;
	add_chunk(c, p, p->next, i);
	return true;
}

static void begin(struct cut *c, size_t piece)
{
	struct piece *p = &c->piece[piece];
	size_t i = piece << c->shift;

	*p = (struct piece){.low = UINT8_MAX};
	add_chunk(c, p, 1 + ht_record_position(&c->l->free, i), i);
}

static void follow_pieces(struct cut *c)
{
	struct piece *lane[LANES];
	size_t lanes = 0, begun = 0;
	unsigned steps = 0;

	while (begun < c->pieces || lanes > 0) {
		ht_pace_step(&steps);
		while (lanes < LANES && begun < c->pieces) {
			begin(c, begun);
			lane[lanes++] = &c->piece[begun++];
		}
		for (size_t i = 0; i < lanes; i++)
			ht_fetch_directory(&c->l->free, lane[i]->next);
		for (size_t i = 0; i < lanes; i++)
			ht_fetch_free(c->l, lane[i]->next);
		for (size_t i = 0; i < lanes;) {
			if (step(c, lane[i]))
				i++;
			else
				lane[i] = lane[--lanes];
		}
	}
}

/* Appends a whole piece, or the one chunk before the first piece begins. */
static bool join_next(struct cut *c, struct ht_list *list, struct piece *all)
{
	const struct ht_record *r = arrive(c, all->next, all->last);
	size_t i = r ? (size_t)(r - c->l->free.v) : 0;
	struct piece *p = &c->piece[i >> c->shift];

	if (!r)
		return false;
	if (!begins_piece(c, i)) {
		if (r->mark != HT_MARK_NONE)
			return false;
		add_chunk(c, all, all->next, i);
	} else {
		if (p->listed)
			return false;
		p->listed = true;
		all->count.chunks += p->count.chunks;
		all->count.bytes += p->count.bytes;
		all->low = p->low < all->low ? p->low : all->low;
		all->high = p->high > all->high ? p->high : all->high;
		all->last = p->last;
		all->next = p->next;
	}
	return list->bin == 1 ||
	       (all->low == list->bin && all->high == list->bin);
}

static bool join(struct cut *c, struct ht_list *list)
{
	const uint32_t header = HT_LINK_BIN(list->bin);
	struct piece all = {
		.last = header, .next = list->head, .low = UINT8_MAX};

	while (all.next != header)
		if (!join_next(c, list, &all))
			return false;
	list->count = all.count;
	return list->tail == all.last;
}

static bool join_all(struct cut *c, struct ht_list *lists, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!join(c, &lists[i]))
			return false;
	for (size_t i = 0; i < c->pieces; i++)
		if (!c->piece[i].listed)
			return false;
	return true;
}

static void forget(struct ht_links *l, struct ht_list *lists, size_t n)
{
	for (size_t i = 0; i < l->free.n; i++)
		l->free.v[i].mark = HT_MARK_NONE;
	for (size_t i = 0; i < n; i++)
		lists[i].count = (struct ht_list_count){0};
}

bool ht_links_join_bins(struct ht_links *l, struct ht_list *lists, size_t n)
{
	struct cut c = {.l = l, .sound = true};

	if (l->free.n < PIECES_FROM)
		return false;
	while (l->free.n >> c.shift > PIECES)
		c.shift++;
	c.pieces = ((l->free.n - 1) >> c.shift) + 1;
	c.piece = malloc(c.pieces * sizeof(*c.piece));
	if (!c.piece)
		return false;
	follow_pieces(&c);
	c.sound = c.sound && join_all(&c, lists, n);
	if (!c.sound)
		forget(l, lists, n);
	free(c.piece);
	return c.sound;
}
