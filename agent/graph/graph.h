/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graph: what the chunks in use are to each other: who leads to whom, what
 * nothing leads to, what they are, what holds them. The one door of this room:
 * marks of a walk and a frozen memory in, rows of a snapshot out.
 *
 * Only for memory at rest: of a program that runs the newest chunks lie beyond
 * what was read, chains break at their heads, and what lives looks leaked.
 */
#ifndef HT_AGENT_GRAPH_GRAPH_H
#define HT_AGENT_GRAPH_GRAPH_H

#include <sys/types.h>

#include "agent/libc/locate.h"
#include "agent/memory/maps.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "agent/walk/marks.h"
#include "schema/snapshot.h"

/* Of the memory that may be taken, what the walk's marks may have. */
#define HT_GRAPH_MARKS_SHARE 4
#define HT_GRAPH_MEMORY_MAX  (UINT64_C(256) << 20)

struct ht_modules;
struct ht_telling;

struct ht_graph_in {
	const struct ht_located *located;
	struct ht_reader *reader;
	struct ht_pages_source *pages; /* or NULL */
	const struct ht_maps *maps;
	const struct ht_thread_state *threads;
	size_t threads_n;
	pid_t pid; /* where threads have names; 0: of a core file */
	const struct ht_marks *marks;
	const struct ht_modules *modules;
	/* What was told while the marks were made, or NULL; used up. */
	struct ht_telling *telling;
	uint64_t want;	     /* enum ht_request_flag */
	uint64_t size;	     /* owners of chunks of this size; 0: the largest */
	uint64_t memory_max; /* bytes, the marks included */
	void (*progress)(void *ctx, uint64_t done,
			 uint64_t total); /* or NULL */
	void *progress_ctx;
};

/* Adds the rows that are wanted, and findings where its sums are not those of
 * the walk, whose totals ret has. HT_NOMEM; HT_UNSUPPORTED: 32 bits. */
enum ht_code ht_graph_measure(const struct ht_graph_in *in,
			      struct ht_snapshot *ret,
			      struct ht_err *err) HT_MUST_CHECK;

#endif
