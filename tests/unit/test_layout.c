/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout tables against the struct definitions of each release, written
 * down here a second time as C structs and laid out by the compiler. Structs of
 * 4-byte words lie on x86-64 as they lie on i386: nothing in them needs more
 * than 4-byte alignment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/libc/layout.h"

typedef uint64_t w8;
typedef uint32_t w4;

#define MS_TAIL(W)                                                             \
	W top, last_remainder, bins[254];                                      \
	uint32_t binmap[4];                                                    \
	W next, next_free

#define STRUCTS(N, W, FB, PAD17, PAD26, PAD35)                                 \
	struct ms17_##N {                                                      \
		int mutex, flags;                                              \
		W fastbins[10];                                                \
		MS_TAIL(W);                                                    \
		W system_mem, max_system_mem;                                  \
	};                                                                     \
	struct ms23_##N {                                                      \
		int mutex, flags;                                              \
		W fastbins[10];                                                \
		MS_TAIL(W);                                                    \
		W attached, system_mem, max_system_mem;                        \
	};                                                                     \
	struct ms26_##N {                                                      \
		int mutex, flags;                                              \
		W fastbins[FB];                                                \
		MS_TAIL(W);                                                    \
		W attached, system_mem, max_system_mem;                        \
	};                                                                     \
	struct ms27_##N {                                                      \
		int mutex, flags, have_fastchunks;                             \
		W fastbins[FB];                                                \
		MS_TAIL(W);                                                    \
		W attached, system_mem, max_system_mem;                        \
	};                                                                     \
	struct ms43_##N {                                                      \
		int mutex, flags;                                              \
		MS_TAIL(W);                                                    \
		W attached, system_mem, max_system_mem;                        \
	};                                                                     \
	struct heap17_##N {                                                    \
		W ar_ptr, prev, size, mprotect_size;                           \
		char pad[PAD17];                                               \
	};                                                                     \
	struct heap26_##N {                                                    \
		W ar_ptr, prev, size, mprotect_size;                           \
		char pad[PAD26];                                               \
	};                                                                     \
	struct heap35_##N {                                                    \
		W ar_ptr, prev, size, mprotect_size, pagesize;                 \
		char pad[PAD35];                                               \
	};                                                                     \
	struct par17_##N {                                                     \
		W trim_threshold, top_pad, mmap_threshold, arena_test,         \
			arena_max;                                             \
		int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn;                 \
		W mmapped_mem, max_mmapped_mem, max_total_mem, sbrk_base;      \
	};                                                                     \
	struct par24_##N {                                                     \
		W trim_threshold, top_pad, mmap_threshold, arena_test,         \
			arena_max;                                             \
		int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn;                 \
		W mmapped_mem, max_mmapped_mem, sbrk_base;                     \
	};                                                                     \
	struct par26_##N {                                                     \
		W trim_threshold, top_pad, mmap_threshold, arena_test,         \
			arena_max;                                             \
		int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn;                 \
		W mmapped_mem, max_mmapped_mem, sbrk_base, tcache_bins,        \
			tcache_max_bytes, tcache_count, unsorted_limit;        \
	};                                                                     \
	struct par35_##N {                                                     \
		W trim_threshold, top_pad, mmap_threshold, arena_test,         \
			arena_max, thp_pagesize, hp_pagesize;                  \
		int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn;       \
		W mmapped_mem, max_mmapped_mem, sbrk_base, tcache_bins,        \
			tcache_max_bytes, tcache_count, unsorted_limit;        \
	};                                                                     \
	struct par43_##N {                                                     \
		W trim_threshold, top_pad, mmap_threshold, arena_test,         \
			arena_max;                                             \
		int thp_mode;                                                  \
		W thp_pagesize, hp_pagesize;                                   \
		int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn;       \
		W mmapped_mem, max_mmapped_mem, sbrk_base, tcache_bins,        \
			tcache_max_bytes, tcache_count, unsorted_limit;        \
	};                                                                     \
	struct par44_##N {                                                     \
		W trim_threshold, top_pad, mmap_threshold, arena_test,         \
			arena_max;                                             \
		int thp_mode;                                                  \
		W thp_pagesize, hp_pagesize;                                   \
		int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn;       \
		W mmapped_mem, max_mmapped_mem, sbrk_base, tcache_bins,        \
			tcache_max_bytes, tcache_count;                        \
	};                                                                     \
	struct tcache26_##N {                                                  \
		char counts[64];                                               \
		W entries[64];                                                 \
	};                                                                     \
	struct tcache30_##N {                                                  \
		uint16_t counts[64];                                           \
		W entries[64];                                                 \
	};                                                                     \
	struct tcache42_##N {                                                  \
		uint16_t counts[76];                                           \
		W entries[76];                                                 \
	};
