/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/arch/arch.h"

/* After a jump the next chunk may be far away again: start small. */
#define BLOCK_MIN ((size_t)HT_PAGE_SIZE)

enum ht_code ht_view_init(struct ht_view *w, struct ht_reader *reader,
			  uint64_t heap, struct ht_err *err)
{
	*w = (struct ht_view){.reader = reader, .block = BLOCK_MIN};
	w->max = heap < HT_VIEW_SMALL_HEAP ? HT_VIEW_SMALL : HT_VIEW_MAX;
	w->buf = aligned_alloc(HT_PAGE_SIZE, w->max);
	if (!w->buf)
		return ht_fail(err, HT_NOMEM, "no memory for a block of %zu",
			       w->max);
	return HT_OK;
}

void ht_view_fini(struct ht_view *w)
{
	free(w->buf);
	w->buf = NULL;
}

void ht_view_segment(struct ht_view *w, const struct ht_pages *pages,
		     uint64_t limit)
{
	w->pages = pages;
	w->limit = limit;
	w->start = w->end = 0;
	w->block = BLOCK_MIN;
}

/* End of the pages from `from` on that are in the same state. */
static uint64_t same_state_end(const struct ht_pages *p, uint64_t from,
			       uint64_t end)
{
	enum ht_page_state state = ht_pages_state(p, from);
	uint64_t at = (from & ~(uint64_t)(HT_PAGE_SIZE - 1)) + HT_PAGE_SIZE;

	if (ht_pages_resident(p, from, end) == end - from)
		return end;
	while (at < end && ht_pages_state(p, at) == state)
		at += HT_PAGE_SIZE;
	return at < end ? at : end;
}

/* A page that moves is asked for again so often, after so long at first and
 * twice as long each time: 2 ms in all. */
#define MOVES	6
#define MOVE_NS 30000

/* Every other page of a block, at most. */
#define STRETCHES (HT_VIEW_MAX / HT_PAGE_SIZE / 2 + 1)

/* What of a block is to be read, in order; the rest up to `end` is zeros. */
struct block {
	struct ht_piece piece[STRETCHES];
	size_t n;
	uint64_t end; /* here pages begin that cannot be read */
};

/* Pages that were never touched read as the zeros that they hold. */
static void plan(struct ht_view *w, uint64_t from, uint64_t end,
		 struct block *ret)
{
	ret->n = 0;
	for (uint64_t at = from; at < end; at = ret->end) {
		enum ht_page_state state = ht_pages_state(w->pages, at);
		uint64_t stop = same_state_end(w->pages, at, end);
		uint8_t *to = w->buf + (at - from);

		ret->end = at;
		if (state == HT_PAGE_SWAPPED || state == HT_PAGE_WITHHELD)
			return;
		if (state == HT_PAGE_ABSENT)
			memset(to, 0, (size_t)(stop - at));
		else
			ret->piece[ret->n++] =
				(struct ht_piece){.addr = at,
						  .buf = to,
						  .len = (uint32_t)(stop - at)};
		ret->end = stop;
	}
}

/* What was there when its state was asked for. A page that the kernel moves
 * (compaction, NUMA balancing) looks as if it were swapped out, for
 * microseconds: it is waited for. */
static size_t read_there(struct ht_view *w, const struct ht_piece *p)
{
	struct timespec moment = {.tv_nsec = MOVE_NS};
	size_t got = 0;

	for (int i = 0;; i++) {
		got += ht_reader_some(w->reader, p->addr + got,
				      (char *)p->buf + got, p->len - got);
		w->swapped = got < p->len && w->reader->swapped;
		if (!w->swapped || i == MOVES)
			return got;
		nanosleep(&moment, NULL);
		moment.tv_nsec *= 2;
	}
}

/* Where what could be read of a block ends. */
static uint64_t fill(struct ht_view *w, struct block *b)
{
	w->swapped = false;
	if (b->n > 1)
		ht_reader_batch(w->reader, b->piece, b->n);
	for (size_t i = 0; i < b->n; i++) {
		const struct ht_piece *p = &b->piece[i];
		size_t got = p->ok ? p->len : read_there(w, p);

		if (got < p->len)
			return p->addr + got;
	}
	return b->end;
}

bool ht_view_load(struct ht_view *w, uint64_t addr, size_t need)
{
	uint64_t start = addr & ~(uint64_t)(HT_PAGE_SIZE - 1), end;
	struct block b;

	if (addr >= w->limit || w->limit - addr < need)
		return false;
	if (start <= w->end && start + HT_PAGE_SIZE >= w->end && w->end)
		w->block = w->block * 2 < w->max ? w->block * 2 : w->max;
	else
		w->block = 2 * BLOCK_MIN; /* a header may lie across a border */
	end = w->limit - start > w->block ? start + w->block : w->limit;
	plan(w, start, end, &b);
	w->start = start;
	w->end = fill(w, &b);
	return w->end > addr && w->end - addr >= need;
}
