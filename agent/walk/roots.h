/* SPDX-License-Identifier: Apache-2.0 */
/* Roots: what of a heap must be seen in one instant: arena structs, mp_, heap
 * chains, thread caches (walk.h). */
#ifndef HT_AGENT_WALK_ROOTS_H
#define HT_AGENT_WALK_ROOTS_H

#include "agent/libc/chunk.h"
#include "agent/walk/chunks.h"
#include "agent/walk/walk_in.h"

#define HT_ARENAS_MAX 4096
#define HT_HEAPS_MAX  16384
#define HT_CACHED_MAX (1u << 20)

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
/* What the second words of cached chunks are, as far as they differ
 * (tcache_key.c). */
#define HT_KEYS_MAX 8
#define HT_KEY_OWN  UINT64_MAX /* the address of its cache */
struct ht_key_kind {
	uint64_t key, first; /* first: the chunk's user pointer */
	uint64_t n;	     /* chunks */
};
struct ht_keys {
	struct ht_key_kind v[HT_KEYS_MAX];
	size_t kinds;
	uint64_t n; /* chunks, those of further kinds, too */
};

struct ht_space {
	const struct ht_malloc *malloc; /* borrowed */
	struct ht_params params;
	bool safe_linking;
	bool safe_linking_known;
	struct ht_keys keys;
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
	bool cached_cut;      /* more than HT_CACHED_MAX */
	size_t unread_caches; /* of threads that have no row in the notes */
	/* What was not read of malloc's own since it is swapped out: places,
	 * and bytes in thread caches that were not followed further. */
	uint64_t swapped, cached_swapped;
	/* Bytes in all caches as their counters say: those of `cached`, and of
	 * what a list that was cut did not come to (at most, where chunks of
	 * one bin differ in size). */
	uint64_t counted;
	bool in_flux;
	bool locked; /* ... for an arena is locked */
	/* ... for a list that is not as long as its counter says; 0: none. */
	uint64_t odd_cache;
	unsigned odd_bin;
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
/* The same at the begin of a look: what cannot be is a finding. */
void ht_params_begin(const struct ht_walk_in *in, struct ht_space *space,
		     struct ht_snapshot *notes);
/* mp_ as it is now, what cannot be as HT_UNKNOWN; false: it cannot be read. */
bool ht_params_read(struct ht_reader *reader, const struct ht_malloc *m,
		    struct ht_params *ret);
/* Into the space, which stays as it was where they cannot be read. */
void ht_params_renew(struct ht_reader *reader, struct ht_space *space);
/* Arenas and their heaps as they are now, without thread caches. */
enum ht_code ht_roots_read_arenas(const struct ht_walk_in *in,
				  struct ht_roots **ret,
				  struct ht_err *err) HT_MUST_CHECK;
/* Newest heap (the one of top) -> prev -> ... -> the first; sorted. */
enum ht_code ht_heaps_read(const struct ht_walk_in *in, struct ht_roots *roots,
			   struct ht_arena_root *a,
			   struct ht_err *err) HT_MUST_CHECK;
bool ht_arena_contiguous(const struct ht_arena_root *a);
bool ht_arena_untouched(const struct ht_arena_root *a,
			const struct ht_layout *layout);
/* The flag that chunks in use of this arena have. */
static inline uint64_t ht_mark_of(const struct ht_arena_root *a)
{
	return a->main ? 0 : HT_NON_MAIN_ARENA;
}
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

/* One more; and a finding of each kind that cannot be the key, where the libc
 * of that version has one. */
void ht_keys_note(struct ht_keys *k, uint64_t key, uint64_t entry);
void ht_keys_check(const struct ht_space *space, const char *version,
		   struct ht_snapshot *notes);

#define HT_TCACHE_SMALL_BINS 64
#define HT_TCACHE_STRUCT_MAX 1024
/* Cached chunks in a bin, as the counters in a tcache_perthread_struct say;
 * HT_UNKNOWN: its list is to be followed to the end. */
uint64_t ht_tcache_count(const struct ht_space *space, const uint8_t *bytes,
			 unsigned bin);
/* Threads whose caches nobody could read, though they are looked for, and the
 * bytes that those hold at most. */
size_t ht_tcache_unread_n(const struct ht_roots *roots);
uint64_t ht_tcache_unread(const struct ht_roots *roots);
/* The size of the chunks in a bin; the largest, where they differ. */
uint64_t ht_tcache_bin_size(const struct ht_layout *l, unsigned bin);
/* Adds a cache to roots->cache; false: no memory. */
bool ht_tcache_note(struct ht_roots *roots, const struct ht_space *space,
		    uint64_t address, const uint8_t *bytes);
/* Bytes by which all caches noted have grown or shrunk together since, by their
 * counters; and what those hold at most whose counters were not read in time.
 */
uint64_t ht_tcache_drift(const struct ht_walk_in *in,
			 const struct ht_roots *roots);

/* Index into roots->cached (sorted) of the first chunk at or behind address. */
size_t ht_cached_from(const struct ht_roots *roots, uint64_t address);

#define HT_FINDINGS_MAX 100 /* a heap can be wrong in millions of places */
/* As ht_snapshot_find, but never more than HT_FINDINGS_MAX. */
void ht_walk_find(struct ht_snapshot *s, const char *code, uint64_t address,
		  uint64_t arena, const char *fmt, ...) HT_PRINTF(5, 6);

#endif
