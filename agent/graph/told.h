/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Told: from what was told of each chunk while the walk had it (telling.h), and
 * where all chunks are now, to what each is. Only what leads somewhere, or was
 * not told of, is looked at once more; of the rest there are sums.
 *
 * The answers are those of types.h made chunk by chunk, but for one: whether a
 * chunk of more than a MiB is an array is told by pages all over it, unless
 * these leave it open.
 */
#ifndef HT_AGENT_GRAPH_TOLD_H
#define HT_AGENT_GRAPH_TOLD_H

#include "agent/graph/telling.h"

struct ht_told {
	struct ht_telling *telling; /* borrowed; NULL: nothing was told */
	const struct ht_nodes *nodes;
	struct ht_reader *reader;
	struct ht_types *types; /* of all; made from both threads' */
	struct ht_refs *refs;
	struct ht_told_stretch *stretch;
	size_t stretches;
	uint16_t *type_of; /* what the helper's types are called */
	/* Of each node that was looked at, in order: its type, and whether it
	 * is an array if nothing else. */
	uint16_t *met;
	size_t mets, met_bytes;
	uint64_t *row;	     /* scratch, as is this: */
	uint64_t *window;    /* HT_REFS_WINDOW bytes: */
	uint64_t at, at_end; /* of the target, what is in it */
};

/* Looks at what must be; settles what every node is. types, refs: to be set,
 * and the caller's to end. HT_NOMEM. */
enum ht_code ht_told_meet(struct ht_told *t, const struct ht_refs_in *in,
			  struct ht_err *err) HT_MUST_CHECK;
/* Once types have names: who is held by whom. */
void ht_told_settle(struct ht_told *t);
/* Of each type (when it is sure) or else of what it looks like: adds one
 * arena's chunks and bytes at a time, as often as it likes; negative ones too.
 */
typedef void ht_told_fn(void *ctx, uint64_t arena, uint32_t type,
			enum ht_look_like like, int64_t chunks, int64_t bytes);
void ht_told_sum(struct ht_told *t, ht_told_fn *fn, void *ctx);
void ht_told_fini(struct ht_told *t);

#endif
