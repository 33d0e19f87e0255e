/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate: which allocator serves malloc in this target, and where glibc's
 * main_arena, mp_ and thread-local variables are: by symbol where there is
 * debug information, else by structure (relocations that point to themselves,
 * the default image of mp_, TLS relocations). Verified against the invariants
 * of malloc before it is believed.
 */
#ifndef HT_AGENT_LIBC_LOCATE_H
#define HT_AGENT_LIBC_LOCATE_H

#include "agent/libc/locate_in.h"
#include "agent/libc/malloc_state.h"
#include "agent/memory/maps.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "schema/snapshot.h"

#define HT_MALLOCS_MAX 16

/* A module's thread-local variables that may be malloc's, as distances from the
 * thread pointer: candidates until a thread shows which is which. */
#define HT_TLS_CANDIDATES 64
struct ht_tls_search {
	int64_t candidate[HT_TLS_CANDIDATES];
	unsigned n;
	int64_t block;	  /* static program: every word of [block, 0); else 0 */
	bool settled;	  /* a tcache was seen: nothing is left to find */
	bool provisional; /* tls_tcache stands for "no thread has one yet" */
};

struct ht_located {
	struct ht_malloc malloc[HT_MALLOCS_MAX]; /* [0] serves the program */
	size_t n;				 /* 0: no glibc heap to walk */
	struct ht_libc libc;			 /* for the snapshot */
	uint32_t runtimes; /* 1 << enum ht_runtime: who else owns memory */
	struct ht_tls_search tls[HT_MALLOCS_MAX];
};

/* Files already parsed, by device and inode, and the layout role's process.
 * One for an agent's life; NULL is fine and means parsing anew each time. */
struct ht_locate_cache;
struct ht_locate_cache *ht_locate_cache_new(void); /* NULL: no memory */
void ht_locate_cache_free(struct ht_locate_cache *c);

/* Done before the stop: opens and parses files, may take long the first time.
 * HT_UNSUPPORTED when a glibc is there and no layout fits; n == 0 with
 * libc.allocator named when the program uses another allocator. Warnings go to
 * `notes`. */
enum ht_code ht_locate(const struct ht_locate_in *in, struct ht_located *ret,
		       struct ht_snapshot *notes,
		       struct ht_err *err) HT_MUST_CHECK;

/* In the stop, with registers: finds the thread-local variables that no symbol
 * told, and lets the tcache's own chunk say which flavour it is. Costs nothing
 * once settled; what no thread shows yet is looked for again next time. */
enum ht_code ht_locate_threads(struct ht_located *l, struct ht_reader *r,
			       const struct ht_maps *maps,
			       const struct ht_thread_state *threads, size_t n,
			       struct ht_err *err) HT_MUST_CHECK;

/* Whether the arenas still fit what was located (cheap; in the stop). */
enum ht_code ht_locate_verify(const struct ht_malloc *m, struct ht_reader *r,
			      struct ht_err *err) HT_MUST_CHECK;

/* doctor --dump-layout: everything needed to add support, no heap content.
 * Writes text to fd. */
enum ht_code ht_locate_dump(const struct ht_locate_in *in, int fd,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