/* heap_info is padded so that it and a chunk header are whole alignments. */
STRUCTS(8, w8, 10, 0, 0, 8)
STRUCTS(4, w4, 11, 0, 8, 4)

struct want {
	unsigned from, to, word;
	enum ht_row_kind kind;
	unsigned size;
	struct ht_place at[HT_PLACE_COUNT];
};

#define P(id, st, member)                                                      \
	[HT_P_##id] = {offsetof(struct st, member),                            \
		       sizeof(((struct st *)0)->member)}
#define ARENA_P(st)                                                            \
	P(ARENA_MUTEX, st, mutex), P(ARENA_FLAGS, st, flags),                  \
		P(ARENA_TOP, st, top),                                         \
		P(ARENA_LAST_REMAINDER, st, last_remainder),                   \
		P(ARENA_BINS, st, bins), P(ARENA_BINMAP, st, binmap),          \
		P(ARENA_NEXT, st, next), P(ARENA_NEXT_FREE, st, next_free),    \
		P(ARENA_SYSTEM_MEM, st, system_mem),                           \
		P(ARENA_MAX_SYSTEM_MEM, st, max_system_mem)
#define PAR_P(st)                                                              \
	P(PAR_TRIM_THRESHOLD, st, trim_threshold),                             \
		P(PAR_TOP_PAD, st, top_pad),                                   \
		P(PAR_MMAP_THRESHOLD, st, mmap_threshold),                     \
		P(PAR_ARENA_TEST, st, arena_test),                             \
		P(PAR_ARENA_MAX, st, arena_max), P(PAR_N_MMAPS, st, n_mmaps),  \
		P(PAR_N_MMAPS_MAX, st, n_mmaps_max),                           \
		P(PAR_MAX_N_MMAPS, st, max_n_mmaps),                           \
		P(PAR_NO_DYN_THRESHOLD, st, no_dyn),                           \
		P(PAR_MMAPPED_MEM, st, mmapped_mem),                           \
		P(PAR_MAX_MMAPPED_MEM, st, max_mmapped_mem),                   \
		P(PAR_SBRK_BASE, st, sbrk_base)
#define PAR_TCACHE_P(st)                                                       \
	P(PAR_TCACHE_BINS, st, tcache_bins),                                   \
		P(PAR_TCACHE_MAX_BYTES, st, tcache_max_bytes),                 \
		P(PAR_TCACHE_COUNT, st, tcache_count)
#define PAR_HUGE_P(st)                                                         \
	P(PAR_THP_PAGESIZE, st, thp_pagesize),                                 \
		P(PAR_HP_PAGESIZE, st, hp_pagesize)
#define HEAP_P(st)                                                             \
	P(HEAP_AR_PTR, st, ar_ptr), P(HEAP_PREV, st, prev),                    \
		P(HEAP_SIZE, st, size),                                        \
		P(HEAP_MPROTECT_SIZE, st, mprotect_size)
#define TCACHE_P(st)                                                           \
	P(TCACHE_COUNTS, st, counts), P(TCACHE_ENTRIES, st, entries)
