/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout: where each field of malloc's structures lies, for one libc.
 *
 * Rows are data with their source (layout_tables.c); DWARF, where there is any,
 * must agree. Structs of the target are never declared in C: every access goes
 * through a place {offset, size}, so that 4- and 8-byte words, and every glibc
 * from 2.17 on, are one walker. A version number is never enough (vendors
 * backport): rows are chosen by content and verified before they are believed.
 */
#ifndef HT_AGENT_LIBC_LAYOUT_H
#define HT_AGENT_LIBC_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/arch/arch.h"
#include "common/err.h"

/* X(ID, DWARF struct, member): old member names are handled in locate_dwarf.c.
 */
#define HT_LAYOUT_PLACES(X)                                                    \
	X(ARENA_MUTEX, "malloc_state", "mutex")                                \
	X(ARENA_FLAGS, "malloc_state", "flags")                                \
	X(ARENA_HAVE_FASTCHUNKS, "malloc_state", "have_fastchunks")            \
	X(ARENA_FASTBINS, "malloc_state", "fastbinsY")                         \
	X(ARENA_TOP, "malloc_state", "top")                                    \
	X(ARENA_LAST_REMAINDER, "malloc_state", "last_remainder")              \
	X(ARENA_BINS, "malloc_state", "bins")                                  \
	X(ARENA_BINMAP, "malloc_state", "binmap")                              \
	X(ARENA_NEXT, "malloc_state", "next")                                  \
	X(ARENA_NEXT_FREE, "malloc_state", "next_free")                        \
	X(ARENA_ATTACHED, "malloc_state", "attached_threads")                  \
	X(ARENA_SYSTEM_MEM, "malloc_state", "system_mem")                      \
	X(ARENA_MAX_SYSTEM_MEM, "malloc_state", "max_system_mem")              \
	X(HEAP_AR_PTR, "_heap_info", "ar_ptr")                                 \
	X(HEAP_PREV, "_heap_info", "prev")                                     \
	X(HEAP_SIZE, "_heap_info", "size")                                     \
	X(HEAP_MPROTECT_SIZE, "_heap_info", "mprotect_size")                   \
	X(HEAP_PAGESIZE, "_heap_info", "pagesize")                             \
	X(PAR_TRIM_THRESHOLD, "malloc_par", "trim_threshold")                  \
	X(PAR_TOP_PAD, "malloc_par", "top_pad")                                \
	X(PAR_MMAP_THRESHOLD, "malloc_par", "mmap_threshold")                  \
	X(PAR_ARENA_TEST, "malloc_par", "arena_test")                          \
	X(PAR_ARENA_MAX, "malloc_par", "arena_max")                            \
	X(PAR_THP_PAGESIZE, "malloc_par", "thp_pagesize")                      \
	X(PAR_HP_PAGESIZE, "malloc_par", "hp_pagesize")                        \
	X(PAR_N_MMAPS, "malloc_par", "n_mmaps")                                \
	X(PAR_N_MMAPS_MAX, "malloc_par", "n_mmaps_max")                        \
	X(PAR_MAX_N_MMAPS, "malloc_par", "max_n_mmaps")                        \
	X(PAR_NO_DYN_THRESHOLD, "malloc_par", "no_dyn_threshold")              \
	X(PAR_MMAPPED_MEM, "malloc_par", "mmapped_mem")                        \
	X(PAR_MAX_MMAPPED_MEM, "malloc_par", "max_mmapped_mem")                \
	X(PAR_SBRK_BASE, "malloc_par", "sbrk_base")                            \
	X(PAR_TCACHE_BINS, "malloc_par", "tcache_bins")                        \
	X(PAR_TCACHE_MAX_BYTES, "malloc_par", "tcache_max_bytes")              \
	X(PAR_TCACHE_COUNT, "malloc_par", "tcache_count")                      \
	X(TCACHE_COUNTS, "tcache_perthread_struct", "counts")                  \
	X(TCACHE_ENTRIES, "tcache_perthread_struct", "entries")

enum ht_place_id {
#define HT_PLACE_ID(id, st, member) HT_P_##id,
	HT_LAYOUT_PLACES(HT_PLACE_ID)
#undef HT_PLACE_ID
		HT_PLACE_COUNT
};

struct ht_place {
	uint16_t offset; /* bytes from the struct's start */
	uint16_t size;	 /* bytes of the whole member; 0: not in this version */
};

enum ht_tcache_kind {
	HT_TCACHE_NONE,	     /* before 2.26, or compiled out */
	HT_TCACHE_COUNTS_8,  /* char counts[64] */
	HT_TCACHE_COUNTS_16, /* uint16 counts[64] */
	HT_TCACHE_NUM_SLOTS, /* 2.42+: uint16 num_slots[76], counts down */
};

