/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the walk: what its files share.
 *
 *   roots.c         arena structs, mp_, heap chains: what is of one instant
 *   tcache.c        the thread caches' contents (part of the roots)
 *   tcache_counts.c how much their counters say is in them
 *   linking.c       whether links are mangled
 *   census.c        mmapped chunks, and segments that are on no list
 *   segments.c      which stretches of memory an arena consists of
 *   segment_pass.c  the linear pass over one of them: fenceposts, gaps
 *   share.c         arenas dealt out to two threads
 *   split.c         the second half of a large one, by the helper
 *   chunks.c        its hot loop; window.c: the bytes under it; resync.c: where
 *                   sizes make sense again
 *   links.c         records of free chunks; membership.c: what is in fastbins;
 *                   overflow.c: when there is no room for them
 *   bins.c          the lists of an arena
 *   sweep.c         free runs in address order: holes, residency, trimmable
 *   blocked.c       which chunks hold memory below a top, and how much
 *   arena.c         one arena, and its sums
 *   rss.c           mappings by kind; RSS by cause
 *   totals.c        sums over arenas, ratios, size classes
 *   walk.c          the order of it all
 */
#ifndef HT_AGENT_WALK_WALK_INT_H
#define HT_AGENT_WALK_WALK_INT_H

#include "agent/walk/chunks.h"
#include "agent/walk/walk.h"
#include "link/request.h"

#define HT_ARENAS_MAX	4096
#define HT_HEAPS_MAX	16384
#define HT_CACHED_MAX	(1u << 20)
#define HT_FINDINGS_MAX 100 /* a heap can be wrong in millions of places */

/* A heap_info heap of a thread arena. */
struct ht_heap_root {
	uint64_t address, size;
};

/* struct malloc_state, decoded; bins in the target's order. */
struct ht_arena_root {
	uint64_t address;
	unsigned space; /* which malloc */
	uint64_t index; /* in the snapshot */
	bool main;
	uint64_t mutex, flags, top, last_remainder, next, attached;
	uint64_t system, max_system;
	uint64_t fast[HT_FASTBINS_MAX];
	uint64_t fd[HT_BINS + 1], bk[HT_BINS + 1]; /* [0] is not used */
	bool cut; /* some of its heaps are not known: swapped out */
	struct ht_heap_root *heap; /* sorted by address */
	size_t heaps, heaps_capacity;
};

/* struct malloc_par, as far as this libc has it: HT_UNKNOWN where not. */
struct ht_space {
	const struct ht_malloc *malloc; /* borrowed */
	struct ht_params params;
	bool safe_linking;
	bool safe_linking_known;
	uint64_t main; /* index into ht_roots.arena */
};

/* A thread cache, to be looked at again when the heaps have been walked. */
struct ht_cache_root {
	uint64_t address; /* tcache_perthread_struct */
	unsigned space;
	uint64_t bytes; /* in it, by its counters; or HT_UNKNOWN */
};

struct ht_roots {
	struct ht_space space[HT_MALLOCS_MAX];
	size_t spaces;
	struct ht_arena_root *arena;
	size_t arenas, arenas_capacity;
	struct ht_cache_root *cache;
	size_t caches, caches_capacity;
	struct ht_cached *cached; /* chunks of all thread caches */
	size_t cached_n, cached_capacity;
	bool cached_cut; /* more than HT_CACHED_MAX */
	/* What was not read of malloc's own since it is swapped out: places,
	 * and bytes in thread caches that were not followed further. */
	uint64_t swapped, cached_swapped;
	/* Bytes in all caches as their counters say: those of `cached`, and of
	 * what a list that was cut did not come to (at most, where chunks of
	 * one bin differ in size). */
	uint64_t counted;
	bool in_flux;
	struct ht_snapshot notes; /* threads; findings and warnings so far */
	struct ht_roots_mark {
		size_t caches, cached_n, threads_n, findings_n;
		uint64_t counted;
	} before_last; /* ht_roots_add_threads */
};

/* What a field of a target's struct holds; HT_UNKNOWN when this version has
 * none. bytes: the whole struct. */
uint64_t ht_field_get(const uint8_t *bytes, const struct ht_layout *layout,
		      enum ht_place_id id);
/* The i-th of fields of `width` bytes from a place on. */
uint64_t ht_field_item(const uint8_t *bytes, const struct ht_layout *layout,
		       enum ht_place_id id, size_t i, unsigned width);

/* Reads struct malloc_state again (also the first time). */
enum ht_code ht_arena_root_read(struct ht_reader *reader,
				const struct ht_malloc *m,
				struct ht_arena_root *a,
				struct ht_err *err) HT_MUST_CHECK;
/* Newest heap (the one of top) -> prev -> ... -> the first; sorted. */
enum ht_code ht_heaps_read(const struct ht_walk_in *in, struct ht_roots *roots,
			   struct ht_arena_root *a,
			   struct ht_err *err) HT_MUST_CHECK;
