/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/sound.h"

bool ht_extent_sound(const struct ht_extent *x)
{
	for (size_t i = 0; i < x->segments; i++) {
		const struct ht_segment *s = &x->segment[i];

		if (s->start > s->first || s->first > s->end)
			return false;
		if (i > 0 && s->start < s[-1].end)
			return false;
	}
	if (x->top == 0 || x->top_segment == SIZE_MAX)
		return true;
	return x->top_segment < x->segments && x->top < x->top_end &&
	       x->top >= x->segment[x->top_segment].first &&
	       x->top_end <= x->segment[x->top_segment].end;
}

static bool index_sound(const struct ht_record_index *x, uint64_t units)
{
	for (size_t g = 0; g < x->granules; g++) {
		size_t from = x->first[g];
		size_t to = g + 1 < x->granules ? x->first[g + 1] : x->n;

		if (from > to || to > x->n)
			return false;
		for (size_t i = from; i + 1 < to; i++)
			if (x->v[i].slot >= x->v[i + 1].slot)
				return false;
	}
	return x->n == 0 || (x->granules > 0 && x->first[0] == 0 &&
			     x->granules <= (units >> HT_GRANULE_SHIFT) + 1);
}

bool ht_links_sound(const struct ht_links *l)
{
	for (size_t i = 1; i < l->segments; i++)
		if (l->segment[i].base < l->segment[i - 1].base)
			return false;
	for (size_t i = 0; i < l->free.n; i++)
		if (l->more[i].units == 0)
			return false;
	for (size_t i = 0; i < l->fast.n; i++)
		if (!(l->fast.v[i].mark & HT_FAST_CANDIDATE) &&
		    l->fast.v[i].mark >= l->layout->fastbins)
			return false;
	return index_sound(&l->free, l->units_all) &&
	       index_sound(&l->fast, l->units_all);
}

bool ht_cached_sound(const struct ht_roots *r)
{
	for (size_t i = 1; i < r->cached_n; i++)
		if (r->cached[i].chunk <= r->cached[i - 1].chunk)
			return false;
	return r->cached_n <= HT_CACHED_MAX;
}