struct ht_layout {
	char name[48]; /* which rows: "ms-2.27 par-2.35 tcache-2.30 x86_64" */
	enum ht_abi abi;
	unsigned word; /* of it; SIZE_SZ: 8 or 4 */
	/* Releases 2.from .. 2.to have these structs, the tcache left out, for
	 * it is settled later. from > to: a vendor's mixture. */
	unsigned from, to;
	unsigned align;	      /* MALLOC_ALIGNMENT: 16, or 8 (i386 up to 2.25) */
	unsigned fastbins;    /* members of fastbinsY: 10, 11, or 0 (2.43+) */
	unsigned tcache;      /* enum ht_tcache_kind */
	unsigned tcache_bins; /* 0, 64 or 76 */
	unsigned sizeof_arena, sizeof_heap_info, sizeof_par, sizeof_tcache;
	bool mmapped_has_header; /* 2.43+: size excludes HDR, bit 0 of prev_size
				  */
	uint64_t heap_max;	 /* HEAP_MAX_SIZE when hp_pagesize is 0 */
	bool heap_max_follows_hp; /* 2.35-2.41: 4 x hp_pagesize if that is set
				   */
	struct ht_place at[HT_PLACE_COUNT];
};

/* Derived from word and align, for both schemes (glibc-malloc's constants). */
static inline unsigned ht_chunk_header(const struct ht_layout *l)
{
	return 2 * l->word;
}
static inline unsigned ht_chunk_min(const struct ht_layout *l)
{
	return 4 * l->word; /* MINSIZE: 32, or 16 */
}
/* Chunk addresses are this modulo align (i386 2.26+: 8; else 0). */
static inline unsigned ht_chunk_bias(const struct ht_layout *l)
{
	return (l->align - ht_chunk_header(l) % l->align) % l->align;
}

/* --- rows: independent parts of a layout --------------------------------- */

enum ht_row_kind { HT_ROW_ARENA, HT_ROW_HEAP, HT_ROW_PAR, HT_ROW_TCACHE };
#define HT_ROW_KINDS 4

/* "malloc_state.top" of HT_P_ARENA_TOP; and the struct it belongs to. */
const char *ht_place_name(unsigned id);
enum ht_row_kind ht_place_struct(unsigned id);

/* One version range of one struct; rows of layout_tables.c. */
struct ht_layout_row {
	const char *name; /* "ms-2.27": struct and first version */
	uint8_t kind;	  /* enum ht_row_kind */
	enum ht_abi abi;
	uint8_t word;	  /* of it: 8 or 4 */
	uint8_t from, to; /* glibc 2.from .. 2.to, upstream releases */
	uint8_t align;	  /* ms only: MALLOC_ALIGNMENT of these versions */
	uint8_t tcache;	  /* tcache only: enum ht_tcache_kind */
	uint16_t size;	  /* sizeof */
	struct ht_place at[HT_PLACE_COUNT];
};

extern const struct ht_layout_row ht_layout_rows[];
extern const unsigned ht_layout_rows_n;

/* One row of each kind; tcache NULL: this malloc has no tcache. */
struct ht_layout_choice {
	const struct ht_layout_row *arena, *heap, *par, *tcache;
};

/* First row of a kind and ABI with this sizeof (0: any) that is of release
 * 2.minor (0: any); NULL when there is none. */
const struct ht_layout_row *ht_layout_row(enum ht_row_kind kind,
					  enum ht_abi abi, unsigned size,
					  unsigned minor);
/* By name and ABI, NULL when there is none. */
const struct ht_layout_row *ht_layout_row_named(const char *name,
						enum ht_abi abi);
/* The whole layout of one row each. HT_BUG when their ABIs differ. */
enum ht_code ht_layout_compose(const struct ht_layout_choice *c,
			       struct ht_layout *ret,
			       struct ht_err *err) HT_MUST_CHECK;
/* What upstream's release 2.minor has. HT_UNSUPPORTED outside 2.17..2.44. */
enum ht_code ht_layout_glibc(unsigned minor, enum ht_abi abi,
			     struct ht_layout *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* What a vendor's backports made of it: "rhel7", "rhel8", "photon3",
 * "2.26-branch" to "2.29-branch". */
enum ht_code ht_layout_vendor(const char *name, enum ht_abi abi,
			      struct ht_layout *ret,
			      struct ht_err *err) HT_MUST_CHECK;

/* The tcache row whose struct lives in a chunk of this size; NULL: none. */
const struct ht_layout_row *ht_layout_tcache_in_chunk(enum ht_abi abi,
						      uint64_t chunk_size);
/* Puts the tcache row that this chunk size proves into l. False when the size
 * is no tcache's: l is unchanged. */
bool ht_layout_fit_tcache(struct ht_layout *l, uint64_t chunk_size);

#endif