bool ht_arena_contiguous(const struct ht_arena_root *a);
bool ht_arena_untouched(const struct ht_arena_root *a,
			const struct ht_layout *layout);
/* The reserved size of this malloc's heap_info heaps. */
uint64_t ht_heap_max(const struct ht_space *space);

/* A link found at `place`; to_user: from what it points to, to the user pointer
 * (0 in a tcache, the header in a fastbin). */
void ht_linking_learn(const struct ht_walk_in *in, struct ht_space *space,
		      uint64_t place, uint64_t raw, unsigned to_user);
void ht_linking_learn_fastbins(const struct ht_walk_in *in,
			       struct ht_roots *roots);

/* All threads' caches: adds to roots->cached and roots->notes.threads. */
enum ht_code ht_tcache_read(const struct ht_walk_in *in, struct ht_roots *roots,
			    struct ht_err *err) HT_MUST_CHECK;

#define HT_TCACHE_SMALL_BINS 64
#define HT_TCACHE_STRUCT_MAX 1024
/* Cached chunks in a bin, as the counters in a tcache_perthread_struct say;
 * HT_UNKNOWN: its list is to be followed to the end. */
uint64_t ht_tcache_count(const struct ht_space *space, const uint8_t *bytes,
			 unsigned bin);
/* The size of the chunks in a bin; the largest, where they differ. */
uint64_t ht_tcache_bin_size(const struct ht_layout *l, unsigned bin);
/* Adds a cache to roots->cache; false: no memory. */
bool ht_tcache_note(struct ht_roots *roots, const struct ht_space *space,
		    uint64_t address, const uint8_t *bytes);
/* Bytes by which all caches noted have grown or shrunk together since, by their
 * counters. */
uint64_t ht_tcache_drift(const struct ht_walk_in *in,
			 const struct ht_roots *roots);

/* --- what lies where --------------------------------------------------------
 */

struct ht_range {
	uint64_t start, end; /* [start, end) */
};
struct ht_ranges {
	struct ht_range *v;
	size_t n, capacity;
};
bool ht_ranges_add(struct ht_ranges *r, uint64_t start, uint64_t end);
void ht_ranges_sort(struct ht_ranges *r);
/* The range that holds addr, or the first behind it; NULL: none. Sorted only.
 */
const struct ht_range *ht_ranges_from(const struct ht_ranges *r, uint64_t addr);
void ht_ranges_fini(struct ht_ranges *r);

/* What the census found in anonymous mappings. */
struct ht_census {
	struct ht_ranges mmapped; /* runs of neighbouring mmapped chunks */
	uint64_t chunks, bytes; /* mmapped chunks, and their mappings' length */
	bool known;		/* false: nothing to look for could be known */
	/* Segments of a main arena that left brk: ends with fenceposts or top.
	 */
	struct ht_ranges segments[HT_MALLOCS_MAX];
};

/* --- one arena
 * ------------------------------------------------------------------ */

/* Resident bytes of one arena by the rule that keeps them. */
struct ht_kept {
	uint64_t in_use, overhead, trimmable, top_main, top_thread, tcache;
	uint64_t sub_page;
	uint64_t locked; /* would be trimmable; madvise is refused there */
};

/* Free runs of all arenas, for fragmentation. */
struct ht_runs {
	struct ht_class_count by_class[HT_CLASSES];
	uint64_t largest;
	uint64_t bytes[4], count[4]; /* < 4 KiB, < 64 KiB, < 1 MiB, more */
};

struct ht_split; /* opaque */
struct ht_sweep;

struct ht_walk {
	const struct ht_walk_in *in;
	struct ht_roots *roots;
	struct ht_snapshot *out;
	struct ht_census census;
	struct ht_ranges arenas; /* all segments of all arenas */
	struct ht_window window;
	struct ht_class_count in_use[HT_CLASSES], free[HT_CLASSES];
	struct ht_runs runs;
	struct ht_kept kept;
	bool unread; /* some of a heap is swapped out: not walked */
	uint64_t heaps_resident, heaps_swapped, free_swapped, fastbin_chunks,
		binned_chunks;
	uint64_t done, total; /* bytes, for progress */
};

#define HT_BLOCKED_RUNS 4096 /* more free runs than chunks ever asked about */

/* A free run below a top, as blocked.c wants them. */
struct ht_run {
	uint64_t start, end;
};

