/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests' own description of malloc's structures, from 2.17 to 2.44, written
 * as structs and measured by the compiler: what the walker's tables must equal.
 * Included once for each width with
 *   W     a word of the target: uint64_t or uint32_t
 *   S(n)  the name of a struct of that width
 *   FAST  fastbins of libcs with 16-byte alignment
 *   PAD_26, PAD_35  padding at the end of heap_info
 */
struct S(ms_17) {
	int mutex, flags;
	W fastbinsY[10], top, last_remainder, bins[254];
	unsigned binmap[4];
	W next, next_free, system_mem, max_system_mem;
};
struct S(ms_23) {
	int mutex, flags;
	W fastbinsY[10], top, last_remainder, bins[254];
	unsigned binmap[4];
	W next, next_free, attached_threads, system_mem, max_system_mem;
};
struct S(ms_26) {
	int mutex, flags;
	W fastbinsY[FAST], top, last_remainder, bins[254];
	unsigned binmap[4];
	W next, next_free, attached_threads, system_mem, max_system_mem;
};
struct S(ms_27) {
	int mutex, flags, have_fastchunks;
	W fastbinsY[FAST], top, last_remainder, bins[254];
	unsigned binmap[4];
	W next, next_free, attached_threads, system_mem, max_system_mem;
};
struct S(ms_43) {
	int mutex, flags;
	W top, last_remainder, bins[254];
	unsigned binmap[4];
	W next, next_free, attached_threads, system_mem, max_system_mem;
};

struct S(heap_17) {
	W ar_ptr, prev, size, mprotect_size;
};
struct S(heap_26) {
	W ar_ptr, prev, size, mprotect_size;
	char pad[PAD_26];
};
struct S(heap_35) {
	W ar_ptr, prev, size, mprotect_size, pagesize;
	char pad[PAD_35];
};

struct S(par_17) {
	W trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
	int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W mmapped_mem, max_mmapped_mem, max_total_mem, sbrk_base;
};
struct S(par_24) {
	W trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
	int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W mmapped_mem, max_mmapped_mem, sbrk_base;
};
struct S(par_26) {
	W trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
	int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W mmapped_mem, max_mmapped_mem, sbrk_base;
	W tcache_bins, tcache_max_bytes, tcache_count, tcache_unsorted_limit;
};
struct S(par_35) {
	W trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
	W thp_pagesize, hp_pagesize;
	int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W mmapped_mem, max_mmapped_mem, sbrk_base;
	W tcache_bins, tcache_max_bytes, tcache_count, tcache_unsorted_limit;
};
struct S(par_43) {
	W trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
	int thp_mode;
	W thp_pagesize, hp_pagesize;
	int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W mmapped_mem, max_mmapped_mem, sbrk_base;
	W tcache_bins, tcache_max_bytes, tcache_count, tcache_unsorted_limit;
};
struct S(par_44) {
	W trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
	int thp_mode;
	W thp_pagesize, hp_pagesize;
	int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W mmapped_mem, max_mmapped_mem, sbrk_base;
	W tcache_bins, tcache_max_bytes, tcache_count;
};

struct S(tcache_26) {
	char counts[64];
	W entries[64];
};
struct S(tcache_30) {
	uint16_t counts[64];
	W entries[64];
};
struct S(tcache_42) {
	uint16_t counts[76]; /* num_slots */
	W entries[76];
};

/* A release after all that are known: members have come and moved. */
struct S(ms_next) {
	int mutex, flags;
	W generation, top, last_remainder, bins[254];
	unsigned binmap[4];
	W owner, next, next_free, attached_threads, system_mem, max_system_mem;
};
struct S(heap_next) {
	W ar_ptr, prev, size, mprotect_size, pagesize, owner;
	char pad[2 * PAD_26];
};
struct S(par_next) {
	W trim_threshold, top_pad, mmap_threshold, decay, arena_test, arena_max;
	int thp_mode;
	W thp_pagesize, hp_pagesize;
	int hp_flags, n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	W decayed, mmapped_mem, max_mmapped_mem, sbrk_base;
	W tcache_small_bins, tcache_max_bytes, tcache_count;
};
struct S(tcache_next) {
	uint16_t num_slots[76];
	W owner, entries[76];
};

#define FIELD(st, name) offsetof(struct S(st), name)
#define ARENA(st)                                                              \
	sizeof(struct S(st)), FIELD(st, top), FIELD(st, bins),                 \
		FIELD(st, next), FIELD(st, system_mem),                        \
		FIELD(st, max_system_mem)
#define PAR(st)	  FIELD(st, n_mmaps), FIELD(st, mmapped_mem), FIELD(st, sbrk_base)
#define HEAP(st)  sizeof(struct S(st))
#define CACHE(st) sizeof(struct S(st)), FIELD(st, entries)

/* Upstream releases, by the version that changed something. */
static const struct family S(families)[] = {
	{17, OLD_ALIGN, OLD_FAST, FIELD(ms_17, fastbinsY), ARENA(ms_17),
	 HEAP(heap_17), PAR(par_17), 0, 0, 0, 0},
	{23, OLD_ALIGN, OLD_FAST, FIELD(ms_23, fastbinsY), ARENA(ms_23),
	 HEAP(heap_17), PAR(par_17), 0, 0, 0, 0},
	{24, OLD_ALIGN, OLD_FAST, FIELD(ms_23, fastbinsY), ARENA(ms_23),
	 HEAP(heap_17), PAR(par_24), 0, 0, 0, 0},
	{26, 16, FAST, FIELD(ms_26, fastbinsY), ARENA(ms_26), HEAP(heap_26),
	 PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_26), 1},
	{27, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	 PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_26), 1},
	{30, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	 PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_30), 2},
	{35, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_35),
	 PAR(par_35), FIELD(par_35, tcache_count), CACHE(tcache_30), 2},
	{42, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_35),
	 PAR(par_35), FIELD(par_35, tcache_count), CACHE(tcache_42), 3},
	{43, 16, 0, 0, ARENA(ms_43), HEAP(heap_35), PAR(par_43),
	 FIELD(par_43, tcache_count), CACHE(tcache_42), 3},
	{44, 16, 0, 0, ARENA(ms_43), HEAP(heap_35), PAR(par_44),
	 FIELD(par_44, tcache_count), CACHE(tcache_42), 3},
};

