/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fastbins: free chunks of up to 128 bytes that free() leaves unmerged. What
 * merges them is malloc_consolidate(): in malloc_trim(), in a request of 1 KiB
 * or more, in a free() that makes a chunk of 64 KiB. Of a thread arena all of
 * that may join the top, which malloc_trim() does not shrink. glibc 2.43 has
 * none.
 */
#include "analysis/advice_int.h"

#include <math.h>

#include "analysis/stats.h"
#include "analysis/thresholds.h"

bool ht_in_fastbins(const struct ht_advised *a)
{
	return ht_most_of_retained(a, a->fastbin);
}

void ht_state_fastbins(struct ht_advised *a)
{
	ht_advise_of(
		a, "fastbins", a->fastbin,
		"%s of the %s that are free lie in fastbins: chunks of up to 128 bytes that free() does not merge; malloc_trim(), a request of 1 KiB or more or a free() of 64 KiB in their arena does",
		HT_SIZE_OF(a->fastbin), HT_SIZE_OF(a->retained));
}

/* What an arena keeps beside what lies below its top and in thread caches is
 * its top and what would join it: free() would shrink that to pad and two
 * pages, once it reaches the trim threshold. */
static double joins(const struct ht_params *p, const struct ht_arena *r)
{
	double pad = ht_advised_known(p->top_pad);
	double threshold = ht_advised_known(p->trim_threshold);
	double all = ht_advised_known(r->retained) -
		     ht_advised_known(r->pinned) - ht_advised_known(r->tcache);
	double more = all - ht_advised_known(r->top);

	return all >= threshold ? fmax(0, more - pad - 2 * HT_PAGE) : 0;
}

void ht_advise_mxfast(struct ht_advised *a)
{
	double low = 0;
	struct ht_advice *row;

	if (!ht_in_fastbins(a))
		return;
	for (size_t i = 0; i < a->s->arenas.n; i++)
		low += joins(&a->s->params, &a->s->arenas.v[i]);
	low = fmin(ht_t.pin_alone * low, a->fastbin);
	row = ht_advise_of(
		a, "mxfast", a->fastbin,
		"without fastbins each free() merges its chunk, and shrinks the top that it joins; between chunks in use it leaves holes all the same");
	if (!row)
		return;
	row->at_least = (uint64_t)low;
	snprintf(
		row->how, sizeof(row->how),
		"GLIBC_TUNABLES=glibc.malloc.mxfast=0 (glibc 2.31 on), or mallopt(M_MXFAST, 0) first in main()");
	snprintf(
		row->cost, sizeof(row->cost),
		"small blocks beyond the thread's cache are merged and cut each time");
}
