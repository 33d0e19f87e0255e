/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resynchronising: where a chain of sizes is broken (corruption, a foreign
 * sbrk, a page that is swapped out), find the next place from which sizes lead
 * from one plausible header to the next for many chunks.
 *
 * The work is limited: memory that was made to look like headers must not keep
 * the target waiting.
 */
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/met.h"

#define CHAIN	  24 /* chunks that must follow each other */
#define READ_COST 32 /* a read of its own, in headers looked at */
#define BLOCK	  ((size_t)64 << 10)

struct search {
	struct ht_reader *reader;
	const struct ht_pages *pages;
	const struct ht_layout *layout;
	uint64_t stop;
	uint64_t start, end; /* what is in buf */
	uint8_t buf[BLOCK];
	unsigned *budget;
};

/* A chunk header: prev_size, then size and flags. */
struct header {
	uint64_t prev_size, head;
};

static bool spend(struct search *s, unsigned cost)
{
	bool enough = *s->budget >= cost;

	*s->budget -= enough ? cost : *s->budget;
	return enough;
}

/* No header can be in a page that is absent (zeros), none is to be had of one
 * that is swapped out. */
static bool is_there(const struct search *s, uint64_t at)
{
	enum ht_page_state state = ht_pages_state(s->pages, at);

	return state == HT_PAGE_PRESENT || state == HT_PAGE_UNKNOWN;
}

/* Reads on from `at`, as far as pages are there. */
static void load_block(struct search *s, uint64_t at)
{
	uint64_t stop = s->stop - at < BLOCK ? s->stop : at + BLOCK;

	s->start = s->end = at;
	for (uint64_t p = at; p < stop; p = (p | (HT_PAGE_SIZE - 1)) + 1)
		if (!is_there(s, p))
			stop = p;
	if (stop > at && spend(s, READ_COST))
		s->end += ht_reader_some(s->reader, at, s->buf,
					 (size_t)(stop - at));
}

/* The header at `at`: from the block, or by a read of its own where a chain
 * leads out of it. */
static bool header_at(struct search *s, uint64_t at, struct header *ret)
{
	const unsigned word = s->layout->word;
	uint8_t own[16];
	const uint8_t *from = own;

	if (at >= s->start && at + 2 * word <= s->end)
		from = s->buf + (at - s->start);
	else if (!is_there(s, at) || !spend(s, READ_COST) ||
		 ht_reader_some(s->reader, at, own, 2 * word) != 2 * word)
		return false;
	*ret = (struct header){0};
	memcpy(&ret->prev_size, from, word);
	memcpy(&ret->head, from + word, word);
	return true;
}

/* Size of the chunk at `at`, 0 when it cannot be one. */
static uint64_t size_at(struct search *s, uint64_t at, struct header *ret)
{
	const struct ht_layout *l = s->layout;
	uint64_t size;

	if (!spend(s, 1) || !header_at(s, at, ret))
		return 0;
	size = ret->head & ~HT_SIZE_FLAGS;
	if (ret->head & HT_IS_MMAPPED || size % l->align ||
	    size < ht_chunk_min(l) || size > s->stop - at)
		return 0;
	return size;
}

/* The two fenceposts with which malloc leaves a part of the main arena: chunks
 * that lead to them are no accident, however few. */
static bool is_fence(struct search *s, uint64_t at, const struct header *h)
{
	uint64_t end;

	return (h->head & ~HT_SIZE_FLAGS) == ht_chunk_header(s->layout) &&
	       spend(s, READ_COST) &&
	       ht_segment_fence(s->reader, s->layout, true, at, s->stop, &end);
}

static bool chain_holds(struct search *s, uint64_t at)
{
	struct header h = {0};
	uint64_t last = 0;

	for (unsigned i = 0; i < CHAIN && at != s->stop; i++) {
		uint64_t size = size_at(s, at, &h);

		if (size == 0 && i > 0 && is_fence(s, at, &h))
			return true;
		if (size == 0 ||
		    (i > 0 && !(h.head & HT_PREV_INUSE) && h.prev_size != last))
			return false;
		last = size;
		at += size;
	}
	return true;
}

/* The next address in the block whose header could be one, or its end: most of
 * another's memory is passed over here. Eight of these cost what one chain's
 * step does. */
static uint64_t next_plausible(struct search *s, uint64_t from)
{
	const struct ht_layout *l = s->layout;
	const uint64_t least = ht_chunk_min(l);
	const uint64_t wrong = (l->align - 1) & ~(uint64_t)HT_PREV_INUSE &
			       ~(uint64_t)HT_NON_MAIN_ARENA;
	uint64_t at = from, head = 0;

	for (; at + 2 * l->word <= s->end; at += l->align) {
		memcpy(&head, s->buf + (at - s->start) + l->word, l->word);
		if (!(head & wrong) && head >= least &&
		    head <= s->stop - at + 7)
			break;
	}
	return spend(s, (unsigned)((at - from) / l->align / 8)) ? at : s->stop;
}

uint64_t ht_resync(struct ht_reader *reader, const struct ht_pages *pages,
		   const struct ht_layout *l, uint64_t from, uint64_t stop,
		   unsigned *budget)
{
	struct search s = {.reader = reader,
			   .pages = pages,
			   .layout = l,
			   .stop = stop,
			   .budget = budget};

	while (from < stop && *budget) {
		/* zeros: no header in this page */
		bool absent = ht_pages_state(pages, from) == HT_PAGE_ABSENT;

		if (!absent && from + 2 * l->word > s.end)
			load_block(&s, from);
		if (absent || s.end == from) { /* or it is not there */
			from = (from | (HT_PAGE_SIZE - 1)) + 1 +
			       ht_chunk_bias(l);
			continue;
		}
		if (from + 2 * l->word > s.end) { /* its size is not */
			from += l->align;
			continue;
		}
		from = next_plausible(&s, from);
		if (from >= stop || from + 2 * l->word > s.end)
			continue;
		if (chain_holds(&s, from))
			return from;
		from += l->align;
	}
	return 0;
}
