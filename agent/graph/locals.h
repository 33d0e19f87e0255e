/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locals: of which function a word on a thread's stack, or in a register, is a
 * local variable: of the one whose call frame it lies in, or, where that keeps
 * there what its callers had in a register, of the innermost of these that has
 * it for itself.
 *
 * Frames are followed as far up as unwinding information describes them. What
 * lies above is nobody's.
 */
#ifndef HT_AGENT_GRAPH_LOCALS_H
#define HT_AGENT_GRAPH_LOCALS_H

#include "agent/graph/modules.h"
#include "agent/memory/frames.h"

/* Threads whose frames are followed: milliseconds each. */
#define HT_LOCALS_THREADS 256u

struct ht_local {
	uint64_t pc;  /* an address in the function; 0: not known */
	size_t depth; /* of the frame; 0: the innermost; beyond all that are
			 known: their number */
};

struct ht_frames_of; /* one thread */

struct ht_locals {
	const struct ht_modules *modules; /* borrowed, as are these */
	const struct ht_maps *maps;
	struct ht_reader *reader;
	const struct ht_thread_state *threads;
	size_t threads_n;
	struct ht_frames_of **of; /* of each thread; NULL: not asked for yet */
	unsigned followed;
};

/* Of a word at this address of a thread's stack. */
struct ht_local ht_locals_at(struct ht_locals *l, uint32_t thread,
			     uint64_t address);
/* Of a general register, by its number in thread_state.h. */
struct ht_local ht_locals_in(struct ht_locals *l, uint32_t thread,
			     uint64_t number);
void ht_locals_fini(struct ht_locals *l);

#endif
