/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: the stretches of memory an arena consists of. A thread arena: its
 * heaps. The main arena: from sbrk_base to the end of top; once it had to leave
 * brk (NONCONTIGUOUS), also anonymous mappings that are on no list and are
 * found by the census.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/walk/walk_int.h"

#define SIZE_FLAGS UINT64_C(7)
#define TOP_TRIES  5

/* First chunk behind `address`: its user pointer is aligned. */
static uint64_t first_chunk(const struct ht_layout *l, uint64_t address)
{
	uint64_t header = ht_chunk_header(l), align = l->align;

	return ((address + header + align - 1) & ~(align - 1)) - header;
}

static bool fence_word(struct ht_reader *reader, uint64_t at, uint64_t end,
		       unsigned word, uint64_t *ret_size)
{
	uint64_t head;

	if (end - at < 2 * word ||
	    ht_reader_word(reader, at + word, &head, NULL) != HT_OK)
		return false;
	*ret_size = head & ~SIZE_FLAGS;
	return true;
}

bool ht_segment_fence(struct ht_reader *reader, const struct ht_layout *l,
		      bool main, uint64_t at, uint64_t end, uint64_t *ret_end)
{
	const uint64_t header = ht_chunk_header(l);
	uint64_t first, second;

	if (!fence_word(reader, at, end, l->word, &first))
		return false;
	*ret_end = at + header;
	if (!main && first == 0)
		return true; /* the old top was too small for a first post */
	if (first != header ||
	    !fence_word(reader, at + header, end, l->word, &second))
		return false;
	*ret_end = at + 2 * header;
	return second == (main ? header : 0);
}

static bool reserve(struct ht_arena_walk *aw, size_t n)
{
	aw->segment = calloc(n, sizeof(*aw->segment));
	aw->pages = calloc(n, sizeof(*aw->pages));
	return aw->segment && aw->pages;
}

static void add(struct ht_arena_walk *aw, uint64_t start, uint64_t first,
		uint64_t end)
{
	if (first < start || first >= end)
		return;
	if (aw->top >= first && aw->top < end)
		aw->top_segment = aw->segments;
	aw->segment[aw->segments++] = (struct ht_segment){start, end, first, 0};
}

static void add_heaps(struct ht_arena_walk *aw)
{
	const struct ht_layout *l = aw->layout;

	for (size_t i = 0; i < aw->root->heaps; i++) {
		const struct ht_heap_root *h = &aw->root->heap[i];
		uint64_t head = h->address + l->sizeof_heap_info;

		if (head == aw->root->address)
			head += l->sizeof_arena;
		add(aw, h->address, first_chunk(l, head), h->address + h->size);
	}
}

/* Where brk's part begins: sbrk_base, or the mapping of the top where mp_ is
 * not known. */
static uint64_t main_start(const struct ht_arena_walk *aw)
{
	const struct ht_vma *v = ht_maps_at(aw->walk->in->maps, aw->root->top);

	if (aw->space->params.sbrk_base != HT_UNKNOWN &&
	    aw->space->params.sbrk_base != 0)
		return aw->space->params.sbrk_base;
	return v ? v->start : 0;
}

static void add_main(struct ht_arena_walk *aw, const struct ht_ranges *found)
{
	uint64_t start = main_start(aw);

	if (found->n == 0) {
		if (start != 0)
			add(aw, start, first_chunk(aw->layout, start),
			    aw->top_end);
		return;
	}
	for (size_t i = 0; i < found->n; i++)
		add(aw, found->v[i].start,
		    first_chunk(aw->layout, found->v[i].start),
		    found->v[i].end);
}

/* The top chunk must end where its segment does. */
static void check_top(struct ht_arena_walk *aw)
{
	uint64_t end = aw->top_segment < aw->segments
			       ? aw->segment[aw->top_segment].end
			       : 0;

	if (aw->top_end == end)
		return;
	if (!aw->walk->in->moving)
		ht_walk_find(aw->walk->out, "top", aw->top, aw->root->index,
			     "the top chunk 0x%" PRIx64 " of %" PRIu64
			     " bytes does not end with its heap",
			     aw->top, aw->top_end - aw->top);
	aw->top_end = end ? end : aw->top_end;
	if (!end)
		aw->top = aw->top_end = 0;
}

/* NULL, or what is wrong with the top that the arena names. */
static const char *try_top(struct ht_arena_walk *aw)
{
	const struct ht_layout *l = aw->layout;
	uint64_t head;

	if (ht_reader_word(aw->walk->in->reader, aw->root->top + l->word, &head,
			   NULL) != HT_OK)
		return "cannot be read";
	aw->top = aw->root->top;
	aw->top_end = aw->top + (head & ~SIZE_FLAGS);
	if (aw->top_end < aw->top || aw->top_end - aw->top < ht_chunk_min(l))
		return "has a size that cannot be";
	return aw->top % l->align == ht_chunk_bias(l) ? NULL : "is not aligned";
}

/* While the target runs, the arena and its top are read in two instants. */
static bool read_top(struct ht_arena_walk *aw)
{
	unsigned tries = aw->walk->in->moving ? TOP_TRIES : 1;
	const char *wrong = NULL;

	for (unsigned i = 0; i < tries; i++) {
		if (i > 0 &&
		    ht_arena_root_read(aw->walk->in->reader, aw->space->malloc,
				       aw->root, NULL) != HT_OK)
			break;
		if (ht_arena_untouched(aw->root, aw->layout))
			return true;
		wrong = try_top(aw);
		if (!wrong)
			return true;
	}
	if (!aw->walk->in->moving && !aw->walk->in->reader->swapped)
		ht_walk_find(aw->walk->out, "top", aw->root->top,
			     aw->root->index, "the top chunk 0x%" PRIx64 " %s",
			     aw->root->top, wrong);
	return false;
}

/* Without a top that can be believed, brk's part ends where system_mem says. */
static void guess_end(struct ht_arena_walk *aw)
{
	uint64_t end = main_start(aw) + aw->root->system;
	uint64_t limit =
		ht_maps_writable_end(aw->walk->in->maps, main_start(aw));

	aw->top = 0;
	aw->top_end = end < limit ? end : limit;
}

enum ht_code ht_segments_find(struct ht_arena_walk *aw, struct ht_err *err)
{
	const struct ht_ranges *found =
		&aw->walk->census.segments[aw->root->space];
	bool top_sound = read_top(aw);

	aw->top_segment = SIZE_MAX;
	if (!reserve(aw, 1 + aw->root->heaps + found->n))
		return ht_fail(err, HT_NOMEM, "no memory for segments");
	if (!aw->root->main) {
		if (!top_sound)
			aw->top = aw->top_end = 0;
		add_heaps(aw);
	} else if (aw->top != 0 || !top_sound) {
		if (!top_sound)
			guess_end(aw);
		add_main(aw, found);
	}
	if (aw->top)
		check_top(aw);
	else
		aw->top_end = 0;
	return HT_OK;
}
