/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/walk/ranges.h"

bool ht_ranges_add(struct ht_ranges *r, uint64_t start, uint64_t end)
{
	if (start >= end)
		return true;
	if (r->n == r->capacity) {
		size_t to = r->capacity * 2 + 16;
		void *grown = reallocarray(r->v, to, sizeof(*r->v));

		if (!grown)
			return false;
		r->v = grown;
		r->capacity = to;
	}
	r->v[r->n++] = (struct ht_range){start, end};
	return true;
}

static int by_start(const void *x, const void *y)
{
	const struct ht_range *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

void ht_ranges_sort(struct ht_ranges *r)
{
	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), by_start);
}

const struct ht_range *ht_ranges_from(const struct ht_ranges *r, uint64_t addr)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->v[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->n ? &r->v[low] : NULL;
}

void ht_ranges_fini(struct ht_ranges *r)
{
	free(r->v);
	*r = (struct ht_ranges){0};
}
