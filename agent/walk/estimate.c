/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/estimate.h"

#include <math.h>

#include "agent/libc/chunk.h"
#include "agent/walk/round.h"

/* --- how much ------------------------------------------------------------ */

/* Where the arena lies in the order in which rounds go through the heap. */
static void find_stretch(const struct ht_arena_walk *aw, uint64_t *from,
			 uint64_t *to)
{
	const struct ht_roots *roots = aw->in.walk->roots;
	size_t i = 0;

	*from = 0;
	for (; &roots->arena[i] != aw->in.root; i++)
		*from += roots->arena[i].system;
	*to = i + 1 < roots->arenas ? *from + roots->arena[i].system
				    : UINT64_MAX;
}

static struct ht_class_count both(struct ht_class_count a,
				  struct ht_class_count b)
{
	return (struct ht_class_count){.chunks = a.chunks + b.chunks,
				       .bytes = a.bytes + b.bytes};
}

/* By this round as far as it has come, then by what was known before. */
static struct ht_class_count by_slices(const struct ht_round *r, unsigned i,
				       uint64_t from, uint64_t to)
{
	uint64_t middle = r->done < from ? from : r->done > to ? to : r->done;

	return both(ht_curve_between(&r->now, i, from, middle),
		    ht_curve_between(&r->before, i, middle, to));
}

/* A walk files every free chunk under its size: those in the unsorted bin are
 * taken off again. */
static void count_unsorted(const struct ht_arena_walk *aw,
			   const struct ht_lists *found,
			   struct ht_class_count unsorted[HT_BINS + 1])
{
	for (size_t k = 0; k < found->n; k++) {
		const struct ht_listed_chunk *c = &found->v[k];
		uint64_t size = (uint64_t)c->units * aw->in.layout->align;
		struct ht_class_count *u =
			&unsorted[ht_bin_index(aw->in.layout, size)];

		if (c->list != 1)
			continue;
		u->chunks++;
		u->bytes += size;
	}
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void raise(struct ht_list_count *to, uint64_t chunks, uint64_t bytes)
{
	if (to->chunks < chunks)
		to->chunks = chunks;
	if (to->bytes < bytes)
		to->bytes = bytes;
}

bool ht_estimate_bins(struct ht_arena_walk *aw, const struct ht_lists *found)
{
	const struct ht_round *r = aw->in.walk->in->round;
	struct ht_class_count unsorted[HT_BINS + 1] = {0}, all = {0};
	struct ht_list_count *bin = aw->listed.bin, rest = {0};
	uint64_t from, to;

	if (!r || (r->before.n == 0 && !r->ended) || found->cut_fast)
		return false;
	find_stretch(aw, &from, &to);
	count_unsorted(aw, found, unsorted);
	for (unsigned i = 1; i <= HT_BINS; i++)
		aw->followed += bin[i].bytes;
	for (unsigned i = 2; i <= HT_BINS; i++) {
		struct ht_class_count c = by_slices(r, i, from, to);

		all = both(all, c);
		if (found->cut_bin[i])
			raise(&bin[i], less(c.chunks, unsorted[i].chunks),
			      less(c.bytes, unsorted[i].bytes));
		rest.chunks += bin[i].chunks;
		rest.bytes += bin[i].bytes;
	}
	if (found->cut_bin[1])
		raise(&bin[1], less(all.chunks, rest.chunks),
		      less(all.bytes, rest.bytes));
	aw->whole = rest.bytes + bin[1].bytes;
	return true;
}

/* --- how much of it is resident ------------------------------------------ */

static uint64_t share_of(uint64_t bytes, const struct ht_arena_walk *aw)
{
	return (uint64_t)((double)bytes * (double)(aw->whole - aw->followed) /
			  (double)aw->followed);
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t top_resident(const struct ht_extent *x)
{
	return x->top_segment < x->segments && x->top
		       ? ht_pages_resident(&x->pages[x->top_segment], x->top,
					   x->top_end)
		       : 0;
}

void ht_estimate_resident(struct ht_arena_walk *aw)
{
	struct ht_walk *w = aw->in.walk;
	struct ht_swept *s = &aw->swept;
	uint64_t *kept = w->kept.by;
	uint64_t resident, sub_page, idle;

	w->estimated_bytes += aw->whole - aw->followed;
	if (s->retained == HT_UNKNOWN || aw->followed == 0)
		return;
	resident = share_of(s->pinned, aw);
	if (!w->sparse) /* else it was not counted */
		resident = least_of(resident, kept[HT_CAUSE_HEAP_IN_USE]);
	sub_page =
		least_of(share_of(s->kept.by[HT_CAUSE_SUB_PAGE], aw), resident);
	idle = share_of(less(s->resident_free, top_resident(&aw->extent)), aw);
	s->pinned += resident;
	s->retained += resident;
	s->trimmable += resident - sub_page;
	s->resident_free += least_of(idle, resident);
	kept[HT_CAUSE_SUB_PAGE] += sub_page;
	kept[HT_CAUSE_TRIMMABLE] += resident - sub_page;
	kept[HT_CAUSE_HEAP_IN_USE] = less(kept[HT_CAUSE_HEAP_IN_USE], resident);
	w->private_unknown = true;
	w->estimated_resident += resident;
}

/* --- how sure ------------------------------------------------------------ */

double ht_estimate_off(const struct ht_walk *w)
{
	const struct ht_round *r = w->in->round;

	return r && r->compared ? r->drift * (double)w->estimated_bytes : NAN;
}

uint64_t ht_estimate_uncertain(const struct ht_walk *w)
{
	double off = ht_estimate_off(w);

	return isnan(off) || off > (double)w->estimated_bytes
		       ? w->estimated_bytes
		       : (uint64_t)off;
}
