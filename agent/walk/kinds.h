/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds: what each mapping of a process is, and what it is called; for memory
 * outside malloc, so that what grows there has a name. */
#ifndef HT_AGENT_WALK_KINDS_H
#define HT_AGENT_WALK_KINDS_H

#include "agent/walk/runtimes.h"
#include "agent/walk/walk.h"

#define HT_KIND_NAME_MAX sizeof(((struct ht_mapping *)0)->name)

struct ht_kind {
	enum ht_mapping_kind kind;
	char name[HT_KIND_NAME_MAX]; /* file or label; "": anonymous */
};

struct ht_kinds {
	const struct ht_walk_in *in;
	struct ht_runtimes runtimes;
	/* The thread block's distance from its stack's end, once one was found:
	 * all of a process have the same. 0: not yet. */
	uint64_t block_below_end;
};

/* in is borrowed, and its maps are read. */
void ht_kinds_begin(struct ht_kinds *k, const struct ht_walk_in *in);
/* Of the i-th mapping; before: what the (i - 1)-th is, NULL for the first. */
void ht_kind_of(struct ht_kinds *k, size_t i, const struct ht_kind *before,
		struct ht_kind *ret);
/* Names an anonymous one by its owner, once it is known how much of it is not
 * malloc's (bytes). */
void ht_kind_name(const struct ht_kinds *k, size_t i, uint64_t size,
		  struct ht_kind *kind);

#endif
