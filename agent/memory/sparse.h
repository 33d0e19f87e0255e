/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse: mappings of terabytes of which next to nothing was ever touched. */
#ifndef HT_AGENT_MEMORY_SPARSE_H
#define HT_AGENT_MEMORY_SPARSE_H

#include "agent/memory/pages.h"

#define HT_SPARSE_SPAN (UINT64_C(1) << 20) /* asked for at a time, at least */

/* What was asked so far: begins as zeros. */
struct ht_sparse {
	uint64_t questions, bytes;
};

/* Where, from `at` on, something is in memory or swapped out: what is not there
 * is passed over, however much, some HT_SPARSE_SPAN exactly. `at` where that is
 * not known. `end`: nowhere, or too much was asked. */
uint64_t ht_sparse_next(struct ht_sparse *s, struct ht_pages_source *pages,
			uint64_t at, uint64_t end);

#endif
