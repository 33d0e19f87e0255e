/* SPDX-License-Identifier: Apache-2.0 */
/* Needs: the metrics that a verdict reads of a series. They are read by these
 * names alone, so that whoever loads a series for a verdict, and asks only for
 * what ht_verdict_needs() names, gets the verdict of the whole series. */
#ifndef HT_ANALYSIS_NEEDS_H
#define HT_ANALYSIS_NEEDS_H

#include "schema/series.h"

/* clang-format off */
#define HT_NEEDS(X)             \
	X(in_use)               \
	X(in_use_arena)         \
	X(mmapped_resident)     \
	X(retained)             \
	X(trimmable)            \
	X(heap_resident)        \
	X(resident_free)        \
	X(non_malloc_anon)      \
	X(rss_anon)             \
	X(rss_shmem)            \
	X(swap)                 \
	X(limit)                \
	X(arenas)               \
	X(arenas_holding)       \
	X(non_main_free_resident) \
	X(unattached_arenas)    \
	X(tcache)               \
	X(fastbin)              \
	X(top)                  \
	X(stuck)                \
	X(tops_kept)            \
	X(trim_threshold)       \
	X(pinned)               \
	X(blocked_4)            \
	X(blocked_span)         \
	X(system)               \
	X(uncertain)            \
	X(threads)              \
	X(minflt)               \
	X(cpu_ns)               \
	X(rss)                  \
	X(rss_file)             \
	X(mappings)             \
	X(mappings_limit)       \
	X(descriptors)          \
	X(descriptors_limit)    \
	X(threads_limit)        \
	X(locked)               \
	X(locked_limit)
/* clang-format on */

enum ht_need {
#define HT_NEED_ENUM(metric) HT_NEED_##metric,
	HT_NEEDS(HT_NEED_ENUM)
#undef HT_NEED_ENUM
		HT_NEED_COUNT
};

/* One value a row of the series, NaN where unknown; NULL: the series was loaded
 * without this metric. */
const double *ht_need_rows(const struct ht_series *s, enum ht_need need,
			   enum ht_stat stat);

/* True for each metric that a verdict reads. Reading only these from a store
 * takes a fifth of the time of reading all. */
void ht_verdict_needs(bool ret[HT_METRIC_COUNT]);

#endif