#define ROW(from, to, word, kind, st, ...)                                     \
	{                                                                      \
		from, to, word, HT_ROW_##kind, sizeof(struct st),              \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}

#define ROWS(N, MS26_FROM, MS26_TO, MS23_TO, H17_TO)                           \
	ROW(17, 22, N, ARENA, ms17_##N, ARENA_P(ms17_##N),                     \
	    P(ARENA_FASTBINS, ms17_##N, fastbins)),                            \
		ROW(23, MS23_TO, N, ARENA, ms23_##N, ARENA_P(ms23_##N),        \
		    P(ARENA_FASTBINS, ms23_##N, fastbins),                     \
		    P(ARENA_ATTACHED, ms23_##N, attached)),                    \
		ROW(MS26_FROM, MS26_TO, N, ARENA, ms26_##N, ARENA_P(ms26_##N), \
		    P(ARENA_FASTBINS, ms26_##N, fastbins),                     \
		    P(ARENA_ATTACHED, ms26_##N, attached)),                    \
		ROW(27, 42, N, ARENA, ms27_##N, ARENA_P(ms27_##N),             \
		    P(ARENA_HAVE_FASTCHUNKS, ms27_##N, have_fastchunks),       \
		    P(ARENA_FASTBINS, ms27_##N, fastbins),                     \
		    P(ARENA_ATTACHED, ms27_##N, attached)),                    \
		ROW(43, 44, N, ARENA, ms43_##N, ARENA_P(ms43_##N),             \
		    P(ARENA_ATTACHED, ms43_##N, attached)),                    \
		ROW(17, H17_TO, N, HEAP, heap17_##N, HEAP_P(heap17_##N)),      \
		ROW(26, 34, N, HEAP, heap26_##N, HEAP_P(heap26_##N)),          \
		ROW(35, 44, N, HEAP, heap35_##N, HEAP_P(heap35_##N),           \
		    P(HEAP_PAGESIZE, heap35_##N, pagesize)),                   \
		ROW(17, 23, N, PAR, par17_##N, PAR_P(par17_##N)),              \
		ROW(24, 25, N, PAR, par24_##N, PAR_P(par24_##N)),              \
		ROW(26, 34, N, PAR, par26_##N, PAR_P(par26_##N),               \
		    PAR_TCACHE_P(par26_##N)),                                  \
		ROW(35, 42, N, PAR, par35_##N, PAR_P(par35_##N),               \
		    PAR_HUGE_P(par35_##N), PAR_TCACHE_P(par35_##N)),           \
		ROW(43, 43, N, PAR, par43_##N, PAR_P(par43_##N),               \
		    PAR_HUGE_P(par43_##N), PAR_TCACHE_P(par43_##N)),           \
		ROW(44, 44, N, PAR, par44_##N, PAR_P(par44_##N),               \
		    PAR_HUGE_P(par44_##N), PAR_TCACHE_P(par44_##N)),           \
		ROW(26, 29, N, TCACHE, tcache26_##N, TCACHE_P(tcache26_##N)),  \
		ROW(30, 41, N, TCACHE, tcache30_##N, TCACHE_P(tcache30_##N)),  \
		ROW(42, 44, N, TCACHE, tcache42_##N, TCACHE_P(tcache42_##N))

static const struct want wanted[] = {ROWS(8, 26, 26, 26, 34),
				     ROWS(4, 26, 26, 25, 25)};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static unsigned size_in(const struct ht_layout *l, enum ht_row_kind kind)
{
	const unsigned sizes[] = {l->sizeof_arena, l->sizeof_heap_info,
				  l->sizeof_par, l->sizeof_tcache};

	return sizes[kind];
}

static void compare(const struct ht_layout *l, const struct want *w)
{
	assert_int_equal(size_in(l, w->kind), w->size);
	for (unsigned i = 0; i < HT_PLACE_COUNT; i++)
		if (w->at[i].size) {
			assert_int_equal(l->at[i].offset, w->at[i].offset);
			assert_int_equal(l->at[i].size, w->at[i].size);
		}
}

static void every_release_has_the_layout_of_its_structs(void **state)
{
	(void)state;
	for (unsigned minor = 17; minor <= 44; minor++)
		for (unsigned word = 4; word <= 8; word += 4) {
			unsigned kinds = 0;
			struct ht_layout l;

			assert_int_equal(ht_layout_glibc(minor,
							 ht_abi_with_word(word),
							 &l, NULL),
					 HT_OK);
			for (size_t i = 0; i < WANTED; i++)
				if (wanted[i].word == word &&
				    wanted[i].from <= minor &&
				    minor <= wanted[i].to) {
					compare(&l, &wanted[i]);
					kinds |= 1u << wanted[i].kind;
				}
			assert_int_equal(kinds, minor < 26 ? 7 : 15);
		}
}

static void constants_follow_the_release(void **state)
{
	static const struct {
		unsigned minor, word, align, fastbins, tcache, bins, bias;
		bool header, follows_hp;
	} cases[] = {
		{17, 8, 16, 10, HT_TCACHE_NONE, 0, 0, false, false},
		{25, 4, 8, 10, HT_TCACHE_NONE, 0, 0, false, false},
		{26, 4, 16, 11, HT_TCACHE_COUNTS_8, 64, 8, false, false},
		{29, 8, 16, 10, HT_TCACHE_COUNTS_8, 64, 0, false, false},
		{30, 8, 16, 10, HT_TCACHE_COUNTS_16, 64, 0, false, false},
		{34, 8, 16, 10, HT_TCACHE_COUNTS_16, 64, 0, false, false},
		{35, 8, 16, 10, HT_TCACHE_COUNTS_16, 64, 0, false, true},
		{41, 4, 16, 11, HT_TCACHE_COUNTS_16, 64, 8, false, true},
		{42, 8, 16, 10, HT_TCACHE_NUM_SLOTS, 76, 0, false, false},
		{43, 8, 16, 0, HT_TCACHE_NUM_SLOTS, 76, 0, true, false},
		{44, 4, 16, 0, HT_TCACHE_NUM_SLOTS, 76, 8, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ht_layout l;

		assert_int_equal(
			ht_layout_glibc(cases[i].minor,
					ht_abi_with_word(cases[i].word), &l,
					NULL),
			HT_OK);
		assert_int_equal(l.align, cases[i].align);
		assert_int_equal(l.fastbins, cases[i].fastbins);
		assert_int_equal(l.tcache, cases[i].tcache);
		assert_int_equal(l.tcache_bins, cases[i].bins);
		assert_int_equal(ht_chunk_bias(&l), cases[i].bias);
		assert_int_equal(l.mmapped_has_header, cases[i].header);
		assert_int_equal(l.heap_max_follows_hp, cases[i].follows_hp);
		assert_int_equal(l.heap_max,
				 cases[i].word == 8 ? 64 << 20 : 1 << 20);
	}
}

static void an_unknown_release_is_refused(void **state)
{
	static const unsigned unknown[] = {0, 16, 45, 99};
	struct ht_layout l;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			ht_layout_glibc(unknown[i], HT_ABI_X86_64, &l, NULL),
			HT_UNSUPPORTED);
	assert_int_equal(ht_layout_glibc(36, HT_ABI_NONE, &l, NULL),
			 HT_UNSUPPORTED);
	assert_int_equal(ht_layout_vendor("nobody", HT_ABI_X86_64, &l, NULL),
			 HT_UNSUPPORTED);
}

static void vendors_mix_rows_as_their_backports_do(void **state)
{
	static const struct {
		const char *name;
		unsigned word, arena, par, tcache;
	} cases[] = {
		{"rhel7", 8, 2192, 88, 0},
		{"rhel7", 4, 1108, 52, 0},
		{"rhel8", 8, 2200, 112, 640},
		{"photon3", 8, 2200, 80, 0},
		{"2.26-branch", 8, 2200, 112, 576},
		{"2.27-branch", 8, 2200, 112, 576},
		{"2.28-branch", 8, 2200, 112, 640},
		{"2.29-branch", 4, 1116, 64, 384},
	};
	struct ht_layout l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			ht_layout_vendor(cases[i].name,
					 ht_abi_with_word(cases[i].word), &l,
					 NULL),
			HT_OK);
		assert_int_equal(l.sizeof_arena, cases[i].arena);
		assert_int_equal(l.sizeof_par, cases[i].par);
		assert_int_equal(l.sizeof_tcache, cases[i].tcache);
		assert_int_equal(l.at[HT_P_PAR_TCACHE_COUNT].size != 0,
				 cases[i].tcache != 0);
	}
}

static void the_size_of_its_chunk_tells_the_tcache(void **state)
{
	static const struct {
		unsigned word;
		uint64_t chunk;
		unsigned kind;
	} cases[] = {
		{8, 0x250, HT_TCACHE_COUNTS_8},
		{4, 0x150, HT_TCACHE_COUNTS_8},
		{8, 0x290, HT_TCACHE_COUNTS_16},
		{4, 0x190, HT_TCACHE_COUNTS_16},
		{8, 0x300, HT_TCACHE_NUM_SLOTS},
		{4, 0x1d0, HT_TCACHE_NUM_SLOTS},
		{8, 0x310, HT_TCACHE_NUM_SLOTS},
		{4, 0x1e0, HT_TCACHE_NUM_SLOTS},
	};
	struct ht_layout l;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ht_layout_row *row = ht_layout_tcache_in_chunk(
			ht_abi_with_word(cases[i].word), cases[i].chunk);

		assert_non_null(row);
		assert_int_equal(row->tcache, cases[i].kind);
	}
	assert_null(ht_layout_tcache_in_chunk(HT_ABI_X86_64, 0x280));
	assert_null(ht_layout_tcache_in_chunk(HT_ABI_X86_64, 0));
	/* 2.28 as released, then what its branch made of it. */
	assert_int_equal(ht_layout_glibc(28, HT_ABI_X86_64, &l, NULL), HT_OK);
	assert_false(ht_layout_fit_tcache(&l, 0x123450));
	assert_true(ht_layout_fit_tcache(&l, 0x290));
	assert_int_equal(l.tcache, HT_TCACHE_COUNTS_16);
	assert_int_equal(l.sizeof_tcache, 640);
	assert_non_null(strstr(l.name, " tcache-2.30 x86_64"));
	/* No cache is made where there is none. */
	assert_int_equal(ht_layout_vendor("photon3", HT_ABI_X86_64, &l, NULL),
			 HT_OK);
	assert_false(ht_layout_fit_tcache(&l, 0x290));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_release_has_the_layout_of_its_structs),
		cmocka_unit_test(constants_follow_the_release),
		cmocka_unit_test(an_unknown_release_is_refused),
		cmocka_unit_test(vendors_mix_rows_as_their_backports_do),
		cmocka_unit_test(the_size_of_its_chunk_tells_the_tcache),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
