/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of the thread caches. They stand together in one struct, which is
 * read at once: where a list changes faster than it can be followed they still
 * tell how much must be in it.
 */
#include <stdlib.h>

#include "agent/walk/roots.h"

uint64_t ht_tcache_count(const struct ht_space *space, const uint8_t *bytes,
			 unsigned bin)
{
	const struct ht_layout *l = &space->malloc->layout;
	uint64_t room, limit = space->params.tcache_count;

	switch (l->tcache) {
	case HT_TCACHE_COUNTS_8:
		return ht_field_item(bytes, l, HT_P_TCACHE_COUNTS, bin, 1);
	case HT_TCACHE_COUNTS_16:
		return ht_field_item(bytes, l, HT_P_TCACHE_COUNTS, bin, 2);
	default: /* 2.42+: num_slots, what still has room */
		room = ht_field_item(bytes, l, HT_P_TCACHE_COUNTS, bin, 2);
		if (limit == HT_UNKNOWN)
			return HT_UNKNOWN;
		return room <= limit ? limit - room : 0;
	}
}

uint64_t ht_tcache_bin_size(const struct ht_layout *l, unsigned bin)
{
	if (bin < HT_TCACHE_SMALL_BINS)
		return ht_chunk_min(l) + (uint64_t)bin * l->align;
	/* 2.42+: one power of two each, from 1 KiB on */
	return UINT64_C(2048) << (bin - HT_TCACHE_SMALL_BINS);
}

/* Bytes in a cache; HT_UNKNOWN: the counters do not tell, or cannot be true. */
static uint64_t bytes_in(const struct ht_space *space, const uint8_t *bytes)
{
	const struct ht_layout *l = &space->malloc->layout;
	uint64_t sum = 0, limit = space->params.tcache_count;

	for (unsigned bin = 0; bin < l->tcache_bins; bin++) {
		uint64_t count = ht_tcache_count(space, bytes, bin);

		if (count > limit || count == HT_UNKNOWN)
			return HT_UNKNOWN;
		sum += count * ht_tcache_bin_size(l, bin);
	}
	return sum;
}

bool ht_tcache_note(struct ht_roots *roots, const struct ht_space *space,
		    uint64_t address, const uint8_t *bytes)
{
	if (roots->caches == roots->caches_capacity) {
		size_t to = roots->caches_capacity * 2 + 16;
		void *grown =
			reallocarray(roots->cache, to, sizeof(*roots->cache));

		if (!grown)
			return false;
		roots->cache = grown;
		roots->caches_capacity = to;
	}
	roots->cache[roots->caches++] = (struct ht_cache_root){
		address, (unsigned)(space - roots->space),
		bytes_in(space, bytes)};
	return true;
}

uint64_t ht_tcache_drift(const struct ht_walk_in *in,
			 const struct ht_roots *roots)
{
	int64_t drift = 0;

	for (size_t i = 0; i < roots->caches; i++) {
		const struct ht_cache_root *then = &roots->cache[i];
		const struct ht_space *space = &roots->space[then->space];
		size_t size = space->malloc->layout.sizeof_tcache;
		uint8_t bytes[HT_TCACHE_STRUCT_MAX];
		uint64_t now = HT_UNKNOWN;

		if (ht_reader_some(in->reader, then->address, bytes, size) ==
		    size)
			now = bytes_in(space, bytes);
		/* It may be gone, with its thread. */
		if (now != HT_UNKNOWN && then->bytes != HT_UNKNOWN)
			drift += (int64_t)(now - then->bytes);
	}
	return (uint64_t)(drift < 0 ? -drift : drift);
}
