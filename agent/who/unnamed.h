/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unnamed: where malloc and its kin begin in a static program without symbols,
 * by how glibc's malloc is built, since 2.26 and up to now. What it says when
 * it finds a heap broken is its own text, and in a function of its own: by
 * "malloc(): corrupted top size" that takes chunks from bins is known, by
 * "realloc(): invalid pointer" realloc, which asks malloc where it has no
 * chunk; malloc is what asks the first, calloc asks it and multiplies, and what
 * aligns asks it by one function of its own.
 *
 * It is an answer only where one function fits, and is checked by who uses it:
 * what comes back of a call must be a chunk.
 */
#ifndef HT_AGENT_WHO_UNNAMED_H
#define HT_AGENT_WHO_UNNAMED_H

#include "agent/who/functions.h"

struct ht_unnamed {
	/* Addresses in the process; 0: not found. */
	uint64_t malloc, calloc, realloc;
	uint64_t memalign; /* alignment and size, of all that align */
};

/* false: malloc is not found for sure. */
bool ht_unnamed_find(const struct ht_module *m, struct ht_unnamed *ret);
/* The same, of code and of where the two texts lie. Pure. */
bool ht_unnamed_choose(const struct ht_functions *c, uint64_t top_text,
		       uint64_t pointer_text, uint64_t next_text,
		       struct ht_unnamed *ret);

#endif
