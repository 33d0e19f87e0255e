/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teller: is shown each block that the linear pass has read and gone through,
 * while it is in the processor's cache: what is to be known of the chunks'
 * content is known then, and no byte is read twice.
 *
 * Two threads may walk: there are two tellers side by side, the walk's own and,
 * behind it, the helper's. A chunk that lies across blocks is shown to nobody.
 */
#ifndef HT_AGENT_WALK_TELLER_H
#define HT_AGENT_WALK_TELLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ht_marked;

/* A chunk in use, as far as the pass knows: what is as good as surely in a
 * fastbin is not. */
struct ht_gone_chunk {
	uint32_t at, size; /* bytes; at: from `start` */
};

/* Of the chunks that begin in [from, to), marked, those in use: all of them are
 * in [start, end), with what their owners may use. */
#define HT_GONE_BY_MAX 8192u /* of 32 bytes each in a view's 256 KiB */

struct ht_gone_by {
	struct ht_marked *marked;
	const uint8_t *buf; /* of [start, end) */
	uint64_t start, end;
	uint64_t from, to;
	const struct ht_gone_chunk *chunk;
	size_t n;
};

struct ht_teller {
	void (*show)(struct ht_teller *t, const struct ht_gone_by *s);
	void *ctx;
	/* Room for HT_GONE_BY_MAX and one more, for the pass. */
	struct ht_gone_chunk *chunk;
	/* The next block is not the one behind the last: between them the other
	 * one is shown something. Whoever is shown it clears this. */
	bool anew;
	/* Some of what was shown was walked again: nothing told is of use. */
	bool lost;
};

#endif
