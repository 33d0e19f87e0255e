/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/refill.h"

#include <math.h>

#include "analysis/stats.h"

/* What one step brought: what the heap gained, less what the program took into
 * use, what it faulted in, and what came back from swap. */
static double without_faults(double heap, double in_use, double faults,
			     double swapped)
{
	double came = heap - fmax(0, in_use) - HT_PAGE * fmax(0, faults);

	return isnan(swapped) ? came : came - fmax(0, -swapped);
}

void ht_refill(const struct ht_window *w, struct ht_refill *ret)
{
	double heap[HT_POINTS_MAX], in_use[HT_POINTS_MAX];
	double faults[HT_POINTS_MAX], swap[HT_POINTS_MAX];

	*ret = (struct ht_refill){0};
	ht_window_column(w, HT_NEED_heap_resident, HT_STAT_MEDIAN, heap);
	ht_window_column(w, HT_NEED_in_use_arena, HT_STAT_MEDIAN, in_use);
	ht_window_column(w, HT_NEED_minflt, HT_STAT_MEDIAN, faults);
	ht_window_column(w, HT_NEED_swap, HT_STAT_MEDIAN, swap);
	for (size_t i = 1; i < w->n; i++) {
		double more = faults[i] - faults[i - 1];
		double came = without_faults(heap[i] - heap[i - 1],
					     in_use[i] - in_use[i - 1], more,
					     swap[i] - swap[i - 1]);

		/* also where something is not known: no process has 0 faults */
		if (!(came > 0 && faults[i - 1] > 0))
			continue;
		ret->bytes += came;
		ret->faults += fmax(0, more);
	}
}
