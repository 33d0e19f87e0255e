/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refill: free memory of the heap that becomes resident again although nobody
 * touches it. A program brings in one page with each fault that the kernel
 * counts; khugepaged puts a whole huge page where a part of one was, and counts
 * none. What malloc_trim(0) returns does not last then.
 */
#ifndef HT_ANALYSIS_REFILL_H
#define HT_ANALYSIS_REFILL_H

#include "analysis/window.h"

struct ht_refill {
	double bytes;  /* that came without a fault, in the whole window */
	double faults; /* minor faults of the process in the same moments */
};

void ht_refill(const struct ht_window *w, struct ht_refill *ret);

#endif
