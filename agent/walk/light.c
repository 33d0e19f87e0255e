/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/light.h"

#include <inttypes.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/walk/estimate.h"
#include "agent/walk/lists.h"
#include "agent/walk/round.h"

/* --- overhead ------------------------------------------------------------ */

static void overhead(struct ht_arena_walk *aw, uint64_t start, uint64_t end)
{
	if (start < end && ht_ranges_add(&aw->met.overhead, start, end))
		aw->figures.overhead += end - start;
}

static bool word_at(const struct ht_arena_walk *aw, uint64_t at, uint64_t *ret)
{
	return ht_reader_word(aw->in.walk->in->reader, at, ret, NULL) == HT_OK;
}

/* Where the fenceposts begin with which malloc left a heap that is not the
 * newest: two posts, or one behind a chunk too small for a first one, of which
 * its footer tells (glibc: sysmalloc). */
static uint64_t heap_fence(const struct ht_arena_walk *aw, uint64_t end)
{
	const struct ht_layout *l = aw->in.layout;
	const uint64_t header = ht_chunk_header(l), bias = ht_chunk_bias(l);
	uint64_t post = end - ht_chunk_min(l), size, foot, head;

	post -= (post - bias) % l->align;
	post += header; /* the second */
	if (!word_at(aw, post + l->word, &size) || size & ~HT_SIZE_FLAGS ||
	    !word_at(aw, post, &foot) || foot < header ||
	    foot > 2 * (uint64_t)ht_chunk_min(l) ||
	    !word_at(aw, post - foot + l->word, &head) ||
	    (head & ~HT_PREV_INUSE) != foot)
		return end;
	return post - foot;
}

/* The same of a part of a main arena: two posts of a header each. */
static uint64_t main_fence(const struct ht_arena_walk *aw, uint64_t first,
			   uint64_t end)
{
	const struct ht_layout *l = aw->in.layout;
	const uint64_t header = ht_chunk_header(l);
	uint64_t at = end - 2 * header, least, fence_end;

	least = end - first > 4 * header + 2 * l->align
			? end - 4 * header - 2 * l->align
			: first;
	at -= (at - ht_chunk_bias(l)) % l->align;
	for (; at >= least && at < end; at -= l->align)
		if (ht_segment_fence(aw->in.walk->in->reader, l, true, at, end,
				     &fence_end))
			return at;
	return end;
}

static void find_overhead(struct ht_arena_walk *aw)
{
	const struct ht_extent *x = &aw->extent;

	for (size_t i = 0; i < x->segments; i++) {
		const struct ht_segment *s = &x->segment[i];

		overhead(aw, s->start, s->first);
		if (i == x->top_segment)
			continue;
		overhead(aw,
			 aw->in.root->main ? main_fence(aw, s->first, s->end)
					   : heap_fence(aw, s->end),
			 s->end);
	}
}

/* --- records ------------------------------------------------------------- */

static uint32_t position_of(const struct ht_links *l, uint64_t chunk)
{
	return ht_links_encode(l, chunk) - 1;
}

static void add_fast(struct ht_links *l, uint32_t position, unsigned index)
{
	const struct ht_fast_candidate c = {position, HT_LINK_END, index};

	ht_links_add_fast(l, &c, 1);
	if (!l->full) /* no candidate: a list led to it */
		l->fast.v[l->fast.n - 1].mark = (uint8_t)index;
}

/* One chunk may stand twice where lists changed while they were followed. */
static void add_records(struct ht_arena_walk *aw, const struct ht_lists *found)
{
	struct ht_links *l = &aw->met.links;
	uint64_t end = 0;

	for (size_t i = 0; i < found->n && !l->full; i++) {
		const struct ht_listed_chunk *c = &found->v[i];
		uint64_t size = (uint64_t)c->units * aw->in.layout->align;

		if (c->at < end)
			continue;
		end = c->at + size;
		if (c->list >= HT_LISTED_FAST)
			add_fast(l, position_of(l, c->at),
				 c->list - HT_LISTED_FAST);
		else
			ht_links_add_free(l, position_of(l, c->at), c->units,
					  HT_LINK_END, HT_LINK_END);
	}
}

/* --- pages --------------------------------------------------------------- */

#define NEAR (UINT64_C(256) << 10) /* asked for with one call */

static enum ht_code get_pages(struct ht_arena_walk *aw, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; code == HT_OK && i < aw->extent.segments; i++) {
		const struct ht_segment *s = &aw->extent.segment[i];
		struct ht_pages *pages = &aw->extent.pages[i];

		code = aw->in.walk->sparse
			       ? ht_pages_blank(aw->in.walk->in->pages,
						s->start, s->end, pages, err)
			       : ht_pages_get(aw->in.walk->in->pages, s->start,
					      s->end, pages, err);
	}
	return code;
}

/* Free memory in ascending order, what lies close together at a time. */
struct learning {
	struct ht_arena_walk *aw;
	size_t segment;
	uint64_t start, end; /* equal: nothing */
};

