/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grown: what arenas have taken since they were walked. While the target runs,
 * memory that malloc got meanwhile is malloc's and nobody else's, though nobody
 * knows what is in it: its pages count as in use, its bytes as uncertain.
 */
#include "agent/libc/chunk.h"
#include "agent/walk/census.h"
#include "agent/walk/heaps.h"

static const struct ht_arena_root *same_arena(const struct ht_roots *roots,
					      uint64_t address)
{
	for (size_t i = 0; i < roots->arenas; i++)
		if (roots->arena[i].address == address)
			return &roots->arena[i];
	return NULL;
}

/* The part of [start, end) that was not walked. */
static bool add_unwalked(struct ht_walk *w, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct ht_range *r = ht_ranges_from(&w->arenas, start);
		uint64_t stop = r && r->start < end ? r->start : end;

		if (start < stop && !ht_ranges_add(&w->grown, start, stop))
			return false;
		start = r && r->end > stop ? r->end : stop;
		if (stop == end)
			break;
	}
	return true;
}

/* Where a main arena's top ends now; where it begins if that cannot be read. */
static uint64_t top_end(const struct ht_walk *w,
			const struct ht_arena_root *now,
			const struct ht_layout *l)
{
	uint64_t head, end = now->top;

	if (ht_reader_word(w->in->reader, now->top + l->word, &head, NULL) ==
	    HT_OK)
		end += head & ~HT_SIZE_FLAGS;
	return end > now->top ? end : now->top;
}

/* In brk: from the last that was walked below the end of its top up to there,
 * or to where its mapping ended when mappings were read: it may have grown
 * since. */
static bool add_brk(struct ht_walk *w, const struct ht_arena_root *now)
{
	const struct ht_layout *l = &w->roots->space[now->space].malloc->layout;
	const struct ht_vma *v;
	uint64_t start = 0, end;

	if (ht_arena_untouched(now, l))
		return true;
	end = top_end(w, now, l);
	for (size_t i = 0; i < w->arenas.n; i++)
		if (w->arenas.v[i].end <= end && w->arenas.v[i].end > start)
			start = w->arenas.v[i].end;
	v = start ? ht_maps_at(w->in->maps, start - 1) : NULL;
	if (!v)
		return true;
	return add_unwalked(w, start, end < v->end ? end : v->end);
}

/* Whether a main arena takes mappings, since brk could not be moved. Its top
 * may lie in one that is younger than what is known of mappings. */
static bool left_brk(const struct ht_walk *w, const struct ht_arena_root *now)
{
	const struct ht_vma *v = ht_maps_at(w->in->maps, now->top);

	return !ht_arena_contiguous(now) &&
	       (!v || ht_census_worth_searching(w->in->maps, v));
}

static bool add_heaps(struct ht_walk *w, const struct ht_arena_root *now)
{
	for (size_t i = 0; i < now->heaps; i++)
		if (!add_unwalked(w, now->heap[i].address,
				  now->heap[i].address + now->heap[i].size))
			return false;
	return true;
}

static uint64_t sum_of(const struct ht_ranges *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n; i++)
		sum += r->v[i].end - r->v[i].start;
	return sum;
}

/* What an arena that left brk has more than the census found for its walk. */
static enum ht_code add_segments(struct ht_walk *w,
				 const struct ht_arena_root *now,
				 struct ht_err *err)
{
	uint64_t walked = sum_of(&w->census.segments[now->space]);

	if (now->system <= walked)
		return HT_OK;
	return ht_census_grown(w, now, now->system - walked, &w->grown, err);
}

enum ht_code ht_grown_find(struct ht_walk *w, struct ht_err *err)
{
	struct ht_roots *now = NULL;
	enum ht_code code = ht_roots_read_arenas(w->in, &now, err);
	bool ok = true;

	if (code != HT_OK)
		return code == HT_FAULT ? HT_OK : code; /* some moved away */
	ht_ranges_sort(&w->arenas);
	w->grown_bytes = 0;
	w->grown.n = 0;
	for (size_t i = 0; ok && code == HT_OK && i < now->arenas; i++) {
		const struct ht_arena_root *a = &now->arena[i];
		const struct ht_arena_root *then =
			same_arena(w->roots, a->address);
		uint64_t before = then ? then->system : 0;

		w->grown_bytes += ht_apart(a->system, before);
		if (a->main && left_brk(w, a))
			code = add_segments(w, a, err);
		else if (a->system > before)
			ok = a->main ? add_brk(w, a) : add_heaps(w, a);
	}
	ht_ranges_sort(&w->grown);
	ht_roots_fini(now);
	if (!ok)
		return ht_fail(err, HT_NOMEM, "no memory for ranges");
	return code;
}
