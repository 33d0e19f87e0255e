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

/* Chunks that begin in [from, to), marked; a chunk begins at `to`, too. All of
 * them, and the header of the one at `to`, are in [start, end). */
#define HT_GONE_BY_MAX 8192u /* of 32 bytes each in a view's 256 KiB */

struct ht_gone_by {
	struct ht_marked *marked;
	const uint8_t *buf; /* of [start, end) */
	uint64_t start, end;
	uint64_t from, to;
	/* Each of them: bytes from `start` << 1, and whether it is in use. */
	const uint32_t *chunk;
	size_t n;
};

struct ht_teller {
	void (*show)(struct ht_teller *t, const struct ht_gone_by *s);
	void *ctx;
	uint32_t *chunk; /* room for HT_GONE_BY_MAX, for the pass */
	/* The next block is not the one behind the last: between them the other
	 * one is shown something. Whoever is shown it clears this. */
	bool anew;
	/* Some of what was shown was walked again: nothing told is of use. */
	bool lost;
};

#endif
