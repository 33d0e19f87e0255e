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

#include "agent/walk_int.h"

#define CHAIN	   24	      /* chunks that must follow each other */
#define STEPS_MAX  (1u << 22) /* headers looked at in one search */
#define BLOCK	   ((size_t)64 << 10)
#define PREV_INUSE 1u
#define IS_MMAPPED 2u
#define SIZE_FLAGS UINT64_C(7)

struct search {
	struct ht_reader *reader;
	const struct ht_pages *pages;
	const struct ht_layout *layout;
	uint64_t stop;
	uint64_t start, end; /* in buf */
	uint8_t buf[BLOCK];
	unsigned steps;
};

static bool load(struct search *s, uint64_t at)
{
	const uint64_t need = 2 * (uint64_t)s->layout->word;
	uint64_t stop = s->stop + need;

	if (at >= s->start && at + need <= s->end)
		return true;
	if (ht_pages_state(s->pages, at) == HT_PAGE_SWAPPED)
		return false;
	s->start = s->end = at;
	if (stop - at < need)
		return false;
	stop = stop - at < BLOCK ? stop : at + BLOCK;
	/* never through a swapped page */
	for (uint64_t p = (at | 4095) + 1; p < stop; p += 4096)
		if (ht_pages_state(s->pages, p) == HT_PAGE_SWAPPED)
			stop = p;
	s->end += ht_reader_some(s->reader, at, s->buf, (size_t)(stop - at));
	return at + need <= s->end;
}

static uint64_t word_at(const struct search *s, uint64_t at)
{
	uint64_t value = 0;

	memcpy(&value, s->buf + (at - s->start), s->layout->word);
	return value;
}

/* Size of the chunk at `at`, 0 when it cannot be one. */
static uint64_t size_at(struct search *s, uint64_t at, bool *ret_prev_in_use,
			uint64_t *ret_footer)
{
	const struct ht_layout *l = s->layout;
	uint64_t head, size;

	s->steps++;
	if (!load(s, at))
		return 0;
	head = word_at(s, at + l->word);
	size = head & ~SIZE_FLAGS;
	*ret_prev_in_use = head & PREV_INUSE;
	*ret_footer = word_at(s, at);
	if (head & IS_MMAPPED || size % l->align || size < ht_chunk_min(l) ||
	    size > s->stop - at)
		return 0;
	return size;
}

static bool chain_holds(struct search *s, uint64_t at)
{
	uint64_t footer, last = 0;
	bool in_use;

	for (unsigned i = 0; i < CHAIN && at != s->stop; i++) {
		uint64_t size = size_at(s, at, &in_use, &footer);

		if (size == 0 || (i > 0 && !in_use && footer != last))
			return false;
		last = size;
		at += size;
	}
	return true;
}

uint64_t ht_resync(struct ht_reader *reader, const struct ht_pages *pages,
		   const struct ht_layout *l, uint64_t from, uint64_t stop)
{
	struct search s = {
		.reader = reader, .pages = pages, .layout = l, .stop = stop};

	for (; from < stop && s.steps < STEPS_MAX; from += l->align) {
		if (ht_pages_state(pages, from) == HT_PAGE_ABSENT) {
			uint64_t bias = ht_chunk_bias(l);

			from = (from | 4095) + 1 + bias - l->align;
			continue; /* zeros: no header in this page */
		}
		if (chain_holds(&s, from))
			return from;
	}
	return 0;
}
