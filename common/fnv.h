/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fnv: FNV-1a of 64 bits (Fowler, Noll and Vo), to tell apart what differs and
 * to find again what was seen. Not against who wants two things to be alike.
 */
#ifndef HT_COMMON_FNV_H
#define HT_COMMON_FNV_H

#include <stddef.h>
#include <stdint.h>

#define HT_FNV_BASIS UINT64_C(0xcbf29ce484222325) /* the hash of nothing */

/* Of what was hashed before, and behind it n bytes. */
static inline uint64_t ht_fnv(uint64_t hash, const void *data, size_t n)
{
	const uint8_t *at = data;

	while (n-- > 0)
		hash = (hash ^ *at++) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
