/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"

#define NUMBER_MOST 10 /* at most */

/* False: no memory for so many more. */
static bool has_room(struct ht_bytes_out *o, size_t n)
{
	size_t capacity = 2 * (o->n + n) + 1024;
	uint8_t *grown;

	if (o->n + n <= o->capacity)
		return true;
	grown = realloc(o->bytes, capacity);
	if (!grown) {
		o->bad = true;
		return false;
	}
	o->bytes = grown;
	o->capacity = capacity;
	return true;
}

void ht_bytes_put(struct ht_bytes_out *o, const void *bytes, size_t n)
{
	if (!has_room(o, n))
		return;
	memcpy(o->bytes + o->n, bytes, n);
	o->n += n;
}

void ht_bytes_put_number(struct ht_bytes_out *o, uint64_t v)
{
	uint8_t *at;

	if (!has_room(o, NUMBER_MOST))
		return;
	at = o->bytes + o->n;
	for (; v > 0x7f; v >>= 7)
		*at++ = (uint8_t)(v | 0x80);
	*at++ = (uint8_t)v;
	o->n = (size_t)(at - o->bytes);
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
