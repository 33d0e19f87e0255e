/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of addresses. */
#ifndef HT_AGENT_WALK_RANGES_H
#define HT_AGENT_WALK_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* |a - b| */
static inline uint64_t ht_apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

struct ht_range {
	uint64_t start, end; /* [start, end) */
};
struct ht_ranges {
	struct ht_range *v;
	size_t n, capacity;
};
bool ht_ranges_add(struct ht_ranges *r, uint64_t start, uint64_t end);
void ht_ranges_sort(struct ht_ranges *r);
/* The range that holds addr, or the first behind it; NULL: none. Sorted only.
 */
const struct ht_range *ht_ranges_from(const struct ht_ranges *r, uint64_t addr);
void ht_ranges_fini(struct ht_ranges *r);

#endif
