/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes: figures and text one behind the other, for what is remembered packed
 * (packed.h, snapshot_packed.h). A figure takes seven bits a byte, the low ones
 * first. Who reads them has written them: they are trusted.
 */
#ifndef HT_SCHEMA_BYTES_H
#define HT_SCHEMA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/invariant.h"

struct ht_bytes_out {
	uint8_t *bytes; /* owned by who began it zeroed */
	size_t n, capacity;
	bool bad; /* out of memory; sticks */
};
/* Most bytes of a figure. */
#define HT_BYTES_NUMBER 10
/* Where so many bytes more have room, which ht_bytes_put_at() may fill; NULL:
 * no memory. */
uint8_t *ht_bytes_room(struct ht_bytes_out *o, size_t n);
/* Puts a figure there; returns where the next goes. */
static inline uint8_t *ht_bytes_put_at(uint8_t *at, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		*at++ = (uint8_t)(v | 0x80);
	*at++ = (uint8_t)v;
	return at;
}
void ht_bytes_put(struct ht_bytes_out *o, const void *bytes, size_t n);
void ht_bytes_put_number(struct ht_bytes_out *o, uint64_t v);

struct ht_bytes_in {
	const uint8_t *at, *end;
};
void ht_bytes_get(struct ht_bytes_in *in, void *bytes, size_t n);
static inline uint64_t ht_bytes_get_number(struct ht_bytes_in *in)
{
	uint64_t v = 0;
	uint8_t byte = 0x80;

	for (unsigned bits = 0; byte & 0x80 && bits < 64; bits += 7) {
		HT_ASSERT(in->at < in->end);
		byte = *in->at++;
		v |= (uint64_t)(byte & 0x7f) << bits;
	}
	return v;
}

#endif
