/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An mmapped chunk whose header was written over: nothing leads to it any more,
 * but malloc counts it. Where what malloc counts is more than what was found,
 * and one stretch of anonymous memory that nobody has is just as long, that is
 * it: a chunk of its own, or the rest of the one before. Where it is less, some
 * header says that its chunk is longer than it is.
 */
#include <inttypes.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/census_int.h"

#define PLACES_MAX 512 /* of one chunk, aligned within its mapping */

struct lost {
	struct census *c;
	uint64_t bytes;		/* that are to be found */
	struct ht_ranges taken; /* by malloc, as far as it is known */
	struct ht_range hole;
	size_t holes; /* of just that length */
};

static bool take_ranges(struct ht_ranges *to, const struct ht_ranges *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (!ht_ranges_add(to, from->v[i].start, from->v[i].end))
			return false;
	return true;
}

static bool list_taken(struct lost *l)
{
	const struct ht_census *found = l->c->found;
	bool ok = take_ranges(&l->taken, &l->c->known) &&
		  take_ranges(&l->taken, &found->mmapped);

	for (size_t i = 0; ok && i < HT_MALLOCS_MAX; i++)
		ok = take_ranges(&l->taken, &found->segments[i]);
	ht_ranges_sort(&l->taken);
	return ok;
}

static void meet_hole(struct lost *l, uint64_t start, uint64_t end)
{
	if (end <= start || end - start != l->bytes)
		return;
	l->hole = (struct ht_range){start, end};
	l->holes++;
}

static void find_holes(struct lost *l)
{
	const struct ht_maps *m = l->c->w->in->maps;

	for (size_t i = 0; i < m->n; i++) {
		uint64_t at = m->v[i].start, end = m->v[i].end;

		if (!ht_census_worth_searching(m, &m->v[i]))
			continue;
		while (at < end) {
			const struct ht_range *r =
				ht_ranges_from(&l->taken, at);
			uint64_t to = r && r->start < end ? r->start : end;

			meet_hole(l, at, to);
			at = r && r->end > to ? r->end : end;
		}
	}
}

/* Its pages are there to be read: what is swapped out is not damaged. */
static bool is_readable(const struct census *c, uint64_t at)
{
	struct ht_pages pages = {0};
	enum ht_page_state state = HT_PAGE_SWAPPED;

	if (ht_pages_get(c->w->in->pages, at, at + HT_PAGE_SIZE, &pages,
			 NULL) == HT_OK)
		state = ht_pages_state(&pages, at);
	ht_pages_fini(&pages);
	return state != HT_PAGE_SWAPPED && state != HT_PAGE_WITHHELD;
}

/* One word of the header at `chunk` says that it is one, for a mapping from
 * `start` to `end`: the length up to its end, or how far it lies in it. */
static bool is_half_right(const struct census *c, uint64_t start,
			  uint64_t chunk, uint64_t end)
{
	struct ht_reader *reader = c->w->in->reader;
	uint64_t prev_size = 0, head = 0;

	if (ht_reader_word(reader, chunk, &prev_size, NULL) != HT_OK ||
	    ht_reader_word(reader, chunk + c->layout->word, &head, NULL) !=
		    HT_OK)
		return false;
	if (prev_size & ~UINT64_C(1) && prev_size == chunk - start)
		return true;
	return ht_census_mmapped_length(c, chunk - start, chunk - start,
					head) == end - start;
}

/* The chunk of the mapping; it may be aligned within it. */
static uint64_t chunk_in(const struct census *c, uint64_t start, uint64_t end)
{
	const uint64_t header = ht_chunk_header(c->layout);
	uint64_t at = start + HT_PAGE_SIZE - header;

	for (unsigned i = 0; i < PLACES_MAX && at < end; i++) {
		if (is_half_right(c, start, at, end))
			return at;
		at += HT_PAGE_SIZE;
	}
	return start + ht_chunk_bias(c->layout);
}

/* Where the last chunk of the row that ends at `end` begins; 0: there is none.
 */
