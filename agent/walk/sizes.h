/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes: malloc's bins by chunk size, and our own size classes.
 *
 * Classes: one for each multiple of 8 up to 1040 (16-byte steps use every other
 * one), then four a power of two.
 */
#ifndef HT_AGENT_WALK_SIZES_H
#define HT_AGENT_WALK_SIZES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/libc/layout.h"

#define HT_BINS		 127 /* bin_at(1..126) are used, 127 never */
#define HT_SMALL_LAST	 63  /* bins 2..63 are small */
#define HT_FASTBINS_MAX	 11
#define HT_EXACT_MAX	 1040u /* sizes up to here have a class of their own */
#define HT_EXACT_CLASSES (HT_EXACT_MAX / 8 + 1)
#define HT_CLASSES	 (HT_EXACT_CLASSES + 4 * 54)

struct ht_class_count {
	uint64_t chunks, bytes;
};

/* to[i] += from[i], n of them. */
void ht_classes_add(struct ht_class_count *to,
		    const struct ht_class_count *from, size_t n);

/* bin_index(size) of the three schemes (glibc malloc.c); 2..126. */
unsigned ht_bin_index(const struct ht_layout *l, uint64_t size);
/* Smallest and largest size of bin i >= 2; the largest of the last is
 * UINT64_MAX. Empty bins (never used) give min > max. */
void ht_bin_range(const struct ht_layout *l, unsigned bin, uint64_t *ret_min,
		  uint64_t *ret_max);
/* fastbin_index(size), and the one size of a fastbin. */
unsigned ht_fastbin_index(const struct ht_layout *l, uint64_t size);
uint64_t ht_fastbin_size(const struct ht_layout *l, unsigned index);

unsigned ht_class_large(uint64_t size);
static inline unsigned ht_class_of(uint64_t size)
{
	return size <= HT_EXACT_MAX ? (unsigned)(size / 8)
				    : ht_class_large(size);
}
/* Largest chunk size of a class. */
uint64_t ht_class_max(unsigned class_index);

#endif
