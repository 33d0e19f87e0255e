/* SPDX-License-Identifier: Apache-2.0 */
/* Fragmentation: the ratios of one snapshot that follow from its figures. */
#ifndef HT_ANALYSIS_FRAGMENTATION_H
#define HT_ANALYSIS_FRAGMENTATION_H

#include "schema/snapshot.h"

/* Fills the ratios of s->fragmentation that are not known yet:
 * external	    1 - largest free run / all free runs
 * retained_ratio   retained / resident heap
 * stuck_ratio	    retained in pages that hold bytes in use (cause sub_page)
 *		    / retained: neither trimmable, nor cached, nor a kept top
 * page_utilisation in use / resident pages that hold any
 * peak_overhead    max_system / in use - 1 (in use now: the peak is not known)
 * unusable_*	    Gorman and Whitcroft: the share of free runs too small for a
 *		    request of the median and 95th percentile chunk in use
 * Whatever a ratio needs and is unknown leaves it NaN. */
void ht_fragmentation(struct ht_snapshot *s);

/* Size (largest of its class) that `share` of all chunks in use do not exceed;
 * HT_UNKNOWN without size classes. */
uint64_t ht_chunk_quantile(const struct ht_snapshot *s, double share);

/* Share of the free runs' bytes that lie in runs smaller than `request`. */
double ht_unusable(const struct ht_snapshot *s, uint64_t request);

#endif