static uint64_t chunk_before(const struct census *c, uint64_t end)
{
	const struct ht_ranges *r = &c->found->mmapped;
	uint64_t at = 0, length = 1, prev_size = 0, head = 0;

	for (size_t i = c->first_range; i < r->n; i++)
		if (r->v[i].end == end)
			at = r->v[i].start;
	while (at && at < end) {
		uint64_t chunk = at + ht_chunk_bias(c->layout);

		if (ht_reader_word(c->w->in->reader, chunk, &prev_size, NULL) !=
			    HT_OK ||
		    ht_reader_word(c->w->in->reader, chunk + c->layout->word,
				   &head, NULL) != HT_OK)
			return at;
		length = ht_census_mmapped_length(c, ht_chunk_bias(c->layout),
						  prev_size, head);
		if (length == 0 || at + length >= end)
			return at;
		at += length;
	}
	return at;
}

static void tell(const struct lost *l, uint64_t start)
{
	uint64_t chunk = chunk_in(l->c, start, l->hole.end);

	ht_walk_find(
		l->c->w->out, "mmapped_chunk", chunk, HT_UNKNOWN,
		"the header of this mmapped chunk cannot be: malloc counts %" PRIu64
		" bytes that only it can be",
		l->bytes);
}

/* false: no memory. */
static bool take_hole(struct lost *l, uint64_t chunks)
{
	struct census *c = l->c;
	uint64_t start = l->hole.start;

	if (chunks == 0)
		start = chunk_before(c, start);
	if (start == 0 || !is_readable(c, start))
		return true;
	tell(l, start);
	c->chunks += chunks;
	c->bytes += l->bytes;
	return ht_ranges_add(&c->found->mmapped, l->hole.start, l->hole.end);
}

/* The last chunk of the only row whose end is no end of a mapping; 0: there is
 * none, or are several. */
static uint64_t overrun(const struct census *c)
{
	const struct ht_ranges *r = &c->found->mmapped;
	const struct ht_maps *m = c->w->in->maps;
	uint64_t end = 0;

	for (size_t i = c->first_range; i < r->n; i++) {
		const struct ht_vma *v = ht_maps_at(m, r->v[i].end);

		if (!v || v->start == r->v[i].end)
			continue;
		if (end)
			return 0;
		end = r->v[i].end;
	}
	return end ? chunk_before(c, end) : 0;
}

/* All of them were found, and are longer together than malloc counts. Which of
 * several is, nothing says. */
static void tell_longer(const struct census *c)
{
	uint64_t at = overrun(c);

	ht_walk_find(
		c->w->out, "mmapped_chunk",
		at ? at + ht_chunk_bias(c->layout) : 0, HT_UNKNOWN,
		"the header of %s mmapped chunk says that it is longer than it is: together they say %" PRIu64
		" bytes, malloc counts %" PRIu64,
		at ? "this" : "an", c->bytes, c->wanted_bytes);
}

bool ht_census_find_lost(struct census *c)
{
	uint64_t chunks = c->wanted - c->chunks;
	struct lost l = {.c = c, .bytes = c->wanted_bytes - c->bytes};
	bool ok = true;

	/* Of another malloc's chunks nothing tells, nor is all of many read. */
	if (c->chunks == c->wanted && c->wanted_bytes != HT_UNKNOWN &&
	    c->bytes > c->wanted_bytes && c->w->roots->spaces == 1 &&
	    !ht_census_dear(c->found))
		tell_longer(c);
	/* One alone: of several nothing says how long each is. */
	if (c->wanted == UINT64_MAX || c->wanted_bytes == HT_UNKNOWN ||
	    c->chunks > c->wanted || chunks > 1 ||
	    c->bytes >= c->wanted_bytes || l.bytes % HT_PAGE_SIZE)
		return true;
	ok = list_taken(&l);
	if (ok)
		find_holes(&l);
	if (ok && l.holes == 1)
		ok = take_hole(&l, chunks);
	ht_ranges_fini(&l.taken);
	return ok;
}