/* What vendors and release branches made of one version by backports. */
static const struct vendor S(vendors)[] = {
	/* attached_threads came to 2.17 (BZ 19048). */
	{"rhel7",
	 {17, OLD_ALIGN, OLD_FAST, FIELD(ms_23, fastbinsY), ARENA(ms_23),
	  HEAP(heap_17), PAR(par_17), 0, 0, 0, 0}},
	/* 2.28-78 on: uint16 counts. */
	{"rhel8",
	 {28, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	  PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_30), 2}},
	/* 2.28 built without tcache: mp_ ends with sbrk_base. */
	{"photon3",
	 {28, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	  PAR(par_24), 0, 0, 0, 0}},
	/* have_fastchunks came to 2.26. */
	{"2.26-branch",
	 {26, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	  PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_26), 1}},
	/* The tcache key lies in the chunk: no struct changed. */
	{"2.27-branch",
	 {27, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	  PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_26), 1}},
	{"2.28-branch",
	 {28, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	  PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_30), 2}},
	{"2.29-branch",
	 {29, 16, FAST, FIELD(ms_27, fastbinsY), ARENA(ms_27), HEAP(heap_26),
	  PAR(par_26), FIELD(par_26, tcache_count), CACHE(tcache_30), 2}},
};

static const struct family S(next_family) = {45,
					     16,
					     0,
					     0,
					     ARENA(ms_next),
					     HEAP(heap_next),
					     PAR(par_next),
					     FIELD(par_next, tcache_count),
					     CACHE(tcache_next),
					     3};

/* What its debug information says, as agent/libc/dwarf.c hands it on. */
#define P(id, st, member)                                                      \
	f->dwarf[HT_P_##id] =                                                  \
		(struct ht_place){offsetof(struct S(st), member),              \
				  sizeof(((struct S(st) *)0)->member)};
static void S(describe_next)(struct ht_facts *f)
{
	P(ARENA_MUTEX, ms_next, mutex)
	P(ARENA_FLAGS, ms_next, flags)
	P(ARENA_TOP, ms_next, top)
	P(ARENA_LAST_REMAINDER, ms_next, last_remainder)
	P(ARENA_BINS, ms_next, bins)
	P(ARENA_BINMAP, ms_next, binmap)
	P(ARENA_NEXT, ms_next, next)
	P(ARENA_NEXT_FREE, ms_next, next_free)
	P(ARENA_ATTACHED, ms_next, attached_threads)
	P(ARENA_SYSTEM_MEM, ms_next, system_mem)
	P(ARENA_MAX_SYSTEM_MEM, ms_next, max_system_mem)
	P(HEAP_AR_PTR, heap_next, ar_ptr)
	P(HEAP_PREV, heap_next, prev)
	P(HEAP_SIZE, heap_next, size)
	P(HEAP_MPROTECT_SIZE, heap_next, mprotect_size)
	P(HEAP_PAGESIZE, heap_next, pagesize)
	P(PAR_TRIM_THRESHOLD, par_next, trim_threshold)
	P(PAR_TOP_PAD, par_next, top_pad)
	P(PAR_MMAP_THRESHOLD, par_next, mmap_threshold)
	P(PAR_ARENA_TEST, par_next, arena_test)
	P(PAR_ARENA_MAX, par_next, arena_max)
	P(PAR_THP_PAGESIZE, par_next, thp_pagesize)
	P(PAR_HP_PAGESIZE, par_next, hp_pagesize)
	P(PAR_N_MMAPS, par_next, n_mmaps)
	P(PAR_N_MMAPS_MAX, par_next, n_mmaps_max)
	P(PAR_MAX_N_MMAPS, par_next, max_n_mmaps)
	P(PAR_NO_DYN_THRESHOLD, par_next, no_dyn_threshold)
	P(PAR_MMAPPED_MEM, par_next, mmapped_mem)
	P(PAR_MAX_MMAPPED_MEM, par_next, max_mmapped_mem)
	P(PAR_SBRK_BASE, par_next, sbrk_base)
	P(PAR_TCACHE_BINS, par_next, tcache_small_bins)
	P(PAR_TCACHE_MAX_BYTES, par_next, tcache_max_bytes)
	P(PAR_TCACHE_COUNT, par_next, tcache_count)
	P(TCACHE_COUNTS, tcache_next, num_slots)
	P(TCACHE_ENTRIES, tcache_next, entries)
	f->dwarf_size[HT_ROW_ARENA] = sizeof(struct S(ms_next));
	f->dwarf_size[HT_ROW_HEAP] = sizeof(struct S(heap_next));
	f->dwarf_size[HT_ROW_PAR] = sizeof(struct S(par_next));
	f->dwarf_size[HT_ROW_TCACHE] = sizeof(struct S(tcache_next));
	f->dwarf_num_slots = 1;
}
#undef P

#undef FIELD
#undef ARENA
#undef PAR
#undef HEAP
#undef CACHE
