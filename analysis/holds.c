/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/holds.h"

#include <math.h>

double ht_pinned_in_threads(const struct ht_snapshot *s)
{
	double most = 0;

	for (size_t i = 0; s && i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		if (a->kind == HT_ARENA_THREAD && a->pin_holds != HT_UNKNOWN)
			most = fmax(most, (double)a->pin_holds);
	}
	return most;
}

const char *ht_no_huge_pages(const struct ht_snapshot *s)
{
	uint64_t asked = s ? s->params.thp_pagesize : HT_UNKNOWN;

	if (asked == HT_UNKNOWN)
		return "prctl(PR_SET_THP_DISABLE), or glibc.malloc.hugetlb=0 where it is set";
	return asked ? "glibc.malloc.hugetlb=0 in place of 1, or prctl(PR_SET_THP_DISABLE)"
		     : "no madvise(MADV_HUGEPAGE), transparent_hugepage=madvise where it is always, or prctl(PR_SET_THP_DISABLE)";
}
