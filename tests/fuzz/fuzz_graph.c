/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spoiled heaps, and what their chunks are to each other: the first two bytes
 * choose the release and the memory that may be taken, then each 12 bytes spoil
 * one word of the image (where: part and offset; what: 8 bytes). It must end,
 * every chunk must be counted once, and nothing may be read or written where it
 * should not be.
 */
#include <stdlib.h>

#include "tests/lib/fakeheap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(const struct ht_snapshot *s)
{
	const struct ht_graph *g = &s->graphs.v[0];
	uint64_t bytes = 0, chunks = 0;

	for (size_t i = 0; i < s->leaks.n; i++) {
		bytes += s->leaks.v[i].bytes;
		chunks += s->leaks.v[i].chunks;
	}
	if (bytes != g->leaked_bytes || chunks != g->leaked_chunks)
		abort();
	if (g->leaked_bytes + g->uncertain_bytes > g->bytes)
		abort();
	bytes = g->unknown_bytes;
	for (size_t i = 0; i < s->chunk_types.n; i++)
		bytes += s->chunk_types.v[i].bytes;
	if (bytes != g->bytes)
		abort();
	for (size_t i = 0; i < s->owned.n; i++) {
		const struct ht_owned *o = &s->owned.v[i];

		if (o->retained_bytes != HT_UNKNOWN &&
		    (o->retained_bytes < o->bytes ||
		     o->retained_bytes > g->bytes ||
		     o->most_retained_bytes > o->retained_bytes))
			abort();
	}
	for (size_t i = 0; i < s->holders.n; i++)
		if (s->holders.v[i].retained_bytes != HT_UNKNOWN &&
		    s->holders.v[i].retained_bytes > g->bytes)
			abort();
	for (size_t i = 0; i < s->holders.n; i++)
		if (s->holders.v[i].owned >= s->owned.n ||
		    s->holders.v[i].chunks >
			    s->owned.v[s->holders.v[i].owned].chunks)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	if (size < 2 || fake_build(&k, 17 + data[0] % 28, 8, &err) != HT_OK)
		return 0;
	for (size_t i = 2; i + 12 <= size; i += 12)
		fake_spoil(&k, data + i);
	if (fake_graph(&k, data[1] & 1 ? 0 : 64 << 20, &s, &err) != HT_OK)
		abort();
	hold(&s);
	ht_snapshot_fini(&s);
	fake_free(&k);
	return 0;
}
