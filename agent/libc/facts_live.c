/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same search as in a file's default images (facts_scan.c), in a copy of a
 * running process's memory: main_arena and mp_ have been used there, so that
 * their shape is all there is to go by. Addresses are the target's own.
 */
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/facts_scan.h"

#define LAST_FD		  252u /* bin 127 takes no size: always linked to itself */
#define THREADS_SANE	  (UINT64_C(1) << 22)
#define N_MMAPS_MAX	  0x10000u
#define TCACHE_SMALL_BINS 64u
#define TCACHE_MAX_SANE	  (UINT64_C(1) << 30)

static uint64_t value(const uint8_t *image, struct ht_place at)
{
	uint64_t v = 0;

	if (at.size && at.size <= 8)
		memcpy(&v, image + at.offset, at.size);
	return v;
}

/* Whether `at` holds a malloc_state of this row that is in use. The ring leads
 * back to itself or to an arena in a heap, never into the library. */
static bool is_arena(const struct ht_elf *e, uint64_t at,
		     const struct ht_layout_row *row)
{
	const uint8_t *image = ht_elf_at(e, at, row->size);
	/* 2.23 put attached_threads where 2.17 has system_mem, which is a page
	 * at least: each would fit the other but for that. */
	uint64_t threads_sane = row->from == 23 ? HT_PAGE_SIZE : THREADS_SANE;
	uint64_t next, top, system;

	if (!image)
		return false;
	next = value(image, row->at[HT_P_ARENA_NEXT]);
	top = value(image, row->at[HT_P_ARENA_TOP]);
	system = value(image, row->at[HT_P_ARENA_SYSTEM_MEM]);
	return value(image, row->at[HT_P_ARENA_MUTEX]) <= 2 &&
	       value(image, row->at[HT_P_ARENA_FLAGS]) <= 7 &&
	       value(image, row->at[HT_P_ARENA_HAVE_FASTCHUNKS]) <= 1 &&
	       value(image, row->at[HT_P_ARENA_ATTACHED]) < threads_sane &&
	       top != 0 && top % (2u * row->word) % 8 == 0 && next != 0 &&
	       next % row->word == 0 &&
	       (next == at || !ht_elf_in(e, next, 0)) &&
	       system >= HT_PAGE_SIZE &&
	       system <= value(image, row->at[HT_P_ARENA_MAX_SYSTEM_MEM]);
}

/* The word at `at` and the one behind it may be bin 127. */
static void consider_arena(const struct ht_elf *e, uint64_t at,
			   struct ht_facts *ret)
{
	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *row = &ht_layout_rows[i];
		uint64_t arena;

		if (row->kind != HT_ROW_ARENA || row->abi != e->abi ||
		    ret->arenas_n == HT_FACTS_HITS)
			continue;
		arena = at - row->at[HT_P_ARENA_BINS].offset -
			(uint64_t)LAST_FD * row->word;
		if (is_arena(e, arena, row))
			ret->arena[ret->arenas_n++] =
				(struct ht_facts_hit){arena, i, 0};
	}
}

/* How many bins hold requests of up to `bytes`: request2size(), csize2tidx()
 * and one more (malloc.c, do_set_tcache_max); larger ones (2.42) have their
 * own. */
static uint64_t bins_up_to(unsigned word, uint64_t bytes)
{
	const uint64_t least = 4u * word;
	uint64_t size = (bytes + word + 15) & ~UINT64_C(15);
	uint64_t bins = ((size < least ? least : size) - least + 15) / 16 + 1;

	return bins < TCACHE_SMALL_BINS ? bins : TCACHE_SMALL_BINS;
}

/* The three words agree with one another, whatever glibc.malloc.tcache_max and
 * tcache_count made of them. 2.42 keeps the first size that is too large. */
static bool tcache_words(const struct ht_layout_row *row, const uint8_t *image)
{
	uint64_t bins = value(image, row->at[HT_P_PAR_TCACHE_BINS]);
	uint64_t bytes = value(image, row->at[HT_P_PAR_TCACHE_MAX_BYTES]);

	return row->at[HT_P_PAR_TCACHE_BINS].size && bytes < TCACHE_MAX_SANE &&
	       (bins == bins_up_to(row->word, bytes) ||
		bins + 1 == bins_up_to(row->word, bytes)) &&
	       value(image, row->at[HT_P_PAR_TCACHE_COUNT]) <= UINT16_MAX;
}

static bool is_huge_size(uint64_t size)
{
	return (size & (size - 1)) == 0 && (size == 0 || size > HT_PAGE_SIZE);
}

/* Counters and limits that no use of malloc, and hardly a tunable, breaks. */
static bool is_par(const struct ht_elf *e, uint64_t at,
		   const struct ht_layout_row *row, bool tcache)
{
	const uint8_t *image = ht_elf_at(e, at, row->size);
	const struct ht_place *p = row->at;

	return image && value(image, p[HT_P_PAR_N_MMAPS_MAX]) == N_MMAPS_MAX &&
	       value(image, p[HT_P_PAR_ARENA_TEST]) ==
		       (row->word == 8 ? 8u : 2u) &&
	       value(image, p[HT_P_PAR_NO_DYN_THRESHOLD]) <= 1 &&
	       value(image, p[HT_P_PAR_N_MMAPS]) <=
		       value(image, p[HT_P_PAR_MAX_N_MMAPS]) &&
	       value(image, p[HT_P_PAR_MMAPPED_MEM]) <=
		       value(image, p[HT_P_PAR_MAX_MMAPPED_MEM]) &&
	       is_huge_size(value(image, p[HT_P_PAR_THP_PAGESIZE])) &&
	       is_huge_size(value(image, p[HT_P_PAR_HP_PAGESIZE])) &&
	       (!tcache || tcache_words(row, image));
}

static unsigned consider_par(const struct ht_elf *e, uint64_t at, bool tcache,
			     struct ht_facts *ret)
{
	unsigned before = ret->pars_n;

	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *row = &ht_layout_rows[i];

		if (row->kind == HT_ROW_PAR && row->abi == e->abi &&
		    ret->pars_n < HT_FACTS_HITS &&
		    (tcache || row->from != 26) && is_par(e, at, row, tcache))
			ret->par[ret->pars_n++] =
				(struct ht_facts_hit){at, i, tcache};
	}
	return ret->pars_n - before;
}

void ht_facts_scan_live(const struct ht_elf *e, struct ht_facts *ret)
{
	const unsigned w = e->word;

	for (unsigned i = 0; i < e->loads; i++) {
		const struct ht_facts_load *l = &e->load[i];
		uint64_t at = (l->vaddr + w - 1) & ~(uint64_t)(w - 1), a, b;

		if (!(l->flags & PF_W))
			continue;
		for (; at - l->vaddr < l->filesz; at += w) {
			if (!ht_elf_word(e, at, &a))
				continue;
			if (a == at - 2 * w && ht_elf_word(e, at + w, &b) &&
			    b == a)
				consider_arena(e, at, ret);
			if (a >= HT_PAGE_SIZE &&
			    ht_elf_word(e, at + 3 * w, &b) &&
			    b == (w == 8 ? 8u : 2u) &&
			    !consider_par(e, at, true, ret))
				consider_par(e, at, false, ret);
		}
	}
}
