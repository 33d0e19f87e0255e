/* SPDX-License-Identifier: Apache-2.0 */
/* What a walk is given of a target, and its roots, which are read first. */
#ifndef HT_AGENT_WALK_WALK_IN_H
#define HT_AGENT_WALK_WALK_IN_H

#include "agent/libc/locate.h"
#include "agent/libc/malloc_state.h"
#include "agent/memory/maps.h"
#include "agent/memory/pages.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "schema/snapshot.h"

struct ht_marks;
struct ht_round;
struct ht_teller;

/* Where mmapped chunks of the first malloc were when they all were found;
 * owned by the caller, begun as zeros, kept from look to look. */
#define HT_MMAPPED_AT_MAX 128
struct ht_mmapped_at {
	uint64_t at[HT_MMAPPED_AT_MAX];
	size_t n;
};

struct ht_walk_in {
	const struct ht_located *located; /* n may be 0: process figures only */
	struct ht_reader *reader;
	struct ht_pages_source *pages;
	/* For mappings of files, where those are another's; NULL: pages. */
	struct ht_pages_source *file_pages;
	const struct ht_maps *maps;
	/* While the target runs: reads them anew, in place; NULL: they stay. */
	enum ht_code (*renew_maps)(void *ctx, struct ht_err *err);
	void *renew_ctx;
	const struct ht_thread_state *threads;
	size_t threads_n;
	bool moving; /* the target runs while it is read */
	/* Of one that may run: whether it has stood still since before its
	 * roots were read, and all was read. Then what is wrong is damage.
	 * NULL: it has not. */
	bool (*rested)(void *ctx);
	void *rested_ctx;
	bool alone;	   /* without the helper */
	bool light;	   /* what malloc keeps, not chunk by chunk (light.h) */
	bool want_private; /* what of trimmable is this process's alone */
	uint64_t want;	   /* enum ht_request_flag */
	size_t tables_max; /* bytes for free chunks; 0: 34 MiB */
	/* light: free chunks of an arena, 0: 2^20; and bytes of heap, or
	 * resident, of which each page is asked for, 0: 4 GiB. */
	size_t chunks_max;
	uint64_t pages_max;
	/* And in light looks: walks so many bytes more of the round. NULL: it
	 * walks none. Owned by the caller, begun as zeros (round.h). */
	struct ht_round *round;
	uint64_t slice_max;
	int64_t now_ns; /* monotonic: what is an age counts from here */
	struct ht_mmapped_at *mmapped_at; /* or NULL */
	/* Filled with the chunks themselves, or NULL. Not of memory that
	 * moves. Owned by the caller (marks.h). */
	struct ht_marks *marks;
	/* With marks: two of them, or NULL (teller.h). */
	struct ht_teller *teller;
	void (*progress)(void *ctx, uint64_t done,
			 uint64_t total); /* or NULL */
	void *progress_ctx;
};

/* Whether a time limit has come that keeps something from being read, or asked
 * of pages. Costs nothing: what was tried since says so. */
static inline bool ht_walk_is_late(const struct ht_walk_in *in)
{
	return in->reader->expired || in->pages->late;
}
/* Whether the target has stood still so far, and what was to be read was. */
bool ht_walk_rested(const struct ht_walk_in *in);

/*
 * What must be seen in one instant: arena structs, mp_, heap_info chains,
 * tcache contents, fastbin and unsorted heads. Read under the stop in `bounded`
 * mode, then the heaps are walked with the target running; in `exact` mode both
 * happen in the stop. Opaque; owned by the caller, freed by ht_roots_fini.
 */
struct ht_roots;
enum ht_code ht_roots_read(const struct ht_walk_in *in, struct ht_roots **ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* Adds the caches of in->threads to roots that were read without them, for
 * threads that stand still one after the other. HT_BUSY: a cache was caught in
 * the midst of a change, and nothing was added; as_it_is: then too, and the
 * walk counts as uncertain what was not found. */
enum ht_code ht_roots_add_threads(const struct ht_walk_in *in,
				  struct ht_roots *roots, bool as_it_is,
				  struct ht_err *err) HT_MUST_CHECK;
/* Takes back what the last call added: a thread did not stand still. */
void ht_roots_forget_last(struct ht_roots *roots);
/* Bytes that a full walk would read: decides whether it fits a pause budget. */
uint64_t ht_roots_walk_bytes(const struct ht_roots *roots);
/* Whether an arena is locked, a counter is off by one, or another sign says
 * that a thread was stopped inside malloc. */
bool ht_roots_in_flux(const struct ht_roots *roots);
/* Whether it is that an arena is locked. */
bool ht_roots_locked(const struct ht_roots *roots);
/* No thread was inside malloc: what looked so of a cache is a finding. */
void ht_roots_blame_cache(struct ht_roots *roots);
void ht_roots_fini(struct ht_roots *roots);

#endif
