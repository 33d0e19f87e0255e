/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/view.h"

#include <stdlib.h>
#include <string.h>

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

/* Fills [from, from + len) of one page state; how much of it could be had. */
static size_t fill(struct ht_view *w, uint64_t from, uint8_t *to, size_t len,
		   enum ht_page_state state)
{
	if (state == HT_PAGE_SWAPPED || state == HT_PAGE_WITHHELD)
		return 0;
	if (state == HT_PAGE_ABSENT) {
		memset(to, 0, len);
		return len;
	}
	return ht_reader_some(w->reader, from, to, len);
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

bool ht_view_load(struct ht_view *w, uint64_t addr, size_t need)
{
	uint64_t start = addr & ~(uint64_t)(HT_PAGE_SIZE - 1), end, at;

	if (addr >= w->limit || w->limit - addr < need)
		return false;
	if (start <= w->end && start + HT_PAGE_SIZE >= w->end && w->end)
		w->block = w->block * 2 < w->max ? w->block * 2 : w->max;
	else
		w->block = 2 * BLOCK_MIN; /* a header may lie across a border */
	end = w->limit - start > w->block ? start + w->block : w->limit;
	w->start = at = start;
	while (at < end) {
		uint64_t stop = same_state_end(w->pages, at, end);
		size_t got =
			fill(w, at, w->buf + (at - start), (size_t)(stop - at),
			     ht_pages_state(w->pages, at));

		at += got;
		if (at < stop)
			break;
	}
	w->end = at;
	return at > addr && at - addr >= need;
}
