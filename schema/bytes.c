/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"

uint8_t *ht_bytes_room(struct ht_bytes_out *o, size_t n)
{
	size_t capacity = 2 * (o->n + n) + 1024;
	uint8_t *grown;

	if (o->n + n <= o->capacity)
		return o->bytes + o->n;
	grown = realloc(o->bytes, capacity);
	if (!grown) {
		o->bad = true;
		return NULL;
	}
	o->bytes = grown;
	o->capacity = capacity;
	return o->bytes + o->n;
}

void ht_bytes_put(struct ht_bytes_out *o, const void *bytes, size_t n)
{
	uint8_t *at = ht_bytes_room(o, n);

	if (!at)
		return;
	memcpy(at, bytes, n);
	o->n += n;
}

void ht_bytes_put_number(struct ht_bytes_out *o, uint64_t v)
{
	uint8_t *at = ht_bytes_room(o, HT_BYTES_NUMBER);

	if (at)
		o->n = (size_t)(ht_bytes_put_at(at, v) - o->bytes);
}

void ht_bytes_get(struct ht_bytes_in *in, void *bytes, size_t n)
{
	HT_ASSERT((size_t)(in->end - in->at) >= n);
	memcpy(bytes, in->at, n);
	in->at += n;
}
