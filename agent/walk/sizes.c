/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/sizes.h"

/*
 * glibc has three schemes of bins: 16-byte steps on 64 bit, 8-byte steps on 32
 * bit, and 16-byte steps on 32 bit with one bin less at the bottom (2.26+).
 */
struct scheme {
	unsigned small_shift, small_extra;
	uint64_t min_large;
	unsigned base_64, limit_64; /* 64-byte bins: base + (size >> 6) */
};

static const struct scheme *scheme_of(const struct ht_layout *l)
{
	static const struct scheme word_8 = {4, 0, 1024, 48, 48};
	static const struct scheme word_4 = {3, 0, 512, 56, 38};
	static const struct scheme word_4_align_16 = {4, 1, 1008, 49, 45};

	if (l->word == 8)
		return &word_8;
	return l->align == 16 ? &word_4_align_16 : &word_4;
}

/* The part of the large bins that is the same in all schemes. */
static const struct {
	unsigned shift, limit, base;
} large[] = {{9, 20, 91}, {12, 10, 110}, {15, 4, 119}, {18, 2, 124}};

#define LARGE_STEPS (sizeof(large) / sizeof(large[0]))
#define BIN_LAST    126u

unsigned ht_bin_index(const struct ht_layout *l, uint64_t size)
{
	const struct scheme *s = scheme_of(l);

	if (size < s->min_large)
		return (unsigned)(size >> s->small_shift) + s->small_extra;
	if (size >> 6 <= s->limit_64)
		return s->base_64 + (unsigned)(size >> 6);
	for (unsigned i = 0; i < LARGE_STEPS; i++)
		if (size >> large[i].shift <= large[i].limit)
			return large[i].base +
			       (unsigned)(size >> large[i].shift);
	return BIN_LAST;
}

/* bin_index never falls as size grows: the first size of a bin is found by
 * halving. */
static uint64_t first_size(const struct ht_layout *l, unsigned bin)
{
	uint64_t low = 0, high = UINT64_C(1) << 20;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (ht_bin_index(l, mid) < bin)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void ht_bin_range(const struct ht_layout *l, unsigned bin, uint64_t *ret_min,
		  uint64_t *ret_max)
{
	*ret_min = first_size(l, bin);
	*ret_max = bin >= BIN_LAST ? UINT64_MAX : first_size(l, bin + 1) - 1;
	if (*ret_min < ht_chunk_min(l))
		*ret_min = ht_chunk_min(l);
}

static unsigned fast_shift(const struct ht_layout *l)
{
	return l->word == 8 ? 4 : 3;
}

unsigned ht_fastbin_index(const struct ht_layout *l, uint64_t size)
{
	return (unsigned)(size >> fast_shift(l)) - 2;
}

uint64_t ht_fastbin_size(const struct ht_layout *l, unsigned index)
{
	return (uint64_t)(index + 2) << fast_shift(l);
}

/* Sizes above HT_EXACT_MAX: the power of two, then its quarter. A class ends at
 * a quarter's border, so that 2^n itself is the last of its class. */
unsigned ht_class_large(uint64_t size)
{
	unsigned power = 63 - (unsigned)__builtin_clzll(size - 1);
	unsigned quarter = (unsigned)((size - 1) >> (power - 2)) & 3;

	return HT_EXACT_CLASSES + (power - 10) * 4 + quarter;
}

uint64_t ht_class_max(unsigned class_index)
{
	unsigned above;

	if (class_index < HT_EXACT_CLASSES)
		return (uint64_t)class_index * 8;
	above = class_index - HT_EXACT_CLASSES;
	return (UINT64_C(1) << (above / 4 + 10)) +
	       ((uint64_t)(above % 4 + 1) << (above / 4 + 8));
}

void ht_classes_add(struct ht_class_count *to,
		    const struct ht_class_count *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[i].chunks += from[i].chunks;
		to[i].bytes += from[i].bytes;
	}
}