struct ht_arena_walk {
	struct ht_walk *walk;
	const struct ht_space *space;
	const struct ht_layout *layout;
	struct ht_arena_root *root;
	struct ht_arena figures;
	struct ht_segment *segment;
	struct ht_pages *pages; /* of each segment */
	size_t segments;
	size_t top_segment;    /* SIZE_MAX: none holds the top */
	uint64_t top, top_end; /* 0, 0: no top (untouched or corrupt) */
	struct ht_links links;
	struct ht_ranges overhead;
	struct ht_pass pass; /* of the segment that is walked */
	struct ht_class_count
		in_use[HT_CLASSES]; /* at first: all that looks so */
	struct ht_class_count
		binned[HT_BINS + 1]; /* free chunks by their size */
	struct ht_list list[HT_BINS];
	bool helped; /* the helper follows them */
	struct ht_list_count bin[HT_BINS + 1], fast[HT_FASTBINS_MAX];
	struct ht_kept kept;
	bool overflowed;  /* the tables did not hold all (overflow.c) */
	uint32_t *member; /* positions of all fastbin chunks then; sorted */
	size_t members, members_capacity;
	bool members_cut;	/* there were more */
	struct ht_sweep *sweep; /* how far it came */
	struct ht_run
		*run; /* ring of the last free runs of the top's segment */
	size_t runs;
	unsigned resync_budget;
	uint64_t unread; /* bytes not walked: pages among them are swapped */
	uint64_t joined; /* where the free chunks that touch the top begin */
	uint64_t checkpoint[HT_CHECKPOINTS];
	size_t checkpoints;
};

/* Which segments the arena consists of; sets segment, top. */
enum ht_code ht_segments_find(struct ht_arena_walk *aw,
			      struct ht_err *err) HT_MUST_CHECK;
/* Whether the pass stopped at a fencepost, and where the segment's chunks then
 * really end. */
bool ht_segment_fence(struct ht_reader *reader, const struct ht_layout *l,
		      bool main, uint64_t at, uint64_t end, uint64_t *ret_end);

/* A chunk header at or behind `from` from which sizes lead on for many chunks,
 * or to `stop`; 0: none. budget: headers that may still be looked at. */
uint64_t ht_resync(struct ht_reader *reader, const struct ht_pages *pages,
		   const struct ht_layout *l, uint64_t from, uint64_t stop,
		   unsigned *budget);
#define HT_RESYNC_BUDGET (4u << 20) /* of one arena */

enum ht_code ht_census_take(struct ht_walk *w,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_census_fini(struct ht_census *c);

/* Index into roots->cached (sorted) of the first chunk at or behind address. */
size_t ht_cached_from(const struct ht_roots *roots, uint64_t address);
/* Measures all arenas, two at a time where that is worth it. */
enum ht_code ht_arenas_walk(struct ht_walk *w,
			    struct ht_err *err) HT_MUST_CHECK;
/* Bytes that the tables of one arena may take. */
size_t ht_walk_tables_max(const struct ht_walk_in *in);
/* Measures one arena and adds its rows and sums. */
enum ht_code ht_arena_walk(struct ht_walk *w, struct ht_arena_root *root,
			   struct ht_err *err) HT_MUST_CHECK;
/* The linear pass over the i-th segment. */
enum ht_code ht_segment_pass(struct ht_arena_walk *aw, size_t i,
			     struct ht_err *err) HT_MUST_CHECK;
/* Lets the helper walk segment i from somewhere ahead of the pass on, which
 * then stops there. NULL: not worth it, or not to be had. */
struct ht_split *ht_split_begin(struct ht_arena_walk *aw, size_t i);
/* Waits for it, and takes what it found if the pass arrived where it began.
 * false: it did not, or something is wrong in one half or the other. The pass
 * may go on to its own stop in both cases. Frees the split. */
bool ht_split_join(struct ht_arena_walk *aw, size_t i, struct ht_split *s);
/* After the pass: what is in each bin and fastbin. Fastbins are known at once,
 * bins (which the sweep does not need) only at the end. */
void ht_bins_begin(struct ht_arena_walk *aw);
void ht_bins_end(struct ht_arena_walk *aw);
/* A row for each that is not empty. */
bool ht_bins_add_rows(struct ht_arena_walk *aw);
/* The tables are full, the pass is at segment i: uses them up, empties them. */
void ht_overflow_drain(struct ht_arena_walk *aw, size_t i);
/* What is in each bin and fastbin, once that was necessary. */
void ht_overflow_end(struct ht_arena_walk *aw);
void ht_kept_add(struct ht_kept *to, const struct ht_kept *from);
/* Free runs in address order, residency, trimmable: once fastbins are known. */
void ht_sweep(struct ht_arena_walk *aw);
/* Before, for tables that do not hold all: what lies below this address of the
 * i-th segment. */
void ht_sweep_below(struct ht_arena_walk *aw, size_t i, uint64_t address);
/* The pin, and blocked_* of the main arena. */
void ht_blocked(struct ht_arena_walk *aw);

/* Mappings by kind, RSS by cause. */
enum ht_code ht_rss(struct ht_walk *w, struct ht_err *err) HT_MUST_CHECK;
/* Totals, fragmentation, size classes, params. */
enum ht_code ht_totals(struct ht_walk *w, struct ht_err *err) HT_MUST_CHECK;

/* As ht_snapshot_find, but never more than HT_FINDINGS_MAX. */
void ht_walk_find(struct ht_snapshot *s, const char *code, uint64_t address,
		  uint64_t arena, const char *fmt, ...) HT_PRINTF(5, 6);

#endif
