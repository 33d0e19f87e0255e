/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heaps of a thread arena: from the newest, which holds the top, along
 * heap_info.prev to the first. Where a header is damaged the chain is found
 * again by what it consists of: a heap begins where its alignment says, and
 * names its arena; and all of them add up to system_mem.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "agent/arch/arch.h"
#include "agent/walk/heaps.h"

struct heap_info {
	uint64_t ar_ptr, prev, size;
};

struct chain {
	const struct ht_walk_in *in;
	struct ht_roots *roots;
	struct ht_arena_root *a;
	const struct ht_layout *layout;
	uint64_t heap_max;
	uint64_t sizeless; /* the heap whose size cannot be; 0: none */
	bool broken;	   /* it did not lead to its end */
};

static bool read_heap(const struct chain *c, uint64_t address,
		      struct heap_info *ret)
{
	const struct ht_layout *l = c->layout;
	uint8_t bytes[64] = {0};

	if (l->sizeof_heap_info > sizeof(bytes) ||
	    ht_reader_read(c->in->reader, address, bytes, l->sizeof_heap_info,
			   NULL) != HT_OK)
		return false;
	*ret = (struct heap_info){ht_field_get(bytes, l, HT_P_HEAP_AR_PTR),
				  ht_field_get(bytes, l, HT_P_HEAP_PREV),
				  ht_field_get(bytes, l, HT_P_HEAP_SIZE)};
	return true;
}

static bool size_may_be(const struct chain *c, const struct heap_info *h)
{
	return h->size >= c->layout->sizeof_heap_info && h->size <= c->heap_max;
}

static bool is_arena(const struct chain *c, uint64_t address)
{
	for (size_t i = 0; i < c->roots->arenas; i++)
		if (c->roots->arena[i].address == address)
			return true;
	return false;
}

/* Why a heap_info cannot be one; NULL: it can. */
static const char *heap_wrong(const struct chain *c, const struct heap_info *h)
{
	if (h->ar_ptr != c->a->address)
		return "its ar_ptr is not the arena";
	if (!size_may_be(c, h))
		return "its size cannot be";
	if (h->prev % c->heap_max)
		return "its prev is not a heap's address";
	return NULL;
}

/* One word of it is wrong: what is left says that it is a heap of this arena
 * all the same. */
static bool is_heap_still(const struct chain *c, const struct heap_info *h)
{
	bool named = h->ar_ptr == c->a->address;
	bool linked = h->prev % c->heap_max == 0;

	if (!named && (is_arena(c, h->ar_ptr) || !linked))
		return false;
	return size_may_be(c, h) ? true : named && linked;
}

static bool add_heap(struct ht_arena_root *a, uint64_t address, uint64_t size)
{
	if (a->heaps == a->heaps_capacity) {
		size_t to = a->heaps_capacity * 2 + 4;
		void *grown = reallocarray(a->heap, to, sizeof(*a->heap));

		if (!grown)
			return false;
		a->heap = grown;
		a->heaps_capacity = to;
	}
	a->heap[a->heaps++] = (struct ht_heap_root){address, size};
	return true;
}

static int by_address(const void *x, const void *y)
{
	const struct ht_heap_root *a = x, *b = y;

	return (a->address > b->address) - (a->address < b->address);
}

static bool has_heap(const struct ht_arena_root *a, uint64_t address)
{
	for (size_t i = 0; i < a->heaps; i++)
		if (a->heap[i].address == address)
			return true;
	return false;
}

/* false: no memory. */
static bool keep(struct chain *c, uint64_t at, const struct heap_info *h)
{
	if (size_may_be(c, h))
		return add_heap(c->a, at, h->size);
	c->sizeless = at;
	return add_heap(c->a, at, 0);
}

/* --- one after the other ------------------------------------------------- */

