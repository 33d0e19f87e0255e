/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heaps: one walk over all arenas of a process, and what is summed over them.
 * The order of it all is in walk.c; of one arena, in arena.h.
 */
#ifndef HT_AGENT_WALK_HEAPS_H
#define HT_AGENT_WALK_HEAPS_H

#include "agent/memory/sparse.h"
#include "agent/walk/ranges.h"
#include "agent/walk/roots.h"
#include "agent/walk/view.h"
#include "link/request.h"

/* Resident bytes of heaps by the rule that keeps them: causes from
 * HT_CAUSE_HEAP_IN_USE on but for mmapped chunks. */
struct ht_kept {
	uint64_t by[HT_CAUSE_COUNT];
};
void ht_kept_add(struct ht_kept *to, const struct ht_kept *from);
/* All of it. */
uint64_t ht_kept_sum(const struct ht_kept *k);

/* Free runs of all arenas, for fragmentation. */
struct ht_runs {
	struct ht_class_count by_class[HT_CLASSES];
	uint64_t largest;
	uint64_t bytes[4], count[4]; /* < 4 KiB, < 64 KiB, < 1 MiB, more */
};
void ht_runs_count(struct ht_runs *r, uint64_t size);

/* What the census found in anonymous mappings. */
struct ht_census {
	struct ht_ranges mmapped; /* runs of neighbouring mmapped chunks */
	uint64_t chunks, bytes; /* mmapped chunks, and their mappings' length */
	bool known;		/* false: nothing to look for could be known */
	/* Against mp_.n_mmaps and mp_.mmapped_mem: how many malloc counts, and
	 * by how many bytes its sum is another. */
	uint64_t counted, missed_bytes;
	/* Headers read for it so far; and whether, where everything was looked
	 * through, chains of neighbours had led to as much. */
	uint64_t headers;
	bool chains_suffice;
	struct ht_sparse sparse; /* of where nothing is */
	/* How many mallocs have segments in anonymous mappings. Nothing in one
	 * says whose it is; each malloc was given what lies in one mapping with
	 * its top, and where that was not all (guessed), what was left. */
	unsigned spread;
	bool guessed;
	/* Segments of a main arena that left brk: ends with fenceposts or top.
	 */
	struct ht_ranges segments[HT_MALLOCS_MAX];
};

struct ht_walk {
	const struct ht_walk_in *in;
	struct ht_roots *roots;
	struct ht_snapshot *out;
	struct ht_census census;
	struct ht_ranges arenas; /* all segments of all arenas */
	/* Whole pages amid them that somebody else took from brk. */
	struct ht_ranges foreign;
	/* What the arenas have taken since they were walked: bytes by which
	 * their system_mem is another, and where that lies. */
	uint64_t grown_bytes;
	struct ht_ranges grown;
	struct ht_view window;
	struct ht_class_count in_use[HT_CLASSES], free[HT_CLASSES];
	struct ht_runs runs;
	struct ht_kept kept;
	bool unread; /* some of a heap is swapped out: not walked */
	uint64_t heaps_resident, heaps_swapped, free_swapped, fastbin_chunks,
		binned_chunks;
	uint64_t trimmable_private;
	bool private_unknown; /* it was not asked for, or could not be */
	uint64_t done, total; /* bytes, for progress */
	/* Of a light look: pages are asked for where memory is free, not all;
	 * lists that were not followed to the end, or led astray. */
	bool sparse, lists_cut;
	/* What lists that were not followed to the end hold was estimated: so
	 * many bytes were, and of them so many are resident. */
	bool estimated;
	uint64_t estimated_bytes, estimated_resident;
	bool round_ended; /* in_use is that of a round (round.h) */
	unsigned lists_astray;
};

/* Measures all arenas, two at a time where that is worth it. */
enum ht_code ht_arenas_walk(struct ht_walk *w,
			    struct ht_err *err) HT_MUST_CHECK;
/* Bytes that the tables of one arena may take. */
size_t ht_walk_tables_max(const struct ht_walk_in *in);
/* Free chunks of an arena that a light look goes to, at most. */
size_t ht_light_chunks_max(const struct ht_walk_in *in);
/* Sets grown and grown_bytes (grown.c). */
enum ht_code ht_grown_find(struct ht_walk *w, struct ht_err *err) HT_MUST_CHECK;
/* Measures one arena and adds its rows and sums. */
enum ht_code ht_arena_walk(struct ht_walk *w, struct ht_arena_root *root,
			   struct ht_err *err) HT_MUST_CHECK;
/* Mappings by kind, RSS by cause. */
enum ht_code ht_rss(struct ht_walk *w, struct ht_err *err) HT_MUST_CHECK;
/* Of w->sparse: the causes of what is free; the others are null. */
enum ht_code ht_rss_of_free(struct ht_walk *w,
			    struct ht_err *err) HT_MUST_CHECK;
/* Totals, fragmentation, size classes, params. */
enum ht_code ht_totals(struct ht_walk *w, struct ht_err *err) HT_MUST_CHECK;

#endif
