/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout tables: offsets and sizes of malloc's structures, in bytes.
 *
 * Sources. "dwarf": read from the debug packages of Debian's 2.31, 2.36, 2.41,
 * 2.43 and 2.44, amd64 and i386 (tests/matrix repeats that). "computed": the
 * struct definitions of every release tag 2.17..2.44 compiled for both words.
 * A version range is what upstream released; vendors backport, so a row is
 * chosen by content (facts_scan.c), the version is only a first guess.
 */
#include "agent/libc/layout.h"

/* clang-format off: columns are what makes a table readable. */
#define AT(id, off, len) [HT_P_##id] = {(off), (len)}

/* malloc_state. Mutex and flags are ints at 0 and 4 in all versions; next,
 * next_free, attached_threads, system_mem, max_system_mem follow the binmap. */
#define ARENA_HEAD AT(ARENA_MUTEX, 0, 4), AT(ARENA_FLAGS, 4, 4)
#define ARENA_TAIL(w, next)                                                    \
	AT(ARENA_NEXT, next, w), AT(ARENA_NEXT_FREE, (next) + (w), w),         \
		AT(ARENA_ATTACHED, (next) + 2 * (w), w),                       \
		AT(ARENA_SYSTEM_MEM, (next) + 3 * (w), w),                     \
		AT(ARENA_MAX_SYSTEM_MEM, (next) + 4 * (w), w)
#define ARENA_TAIL_OLD(w, next)                                                \
	AT(ARENA_NEXT, next, w), AT(ARENA_NEXT_FREE, (next) + (w), w),         \
		AT(ARENA_SYSTEM_MEM, (next) + 2 * (w), w),                     \
		AT(ARENA_MAX_SYSTEM_MEM, (next) + 3 * (w), w)
/* top, last_remainder, 254 bin words, 16 bytes of binmap. */
#define ARENA_BODY(w, top)                                                     \
	AT(ARENA_TOP, top, w), AT(ARENA_LAST_REMAINDER, (top) + (w), w),       \
		AT(ARENA_BINS, (top) + 2 * (w), 254 * (w)),                    \
		AT(ARENA_BINMAP, (top) + 256 * (w), 16)

/* malloc_par: what has lain at the same place in all versions. */
#define PAR_HEAD(w)                                                            \
	AT(PAR_TRIM_THRESHOLD, 0, w), AT(PAR_TOP_PAD, w, w),                   \
		AT(PAR_MMAP_THRESHOLD, 2 * (w), w),                            \
		AT(PAR_ARENA_TEST, 3 * (w), w), AT(PAR_ARENA_MAX, 4 * (w), w)
/* Four ints, then mmapped_mem and max_mmapped_mem. */
#define PAR_WORDS(w, off) (((off) + 16 + (w)-1) & ~((w)-1))
#define PAR_MMAPS(w, off)                                                      \
	AT(PAR_N_MMAPS, off, 4), AT(PAR_N_MMAPS_MAX, (off) + 4, 4),            \
		AT(PAR_MAX_N_MMAPS, (off) + 8, 4),                             \
		AT(PAR_NO_DYN_THRESHOLD, (off) + 12, 4),                       \
		AT(PAR_MMAPPED_MEM, PAR_WORDS(w, off), w),                     \
		AT(PAR_MAX_MMAPPED_MEM, PAR_WORDS(w, off) + (w), w)
#define PAR_SBRK(w, off) AT(PAR_SBRK_BASE, off, w)
#define PAR_HUGE(w, off)                                                       \
	AT(PAR_THP_PAGESIZE, off, w), AT(PAR_HP_PAGESIZE, (off) + (w), w)
#define PAR_TCACHE(w, off)                                                     \
	AT(PAR_TCACHE_BINS, off, w), AT(PAR_TCACHE_MAX_BYTES, (off) + (w), w), \
		AT(PAR_TCACHE_COUNT, (off) + 2 * (w), w)

#define HEAP_HEAD(w)                                                           \
	AT(HEAP_AR_PTR, 0, w), AT(HEAP_PREV, w, w), AT(HEAP_SIZE, 2 * (w), w), \
		AT(HEAP_MPROTECT_SIZE, 3 * (w), w)

#define WORD_X86_64 8
#define WORD_I386   4
#define ROW(kind_, name_, abi_, from_, to_, size_)                             \
	.name = (name_), .kind = HT_ROW_##kind_, .abi = HT_ABI_##abi_,         \
	.word = WORD_##abi_, .from = (from_), .to = (to_), .size = (size_)

