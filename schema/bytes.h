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

struct ht_bytes_out {
	uint8_t *bytes; /* owned by who began it zeroed */
	size_t n, capacity;
	bool bad; /* out of memory; sticks */
};
void ht_bytes_put(struct ht_bytes_out *o, const void *bytes, size_t n);
void ht_bytes_put_number(struct ht_bytes_out *o, uint64_t v);

struct ht_bytes_in {
	const uint8_t *at, *end;
};
void ht_bytes_get(struct ht_bytes_in *in, void *bytes, size_t n);
uint64_t ht_bytes_get_number(struct ht_bytes_in *in);

#endif
