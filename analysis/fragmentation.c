/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/fragmentation.h"

#include <math.h>

#include "analysis/stats.h"

static double known(uint64_t v)
{
	return v == HT_UNKNOWN ? NAN : (double)v;
}

/* a / b; NaN when unknown or when there is nothing to take a share of. */
static double ratio(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

static void fill(double *slot, double value)
{
	if (isnan(*slot))
		*slot = value;
}

/* --- unusable free space ------------------------------------------------- */

struct holes {
	uint64_t from, to; /* sizes of the runs, to excluded */
	double bytes;
};

/* In-use counts per class come in no promised order: walk by rising size. */
static const struct ht_size_class *next_class(const struct ht_snapshot *s,
					      uint64_t above)
{
	const struct ht_size_class *best = NULL;

	for (size_t i = 0; i < s->size_classes.n; i++) {
		const struct ht_size_class *c = &s->size_classes.v[i];

		if (c->max_size > above &&
		    (!best || c->max_size < best->max_size))
			best = c;
	}
	return best;
}

uint64_t ht_chunk_quantile(const struct ht_snapshot *s, double share)
{
	const struct ht_size_class *c;
	double all = 0, seen = 0;

	for (c = next_class(s, 0); c; c = next_class(s, c->max_size))
		all += c->in_use_chunks == HT_UNKNOWN
			       ? 0
			       : (double)c->in_use_chunks;
	if (all <= 0)
		return HT_UNKNOWN;
	for (c = next_class(s, 0); c; c = next_class(s, c->max_size)) {
		if (c->in_use_chunks != HT_UNKNOWN)
			seen += (double)c->in_use_chunks;
		if (seen >= share * all)
			return c->max_size;
	}
	return HT_UNKNOWN;
}

/* Inside the group of runs that `request` falls into, the free chunks' size
 * classes tell how much of it is large enough: free chunks are merged, so a
 * chunk is a run but for tcache and fastbin ones. */
static double large_enough(const struct ht_snapshot *s, const struct holes *h,
			   uint64_t request)
{
	double all = 0, fit = 0;

	for (size_t i = 0; i < s->size_classes.n; i++) {
		const struct ht_size_class *c = &s->size_classes.v[i];

		if (c->max_size < h->from || c->max_size >= h->to ||
		    c->free_bytes == HT_UNKNOWN)
			continue;
		all += (double)c->free_bytes;
		fit += c->max_size >= request ? (double)c->free_bytes : 0;
	}
	if (h->bytes <= 0)
		return 0;
	return h->bytes * ratio(fit, all);
}

double ht_unusable(const struct ht_snapshot *s, uint64_t request)
{
	const struct ht_fragmentation *f = &s->fragmentation;
	const struct holes groups[] = {
		{0, 4096, known(f->holes_lt_4k)},
		{4096, 65536, known(f->holes_4k_64k)},
		{65536, 1048576, known(f->holes_64k_1m)},
		{1048576, UINT64_MAX, known(f->holes_ge_1m)},
	};
	double usable = 0;

	if (request == HT_UNKNOWN || f->free_runs == HT_UNKNOWN)
		return NAN;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		const struct holes *h = &groups[i];

		if (h->from >= request)
			usable += h->bytes;
		else if (h->to > request)
			usable += large_enough(s, h, request);
	}
	usable = 1 - ratio(usable, known(f->free_runs));
	return usable < 0 ? 0 : usable; /* NaN stays NaN */
}

void ht_fragmentation(struct ht_snapshot *s)
{
	struct ht_fragmentation *f = &s->fragmentation;
	const struct ht_totals *t = &s->totals;

	fill(&f->external,
	     1 - ratio(known(f->largest_free), known(f->free_runs)));
	fill(&f->retained_ratio,
	     ratio(known(t->retained), known(t->heap_resident)));
	fill(&f->stuck_ratio,
	     ratio(known(ht_snapshot_cause(s, HT_CAUSE_SUB_PAGE)),
		   known(t->retained)));
	fill(&f->page_utilisation,
	     ratio(known(t->in_use), known(t->used_pages_resident)));
	fill(&f->peak_overhead,
	     ratio(known(t->max_system), known(t->in_use)) - 1);
	fill(&f->unusable_median,
	     ht_unusable(s, ht_chunk_quantile(s, HT_MEDIAN)));
	fill(&f->unusable_p95, ht_unusable(s, ht_chunk_quantile(s, HT_P95)));
}