const struct ht_layout_row ht_layout_rows[] = {
	/* --- malloc_state, x86-64 ------------------------------------------
	 */
	/* Release tags 2.17..2.22, computed. */
	{ROW(ARENA, "ms-2.17", X86_64, 17, 22, 2184), .align = 16,
	 .at = {ARENA_HEAD, AT(ARENA_FASTBINS, 8, 80), ARENA_BODY(8, 88),
		ARENA_TAIL_OLD(8, 2152)}},
	/* attached_threads: 2.23; also RHEL 7's 2.17 (BZ 19048 backport).
	 * Computed, and a local build of 2.23 and 2.26. */
	{ROW(ARENA, "ms-2.23", X86_64, 23, 26, 2192), .align = 16,
	 .at = {ARENA_HEAD, AT(ARENA_FASTBINS, 8, 80), ARENA_BODY(8, 88),
		ARENA_TAIL(8, 2152)}},
	/* have_fastchunks: 2.27; also the 2.26 release branch. Dwarf: 2.31,
	 * 2.36, 2.41; a local build of 2.42. */
	{ROW(ARENA, "ms-2.27", X86_64, 27, 42, 2200), .align = 16,
	 .at = {ARENA_HEAD, AT(ARENA_HAVE_FASTCHUNKS, 8, 4),
		AT(ARENA_FASTBINS, 16, 80), ARENA_BODY(8, 96),
		ARENA_TAIL(8, 2160)}},
	/* No fastbins any more. Dwarf: 2.43, 2.44. */
	{ROW(ARENA, "ms-2.43", X86_64, 43, 44, 2112), .align = 16,
	 .at = {ARENA_HEAD, ARENA_BODY(8, 8), ARENA_TAIL(8, 2072)}},

	/* --- malloc_state, i386 --------------------------------------------
	 */
	{ROW(ARENA, "ms-2.17", I386, 17, 22, 1104), .align = 8,
	 .at = {ARENA_HEAD, AT(ARENA_FASTBINS, 8, 40), ARENA_BODY(4, 48),
		ARENA_TAIL_OLD(4, 1088)}},
	{ROW(ARENA, "ms-2.23", I386, 23, 25, 1108), .align = 8,
	 .at = {ARENA_HEAD, AT(ARENA_FASTBINS, 8, 40), ARENA_BODY(4, 48),
		ARENA_TAIL(4, 1088)}},
	/* MALLOC_ALIGNMENT 16 brings an eleventh fastbin. Computed. */
	{ROW(ARENA, "ms-2.26", I386, 26, 26, 1112), .align = 16,
	 .at = {ARENA_HEAD, AT(ARENA_FASTBINS, 8, 44), ARENA_BODY(4, 52),
		ARENA_TAIL(4, 1092)}},
	/* Dwarf: 2.31, 2.36, 2.41. */
	{ROW(ARENA, "ms-2.27", I386, 27, 42, 1116), .align = 16,
	 .at = {ARENA_HEAD, AT(ARENA_HAVE_FASTCHUNKS, 8, 4),
		AT(ARENA_FASTBINS, 12, 44), ARENA_BODY(4, 56),
		ARENA_TAIL(4, 1096)}},
	/* Dwarf: 2.43, 2.44. */
	{ROW(ARENA, "ms-2.43", I386, 43, 44, 1068), .align = 16,
	 .at = {ARENA_HEAD, ARENA_BODY(4, 8), ARENA_TAIL(4, 1048)}},

	/* --- heap_info ------------------------------------------------------
	 */
	/* Dwarf: 2.31; computed before. */
	{ROW(HEAP, "heap-2.17", X86_64, 17, 34, 32), .at = {HEAP_HEAD(8)}},
	/* pagesize: 2.35. Dwarf: 2.36, 2.41, 2.43, 2.44. */
	{ROW(HEAP, "heap-2.35", X86_64, 35, 44, 48),
	 .at = {HEAP_HEAD(8), AT(HEAP_PAGESIZE, 32, 8)}},
	{ROW(HEAP, "heap-2.17", I386, 17, 25, 16), .at = {HEAP_HEAD(4)}},
	/* Padded to the alignment of 16. Dwarf: 2.31. */
	{ROW(HEAP, "heap-2.26", I386, 26, 34, 24), .at = {HEAP_HEAD(4)}},
	{ROW(HEAP, "heap-2.35", I386, 35, 44, 24),
	 .at = {HEAP_HEAD(4), AT(HEAP_PAGESIZE, 16, 4)}},

	/* --- malloc_par, x86-64 ---------------------------------------------
	 */
	/* max_total_mem before sbrk_base. Computed. */
	{ROW(PAR, "par-2.17", X86_64, 17, 23, 88),
	 .at = {PAR_HEAD(8), PAR_MMAPS(8, 40), PAR_SBRK(8, 80)}},
	/* Also builds of 2.26..2.34 without tcache (Photon 3's 2.28). */
	{ROW(PAR, "par-2.24", X86_64, 24, 25, 80),
	 .at = {PAR_HEAD(8), PAR_MMAPS(8, 40), PAR_SBRK(8, 72)}},
	/* Dwarf: 2.31; a local build of 2.26. */
	{ROW(PAR, "par-2.26", X86_64, 26, 34, 112),
	 .at = {PAR_HEAD(8), PAR_MMAPS(8, 40), PAR_SBRK(8, 72),
		PAR_TCACHE(8, 80)}},
	/* thp_pagesize, hp_pagesize, hp_flags. Dwarf: 2.36, 2.41, 2.42. */
	{ROW(PAR, "par-2.35", X86_64, 35, 42, 136),
	 .at = {PAR_HEAD(8), PAR_HUGE(8, 40), PAR_MMAPS(8, 60), PAR_SBRK(8, 96),
		PAR_TCACHE(8, 104)}},
	/* thp_mode in front. Dwarf: 2.43. */
	{ROW(PAR, "par-2.43", X86_64, 43, 43, 144),
	 .at = {PAR_HEAD(8), PAR_HUGE(8, 48), PAR_MMAPS(8, 68),
		PAR_SBRK(8, 104), PAR_TCACHE(8, 112)}},
	/* tcache_unsorted_limit is gone: the size of 2.35's. Dwarf: 2.44. */
	{ROW(PAR, "par-2.44", X86_64, 44, 44, 136),
	 .at = {PAR_HEAD(8), PAR_HUGE(8, 48), PAR_MMAPS(8, 68),
		PAR_SBRK(8, 104), PAR_TCACHE(8, 112)}},

	/* --- malloc_par, i386 -----------------------------------------------
	 */
	{ROW(PAR, "par-2.17", I386, 17, 23, 52),
	 .at = {PAR_HEAD(4), PAR_MMAPS(4, 20), PAR_SBRK(4, 48)}},
	{ROW(PAR, "par-2.24", I386, 24, 25, 48),
	 .at = {PAR_HEAD(4), PAR_MMAPS(4, 20), PAR_SBRK(4, 44)}},
	{ROW(PAR, "par-2.26", I386, 26, 34, 64),
	 .at = {PAR_HEAD(4), PAR_MMAPS(4, 20), PAR_SBRK(4, 44),
		PAR_TCACHE(4, 48)}},
	{ROW(PAR, "par-2.35", I386, 35, 42, 76),
	 .at = {PAR_HEAD(4), PAR_HUGE(4, 20), PAR_MMAPS(4, 32), PAR_SBRK(4, 56),
		PAR_TCACHE(4, 60)}},
	{ROW(PAR, "par-2.43", I386, 43, 43, 80),
	 .at = {PAR_HEAD(4), PAR_HUGE(4, 24), PAR_MMAPS(4, 36), PAR_SBRK(4, 60),
		PAR_TCACHE(4, 64)}},
	{ROW(PAR, "par-2.44", I386, 44, 44, 76),
	 .at = {PAR_HEAD(4), PAR_HUGE(4, 24), PAR_MMAPS(4, 36), PAR_SBRK(4, 60),
		PAR_TCACHE(4, 64)}},

	/* --- tcache_perthread_struct ----------------------------------------
	 */
	/* char counts. Computed; a local build of 2.26. */
	{ROW(TCACHE, "tcache-2.26", X86_64, 26, 29, 576),
	 .tcache = HT_TCACHE_COUNTS_8,
	 .at = {AT(TCACHE_COUNTS, 0, 64), AT(TCACHE_ENTRIES, 64, 512)}},
	/* uint16 counts: 2.30; also the 2.28 and 2.29 branches and RHEL 8.
	 * Dwarf: 2.31, 2.36, 2.41. */
	{ROW(TCACHE, "tcache-2.30", X86_64, 30, 41, 640),
	 .tcache = HT_TCACHE_COUNTS_16,
	 .at = {AT(TCACHE_COUNTS, 0, 128), AT(TCACHE_ENTRIES, 128, 512)}},
	/* num_slots, 76 bins. Dwarf: 2.43, 2.44; a local build of 2.42. */
	{ROW(TCACHE, "tcache-2.42", X86_64, 42, 44, 760),
	 .tcache = HT_TCACHE_NUM_SLOTS,
	 .at = {AT(TCACHE_COUNTS, 0, 152), AT(TCACHE_ENTRIES, 152, 608)}},
	{ROW(TCACHE, "tcache-2.26", I386, 26, 29, 320),
	 .tcache = HT_TCACHE_COUNTS_8,
	 .at = {AT(TCACHE_COUNTS, 0, 64), AT(TCACHE_ENTRIES, 64, 256)}},
	{ROW(TCACHE, "tcache-2.30", I386, 30, 41, 384),
	 .tcache = HT_TCACHE_COUNTS_16,
	 .at = {AT(TCACHE_COUNTS, 0, 128), AT(TCACHE_ENTRIES, 128, 256)}},
	{ROW(TCACHE, "tcache-2.42", I386, 42, 44, 456),
	 .tcache = HT_TCACHE_NUM_SLOTS,
	 .at = {AT(TCACHE_COUNTS, 0, 152), AT(TCACHE_ENTRIES, 152, 304)}},
};
const unsigned ht_layout_rows_n =
	sizeof(ht_layout_rows) / sizeof(ht_layout_rows[0]);
