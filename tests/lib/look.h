/* SPDX-License-Identifier: Apache-2.0 */
/* One look at a process, the way the agent does it: locate, stop, roots, walk,
 * release. For tests and measurements of the walk. */
#ifndef HT_TESTS_LOOK_H
#define HT_TESTS_LOOK_H

#include <stdbool.h>
#include <sys/types.h>

#include "schema/snapshot.h"

struct ht_marks;
struct ht_round;

struct ht_look {
	bool moving;	 /* walk after the stop, while the target runs */
	bool no_symbols; /* locate by structure only */
	bool alone;	 /* without the helper */
	bool light;	 /* as in ht_walk_in, and these two: */
	size_t chunks_max;
	uint64_t pages_max;
	struct ht_round *round;
	uint64_t slice_max;
	size_t tables_max;	/* as in ht_walk_in */
	void (*beat)(void);	/* before each read of what runs; or NULL */
	struct ht_marks *marks; /* the same; or NULL */
	uint64_t pause_ns, walk_ns, cpu_ns; /* out */
};

/* ret: initialised by the call; the caller finishes it. */
enum ht_code ht_look(pid_t pid, struct ht_look *how, struct ht_snapshot *ret,
		     struct ht_err *err) HT_MUST_CHECK;

#endif