/* *ret_next: 0 where the chain ends or leads nowhere. false: no memory. */
static bool take_heap(struct chain *c, uint64_t at, uint64_t *ret_next)
{
	const char *wrong = "it cannot be read";
	struct heap_info h = {0};
	bool readable;

	*ret_next = 0;
	c->in->reader->swapped = false;
	readable = read_heap(c, at, &h);
	if (readable)
		wrong = heap_wrong(c, &h);
	if (wrong && c->in->reader->swapped) {
		c->a->cut = true;
		c->roots->swapped++;
		return true;
	}
	if (!wrong && has_heap(c->a, at)) {
		wrong = "it was in the chain before";
		readable = false;
	}
	if (wrong) {
		c->broken = true;
		ht_walk_find(&c->roots->notes, "heap_chain", at, c->a->index,
			     "heap 0x%" PRIx64 ": %s", at, wrong);
		if (!readable || !is_heap_still(c, &h))
			return true;
	}
	if (!keep(c, at, &h))
		return false;
	*ret_next = h.prev % c->heap_max ? 0 : h.prev;
	return true;
}

static bool follow(struct chain *c)
{
	uint64_t at = c->a->top & ~(c->heap_max - 1);

	while (at != 0 && c->a->heaps < HT_HEAPS_MAX)
		if (!take_heap(c, at, &at))
			return false;
	return true;
}

/* --- where the chain is broken ------------------------------------------- */

/* A heap of this arena begins at `at`, as its header says. */
static bool find_heap(struct chain *c, uint64_t at)
{
	struct heap_info h = {0};

	if (has_heap(c->a, at) || !read_heap(c, at, &h) || heap_wrong(c, &h))
		return true;
	return keep(c, at, &h);
}

/* Asks every place where one may begin. */
static bool find_lost(struct chain *c)
{
	const uint32_t both = HT_VMA_READ | HT_VMA_WRITE;
	const struct ht_maps *m = c->in->maps;
	unsigned left = HT_HEAPS_MAX;

	for (size_t i = 0; m && i < m->n; i++) {
		const struct ht_vma *v = &m->v[i];
		uint64_t at = (v->start + c->heap_max - 1) & ~(c->heap_max - 1);

		if ((v->flags & (both | HT_VMA_SHARED)) != both)
			continue;
		for (; at >= v->start && at < v->end && left > 0;
		     at += c->heap_max, left--)
			if (!find_heap(c, at))
				return false;
	}
	return true;
}

static uint64_t sum_of(const struct ht_arena_root *a)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < a->heaps; i++)
		sum += a->heap[i].size;
	return sum;
}

/* The heap whose last page nobody may write to; malloc has taken it all. */
static void find_oversized(struct chain *c)
{
	for (size_t i = 0; i < c->a->heaps && !c->sizeless; i++) {
		const struct ht_heap_root *h = &c->a->heap[i];
		const struct ht_vma *v =
			ht_maps_at(c->in->maps, h->address + h->size - 1);

		if (v && v->flags & HT_VMA_WRITE)
			continue;
		c->sizeless = h->address;
		ht_walk_find(&c->roots->notes, "heap_chain", h->address,
			     c->a->index,
			     "heap 0x%" PRIx64
			     ": its size is more than there is of it",
			     h->address);
	}
}

/* What system_mem leaves for it, as far as there is memory. */
static void resize(struct chain *c)
{
	for (size_t i = 0; i < c->a->heaps; i++) {
		struct ht_heap_root *h = &c->a->heap[i];
		uint64_t there, left;

		if (h->address != c->sizeless)
			continue;
		h->size = 0;
		there = ht_maps_writable_end(c->in->maps, h->address) -
			h->address;
		left = c->a->system - sum_of(c->a);
		if (there > c->heap_max)
			there = c->heap_max;
		h->size = left <= there ? left : there;
	}
}

enum ht_code ht_heaps_read(const struct ht_walk_in *in, struct ht_roots *roots,
			   struct ht_arena_root *a, struct ht_err *err)
{
	const struct ht_space *space = &roots->space[a->space];
	struct chain c = {.in = in,
			  .roots = roots,
			  .a = a,
			  .layout = &space->malloc->layout,
			  .heap_max = ht_heap_max(space)};
	bool ok;

	a->heaps = 0;
	a->cut = false;
	ok = follow(&c);
	if (ok && c.broken)
		ok = find_lost(&c);
	if (!ok)
		return ht_fail(err, HT_NOMEM, "no memory for heaps");
	/* What was read while the target ran is younger than its mappings. */
	if (sum_of(a) != a->system && in->maps && !a->cut && ht_walk_rested(in))
		find_oversized(&c);
	if (c.sizeless && in->maps)
		resize(&c);
	if (a->heaps)
		qsort(a->heap, a->heaps, sizeof(*a->heap), by_address);
	return HT_OK;
}
