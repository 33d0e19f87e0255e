/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"

void ht_bytes_put(struct ht_bytes_out *o, const void *bytes, size_t n)
{
	if (o->n + n > o->capacity) {
		size_t capacity = 2 * (o->n + n) + 1024;
		uint8_t *grown = realloc(o->bytes, capacity);

		if (!grown) {
			o->bad = true;
			return;
		}
		o->bytes = grown;
		o->capacity = capacity;
	}
	memcpy(o->bytes + o->n, bytes, n);
	o->n += n;
}

void ht_bytes_put_number(struct ht_bytes_out *o, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	do
		bytes[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
	while ((v >>= 7) > 0);
	ht_bytes_put(o, bytes, n);
}

void ht_bytes_get(struct ht_bytes_in *in, void *bytes, size_t n)
{
	HT_ASSERT((size_t)(in->end - in->at) >= n);
	memcpy(bytes, in->at, n);
	in->at += n;
}

uint64_t ht_bytes_get_number(struct ht_bytes_in *in)
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
