/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nextsize: in a bin of several sizes the first chunk of each leads to that of
 * the next smaller one and of the next larger one, in a ring of its own, which
 * malloc follows and no other list of the walk shows.
 */
#include "agent/walk/nextsize.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNKS_MAX 4096 /* beyond, none is looked at: it is a read of each */

struct sized {
	uint64_t at; /* the chunk; ascending */
	uint64_t smaller, larger;
	uint8_t bin;
	uint8_t bytes[16]; /* both links */
};

static bool is_of_sizes(const struct ht_record *r)
{
	return r->mark > HT_SMALL_LAST && r->mark <= HT_BINS;
}

static size_t count(const struct ht_links *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->free.n; i++)
		n += is_of_sizes(&l->free.v[i]);
	return n;
}

static void list(const struct ht_links *l, struct sized *v)
{
	for (size_t i = 0; i < l->free.n; i++)
		if (is_of_sizes(&l->free.v[i]))
			*v++ = (struct sized){
				.at = ht_links_address(
					l, ht_record_position(&l->free, i)),
				.bin = l->free.v[i].mark};
}

static bool read_links(const struct ht_arena_in *in, struct sized *v, size_t n)
{
	const unsigned word = in->layout->word;
	struct ht_piece *piece = calloc(n, sizeof(*piece));
	bool ok = true;

	if (!piece)
		return false;
	for (size_t i = 0; i < n; i++)
		piece[i] = (struct ht_piece){.addr = v[i].at + 4 * word,
					     .buf = v[i].bytes,
					     .len = 2 * word};
	ht_reader_batch(in->walk->in->reader, piece, n);
	for (size_t i = 0; ok && i < n; i++) {
		ok = piece[i].ok;
		memcpy(&v[i].smaller, v[i].bytes, word);
		memcpy(&v[i].larger, v[i].bytes + word, word);
	}
	free(piece);
	return ok;
}

static int by_place(const void *x, const void *y)
{
	const struct sized *a = x, *b = y;

	return (a->at > b->at) - (a->at < b->at);
}

static bool is_sound(const struct sized *s, const struct sized *v, size_t n)
{
	const struct sized key = {.at = s->smaller};
	const struct sized *next;

	if (s->smaller == 0 && s->larger == 0)
		return true; /* not the first of its size */
	next = bsearch(&key, v, n, sizeof(*v), by_place);
	return next && next->bin == s->bin && next->larger == s->at;
}

static void tell(const struct ht_arena_in *in, const struct sized *v, size_t n)
{
	uint64_t wrong = 0, first = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_sound(&v[i], v, n) && wrong++ == 0)
			first = v[i].at;
	if (wrong)
		ht_walk_find(
			in->walk->out, "list_nextsize", first, in->root->index,
			"%" PRIu64
			" free chunks whose link to the next size leads astray, this one first",
			wrong);
}

void ht_nextsize_check(const struct ht_arena_in *in, const struct ht_met *met)
{
	const size_t n = ht_met_is_whole(met) ? count(&met->links) : 0;
	struct sized *v;

	/* They are read later than the pass. */
	if (n == 0 || n > CHUNKS_MAX || !ht_walk_rested(in->walk->in))
		return;
	v = calloc(n, sizeof(*v));
	if (!v)
		return; /* nothing is said of them */
	list(&met->links, v);
	if (read_links(in, v, n))
		tell(in, v, n);
	free(v);
}
