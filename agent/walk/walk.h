/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walk: from bytes to figures. Pure: the reader and the page source are its
 * only inputs, so a core file, a test image and a live process are all alike.
 *
 * Every pointer and size is checked before use; every list has a limit; what
 * cannot be true becomes a finding with its address, and the rest is still
 * measured. Memory use is bounded however large the heap.
 */
#ifndef HT_AGENT_WALK_WALK_H
#define HT_AGENT_WALK_WALK_H

#include "agent/walk/walk_in.h"

/* Walks all heaps and fills arenas, heaps, bins, threads, size classes, totals,
 * params, fragmentation, blocked, rss_causes, mappings and process.rss*. */
enum ht_code ht_walk(const struct ht_walk_in *in, struct ht_roots *roots,
		     struct ht_snapshot *ret, struct ht_err *err) HT_MUST_CHECK;

#endif
