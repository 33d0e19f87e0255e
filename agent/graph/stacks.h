/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks: which part of a mapping is a thread's stack, and which part of that
 * is over. A mapping may hold several (since glibc 2.42 their guards are no
 * mappings), and other memory beside them: a program may give a thread a piece
 * of a larger mapping, keep the stacks of its fibers in one, or have mapped
 * something right beside a stack. Only what is known to be a stack below its
 * pointer is over; all else may hold pointers.
 */
#ifndef HT_AGENT_GRAPH_STACKS_H
#define HT_AGENT_GRAPH_STACKS_H

#include "agent/memory/maps.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"

struct ht_stack {
	uint64_t low, from, end; /* [low, from) is over, [from, end) is not */
	uint32_t thread;
};

struct ht_stacks_in {
	const struct ht_maps *maps;
	const struct ht_thread_state *threads;
	size_t threads_n;
	struct ht_reader *reader;
};

/* The stack in use in mapping i that has the lowest pointer from `from` on, cut
 * to that. false: there is none. */
bool ht_stacks_next(const struct ht_stacks_in *in, size_t i, uint64_t from,
		    struct ht_stack *ret);

#endif