static void learn(const struct learning *l)
{
	if (l->start < l->end)
		ht_pages_learn(l->aw->in.walk->in->pages,
			       &l->aw->extent.pages[l->segment], l->start,
			       l->end);
}

static void add_free(struct learning *l, uint64_t start, uint64_t end)
{
	const struct ht_extent *x = &l->aw->extent;

	if (start > l->end + NEAR || start >= x->segment[l->segment].end) {
		learn(l);
		while (l->segment + 1 < x->segments &&
		       start >= x->segment[l->segment].end)
			l->segment++;
		l->start = start;
	}
	l->end = end;
}

/* What is free, and nothing else: its cost must not follow the heap's. */
static void learn_free(struct ht_arena_walk *aw, const struct ht_lists *found)
{
	const struct ht_extent *x = &aw->extent;
	const struct ht_roots *roots = aw->in.walk->roots;
	struct learning l = {.aw = aw}, cached = {.aw = aw};

	for (size_t i = 0; i < found->n; i++)
		add_free(&l, found->v[i].at,
			 found->v[i].at + (uint64_t)found->v[i].units *
						  aw->in.layout->align);
	learn(&l);
	for (size_t i = 0; i < x->segments; i++) {
		size_t to = ht_cached_from(roots, x->segment[i].end);

		for (size_t k = ht_cached_from(roots, x->segment[i].first);
		     k < to; k++)
			add_free(&cached, roots->cached[k].chunk,
				 roots->cached[k].chunk +
					 roots->cached[k].size);
	}
	learn(&cached);
	if (x->top_segment < x->segments && x->top)
		ht_pages_learn(aw->in.walk->in->pages,
			       &aw->extent.pages[x->top_segment], x->top,
			       x->top_end);
}

/* --- all of it ----------------------------------------------------------- */

#define CHUNKS_LEAST 64 /* of each arena */

/* Each arena has its share of the chunks that a look goes to. */
static size_t share_of_max(const struct ht_arena_walk *aw)
{
	const struct ht_walk *w = aw->in.walk;
	double share =
		w->total ? (double)aw->in.root->system / (double)w->total : 1;

	return (size_t)((double)ht_light_chunks_max(w->in) *
			(share < 1 ? share : 1)) +
	       CHUNKS_LEAST;
}

/* What was not followed to its end is estimated, or not known. */
static void complete(struct ht_arena_walk *aw, const struct ht_lists *found)
{
	if (!found->cut && !found->cut_fast)
		return;
	aw->estimated = ht_estimate_bins(aw, found);
	aw->cut = !aw->estimated;
	aw->in.walk->estimated |= aw->estimated;
	aw->in.walk->lists_cut |= aw->cut;
}

enum ht_code ht_light_arena(struct ht_arena_walk *aw, struct ht_err *err)
{
	struct ht_walk *w = aw->in.walk;
	struct ht_lists found = {0};
	enum ht_code code = get_pages(aw, err);

	if (code == HT_OK)
		code = ht_lists_follow(&aw->in, &aw->extent, share_of_max(aw),
				       &aw->listed, &found, err);
	if (code == HT_OK) {
		find_overhead(aw);
		add_records(aw, &found);
		if (w->sparse)
			learn_free(aw, &found);
		w->lists_astray += found.astray;
		w->unread |= found.swapped;
		code = ht_round_slice(aw, &found, err);
		complete(aw, &found);
	}
	ht_lists_fini(&found);
	return code;
}

/* Of lists that were not followed to their ends nothing is known for sure. */
static void forget_free(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;
	struct ht_swept *s = &aw->swept;

	a->unsorted = a->small = a->large = a->fastbin = a->free = HT_UNKNOWN;
	a->in_use = HT_UNKNOWN;
	s->retained = s->resident_free = s->trimmable = s->pinned = HT_UNKNOWN;
}

void ht_light_settle(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;
	const uint64_t system = aw->in.root->system;
	uint64_t rest = a->free + a->overhead, lies = 0;

	for (size_t i = 0; i < aw->extent.segments; i++)
		lies += aw->extent.segment[i].end - aw->extent.segment[i].start;
	/* Of heaps that are lost nobody knows. */
	if (!aw->in.root->main && lies < system)
		a->in_use = rest < lies ? lies - rest : 0;
	else
		a->in_use = rest < system ? system - rest : 0;
	a->in_use_chunks = HT_UNKNOWN;
	a->uncertain_bytes += ht_apart(lies, system);
	if (lies != system && !aw->in.root->main && !aw->in.root->cut)
		ht_walk_find(aw->in.walk->out, "arena_sum",
			     aw->in.root->address, aw->in.root->index,
			     "its heaps add up to %" PRIu64
			     ", system_mem is %" PRIu64,
			     lies, system);
	if (aw->in.walk->sparse)
		aw->swept.resident = HT_UNKNOWN;
	if (aw->estimated)
		ht_estimate_resident(aw);
	if (aw->cut || aw->met.links.full)
		forget_free(aw);
}
