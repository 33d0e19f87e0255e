/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of the thread caches. They stand together in one struct, which is
 * read at once: where a list changes faster than it can be followed they still
 * tell how much must be in it.
 */
#include <stdlib.h>

#include "agent/walk/roots.h"

/* More than any heap has, where no limit is known. */
#define ROOM_MAX (UINT64_C(1) << 56)

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

size_t ht_tcache_unread_n(const struct ht_roots *roots)
{
	const struct ht_snapshot *notes = &roots->notes;
	size_t n = roots->unread_caches;

	if (roots->spaces == 0 ||
	    roots->space[0].malloc->tls_tcache == HT_TLS_UNKNOWN)
		return 0;
	for (size_t i = 0; i < notes->threads.n; i++)
		n += notes->threads.v[i].tcache_bytes == HT_UNKNOWN;
	return n;
}

/* mp_.tcache_max_bytes is what malloc is asked for, at most. */
static bool bin_is_used(const struct ht_space *space, unsigned bin)
{
	const struct ht_layout *l = &space->malloc->layout;
	uint64_t max = space->params.tcache_max_bytes;
	uint64_t size = ht_tcache_bin_size(l, bin);

	if (bin >= HT_TCACHE_SMALL_BINS) /* the smallest of them */
		size /= 2;
	return size <= max || size - max < l->word + l->align;
}

static uint64_t room_of_one(const struct ht_roots *roots)
{
	uint64_t room = 0;

	for (size_t i = 0; i < roots->spaces; i++) {
		const struct ht_space *space = &roots->space[i];
		unsigned bins = space->malloc->layout.tcache_bins;

		if (bins > 0 && space->params.tcache_count > UINT16_MAX)
			return ROOM_MAX;
		for (unsigned bin = 0; bin < bins; bin++)
			if (bin_is_used(space, bin))
				room += space->params.tcache_count *
					ht_tcache_bin_size(
						&space->malloc->layout, bin);
	}
	return room;
}

/* Bytes in so many caches at most. */
static uint64_t at_most(const struct ht_roots *roots, uint64_t caches)
{
	uint64_t room = caches ? room_of_one(roots) : 0;

	return room && caches > ROOM_MAX / room ? ROOM_MAX : caches * room;
}

uint64_t ht_tcache_unread(const struct ht_roots *roots)
{
	return at_most(roots, ht_tcache_unread_n(roots));
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
	uint64_t unread = 0;
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
		unread += in->reader->expired;
	}
	return (uint64_t)(drift < 0 ? -drift : drift) + at_most(roots, unread);
}
