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

#include "agent/libc/chunk.h"
#include "agent/walk/segments.h"

#define TOP_TRIES 5

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
	*ret_size = head & ~HT_SIZE_FLAGS;
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

static bool reserve(struct ht_extent *x, size_t n)
{
	x->segment = calloc(n, sizeof(*x->segment));
	x->pages = calloc(n, sizeof(*x->pages));
	return x->segment && x->pages;
}

static void add(struct ht_extent *x, uint64_t start, uint64_t first,
		uint64_t end)
{
	if (first < start || first >= end)
		return;
	if (x->top >= first && x->top < end)
		x->top_segment = x->segments;
	x->segment[x->segments++] = (struct ht_segment){start, end, first, 0};
}

static void add_heaps(const struct ht_arena_in *in, struct ht_extent *x)
{
	const struct ht_layout *l = in->layout;

	for (size_t i = 0; i < in->root->heaps; i++) {
		const struct ht_heap_root *h = &in->root->heap[i];
		uint64_t head = h->address + l->sizeof_heap_info;

		if (head == in->root->address)
			head += l->sizeof_arena;
		add(x, h->address, first_chunk(l, head), h->address + h->size);
	}
}

/* Where brk's part begins: sbrk_base, or the mapping of the top where mp_ is
 * not known. */
static uint64_t main_start(const struct ht_arena_in *in)
{
	const struct ht_maps *m = in->walk->in->maps;
	const struct ht_vma *v = ht_maps_at(m, in->root->top);
	const uint64_t base = in->space->params.sbrk_base;

	if (base != HT_UNKNOWN && base != 0 && (!v || ht_maps_at(m, base)))
		return base;
	while (v && v > m->v && v[-1].end == v->start && *ht_vma_path(m, v) &&
	       strcmp(ht_vma_path(m, v), ht_vma_path(m, v - 1)) == 0)
		v--;
	return v ? v->start : 0;
}

static void add_main(const struct ht_arena_in *in, struct ht_extent *x,
		     const struct ht_ranges *found)
{
	uint64_t start = main_start(in);

	if (found->n == 0) {
		if (start != 0)
			add(x, start, first_chunk(in->layout, start),
			    x->top_end);
		return;
	}
	for (size_t i = 0; i < found->n; i++)
		add(x, found->v[i].start,
		    first_chunk(in->layout, found->v[i].start),
		    found->v[i].end);
}

/* The top chunk must end where its segment does. */
static void check_top(const struct ht_arena_in *in, struct ht_extent *x)
{
	uint64_t end = x->top_segment < x->segments
			       ? x->segment[x->top_segment].end
			       : 0;

	if (x->top_end == end)
		return;
	ht_walk_find(in->walk->out, "top", x->top, in->root->index,
		     "the top chunk 0x%" PRIx64 " of %" PRIu64
		     " bytes does not end with its heap",
		     x->top, x->top_end - x->top);
	x->top_end = end ? end : x->top_end;
	if (!end)
		x->top = x->top_end = 0;
}

/* No top is larger than its arena. Where the target ran meanwhile, a free() may
 * have merged the top downwards and a malloc() handed out what it was: the word
 * behind the old address is then somebody's text. brk's part ends with a page,
 * which a heap that stands still need not keep. */
static bool is_torn(const struct ht_arena_in *in, const struct ht_extent *x)
{
	return x->top_end - x->top > in->root->system ||
	       (in->root->main && x->top_end % HT_PAGE_SIZE != 0 &&
		!ht_walk_rested(in->walk->in));
}

/* NULL, or what is wrong with the top that the arena names. */
static const char *try_top(const struct ht_arena_in *in, struct ht_extent *x)
{
	const struct ht_layout *l = in->layout;
	uint64_t head;

	if (ht_reader_word(in->walk->in->reader, in->root->top + l->word, &head,
			   NULL) != HT_OK)
		return "cannot be read";
	x->top = in->root->top;
	x->top_end = x->top + (head & ~HT_SIZE_FLAGS);
	if (x->top_end < x->top || x->top_end - x->top < ht_chunk_min(l) ||
	    is_torn(in, x))
		return "has a size that cannot be";
	return x->top % l->align == ht_chunk_bias(l) ? NULL : "is not aligned";
}

/* While the target runs, the arena and its top are read in two instants. */
static bool read_top(const struct ht_arena_in *in, struct ht_extent *x)
{
	unsigned tries = in->walk->in->moving ? TOP_TRIES : 1;
	const char *wrong = NULL;

	for (unsigned i = 0; i < tries; i++) {
		if (i > 0 &&
		    ht_arena_root_read(in->walk->in->reader, in->space->malloc,
				       in->root, NULL) != HT_OK)
			break;
		if (ht_arena_untouched(in->root, in->layout))
			return true;
		wrong = try_top(in, x);
		if (!wrong)
			return true;
	}
	if (!in->walk->in->reader->swapped)
		ht_walk_find(in->walk->out, "top", in->root->top,
			     in->root->index, "the top chunk 0x%" PRIx64 " %s",
			     in->root->top, wrong);
	return false;
}

/* Without a top that can be believed, brk's part ends where system_mem says. */
static void guess_end(const struct ht_arena_in *in, struct ht_extent *x)
{
	uint64_t end = main_start(in) + in->root->system;
	uint64_t limit =
		ht_maps_writable_end(in->walk->in->maps, main_start(in));

	x->top = 0;
	x->top_end = end < limit ? end : limit;
}

enum ht_code ht_segments_find(const struct ht_arena_in *in,
			      struct ht_extent *ret, struct ht_err *err)
{
	const struct ht_ranges *found =
		&in->walk->census.segments[in->root->space];
	bool top_sound = read_top(in, ret);

	ret->top_segment = SIZE_MAX;
	if (!reserve(ret, 1 + in->root->heaps + found->n))
		return ht_fail(err, HT_NOMEM, "no memory for segments");
	if (!in->root->main) {
		if (!top_sound)
			ret->top = ret->top_end = 0;
		add_heaps(in, ret);
	} else if (ret->top != 0 || !top_sound) {
		if (!top_sound)
			guess_end(in, ret);
		add_main(in, ret, found);
	}
	if (ret->top)
		check_top(in, ret);
	else
		ret->top_end = 0;
	return HT_OK;
}

void ht_extent_fini(struct ht_extent *x)
{
	for (size_t i = 0; i < x->segments; i++)
		ht_pages_fini(&x->pages[i]);
	free(x->segment);
	free(x->pages);
}
