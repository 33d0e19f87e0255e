/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes: which anonymous mappings belong to a language's heap or to another
 * allocator. Both must hold: the runtime is in the process, and the mapping is
 * of the shape that it alone maps there. */
#ifndef HT_AGENT_WALK_RUNTIMES_H
#define HT_AGENT_WALK_RUNTIMES_H

#include "agent/libc/runtime.h"
#include "agent/walk/walk.h"

struct ht_runtimes {
	uint32_t present; /* 1 << enum ht_runtime */
};

/* Those that locate found, and those whose files are mapped now. */
void ht_runtimes_find(const struct ht_walk_in *in, struct ht_runtimes *ret);
/* The mapping lies where a runtime that is there keeps its heap and nothing
 * else: a thread whose stack pointer is in it runs on the runtime's own stacks.
 */
bool ht_runtimes_place(const struct ht_runtimes *r, const struct ht_vma *v);
/* What to call an anonymous mapping: by the kernel's name for it ("[anon:...]",
 * PR_SET_VMA_ANON_NAME), else by its owner; "": nobody known. size: without
 * what glibc's malloc has in it, bytes. Static, or borrowed from maps. */
const char *ht_runtime_name(const struct ht_runtimes *r,
			    const struct ht_maps *maps, const struct ht_vma *v,
			    uint64_t size);

#endif
