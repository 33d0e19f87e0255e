/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/facts_scan.h"

#include <string.h>

static bool all_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static uint64_t image_value(const uint8_t *image, struct ht_place at)
{
	uint64_t v = 0;

	memcpy(&v, image + at.offset, at.size);
	return v;
}

/* --- main_arena ---------------------------------------------------------- */

/* Whether the file holds, at vaddr, a malloc_state nobody has used. `next` may
 * be there or be left to its relocation. */
static bool is_default_arena(const struct ht_elf *e, uint64_t vaddr,
			     const struct ht_layout_row *row)
{
	const struct ht_place next = row->at[HT_P_ARENA_NEXT];
	const struct ht_place attached = row->at[HT_P_ARENA_ATTACHED];
	const uint8_t *image = ht_elf_at(e, vaddr, row->size);
	size_t behind = (size_t)next.offset + next.size;
	uint64_t value;

	if (!image || !all_zero(image, next.offset))
		return false;
	value = image_value(image, next);
	if (value != 0 && value != vaddr)
		return false;
	if (!attached.size)
		return all_zero(image + behind, row->size - behind);
	return image_value(image, attached) == 1 &&
	       all_zero(image + behind, attached.offset - behind) &&
	       all_zero(image + attached.offset + attached.size,
			(size_t)row->size - attached.offset - attached.size);
}

/* The word at `where` will hold `value`: is it some arena's `next`? */
static void consider_arena(const struct ht_elf *e, uint64_t where,
			   uint64_t value, struct ht_facts *ret)
{
	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *row = &ht_layout_rows[i];
		struct ht_facts_hit hit = {value, i, 0};
		bool known = false;

		if (row->kind != HT_ROW_ARENA || row->abi != e->abi ||
		    where - value != row->at[HT_P_ARENA_NEXT].offset ||
		    !is_default_arena(e, value, row))
			continue;
		for (unsigned k = 0; k < ret->arenas_n; k++)
			known |= ret->arena[k].vaddr == value &&
				 ret->arena[k].row == i;
		if (!known && ret->arenas_n < HT_FACTS_HITS)
			ret->arena[ret->arenas_n++] = hit;
	}
}

/* Words in the file: REL and RELR relocations keep the addend in place, and a
 * non-PIE program has the address itself. */
static void scan_words(const struct ht_elf *e, struct ht_facts *ret)
{
	for (unsigned i = 0; i < e->loads; i++) {
		const struct ht_facts_load *l = &e->load[i];
		uint64_t at =
			(l->vaddr + e->word - 1) & ~(uint64_t)(e->word - 1);
		uint64_t value;

		if (!(l->flags & PF_W))
			continue;
		for (; at - l->vaddr < l->filesz; at += e->word)
			if (ht_elf_word(e, at, &value) && value &&
			    at - value < 4096)
				consider_arena(e, at, value, ret);
	}
}

/* RELA relocations keep it in the entry. */
static void scan_rela(const struct ht_elf *e, struct ht_facts *ret)
{
	Elf_Scn *s = NULL;
	GElf_Shdr h;

	while ((s = ht_elf_section(e, s, SHT_RELA, NULL, &h))) {
		Elf_Data *d =
			(h.sh_flags & SHF_ALLOC) ? elf_getdata(s, NULL) : NULL;
		size_t n = d && h.sh_entsize ? d->d_size / h.sh_entsize : 0;
		GElf_Rela r;

		for (size_t i = 0; i < n && gelf_getrela(d, (int)i, &r); i++)
			if (ht_abi_is_relative(
				    e->abi, (unsigned)GELF_R_TYPE(r.r_info)) &&
			    r.r_offset - (uint64_t)r.r_addend < 4096)
				consider_arena(e, r.r_offset,
					       (uint64_t)r.r_addend, ret);
	}
}

void ht_facts_scan_arenas(const struct ht_elf *e, struct ht_facts *ret)
{
	scan_words(e, ret);
	scan_rela(e, ret);
}

/* --- mp_ ----------------------------------------------------------------- */

#define THRESHOLD	       0x20000u /* DEFAULT_TRIM_THRESHOLD, _TOP_PAD, _MMAP_... */
#define N_MMAPS_MAX	       0x10000u
#define THP_MODE_NOT_SUPPORTED 3 /* 2.43's default; 2.44's is 0 */

/* Members that are 0 in the default image. */
static const enum ht_place_id par_zero[] = {
	HT_P_PAR_ARENA_MAX,   HT_P_PAR_N_MMAPS,
	HT_P_PAR_MAX_N_MMAPS, HT_P_PAR_NO_DYN_THRESHOLD,
	HT_P_PAR_MMAPPED_MEM, HT_P_PAR_MAX_MMAPPED_MEM,
	HT_P_PAR_SBRK_BASE,   HT_P_PAR_THP_PAGESIZE,
	HT_P_PAR_HP_PAGESIZE,
};

/* thp_mode lies behind arena_max where thp_pagesize does not (2.43+). */
static bool thp_mode_fits(const struct ht_layout_row *row, const uint8_t *image)
{
	unsigned behind = 5u * row->word;
	uint64_t mode;

	if (row->at[HT_P_PAR_THP_PAGESIZE].offset <= behind)
		return true;
	mode = image_value(image, (struct ht_place){(uint16_t)behind, 4});
	return mode == (row->from == 43 ? THP_MODE_NOT_SUPPORTED : 0);
}

static bool tcache_words_fit(const struct ht_layout_row *row,
			     const uint8_t *image)
{
	uint64_t bins, max_bytes, count;

	if (!row->at[HT_P_PAR_TCACHE_BINS].size)
		return false;
	bins = image_value(image, row->at[HT_P_PAR_TCACHE_BINS]);
	max_bytes = image_value(image, row->at[HT_P_PAR_TCACHE_MAX_BYTES]);
	count = image_value(image, row->at[HT_P_PAR_TCACHE_COUNT]);
	/* 1032, 1020, 1041 or 1025; 7 or 16: vendors may tune a little. */
	return bins == 64 && max_bytes > 1000 && max_bytes < 1100 &&
	       count > 0 && count < 128;
}

/* The part of a row that every build has: a build without tcache ends there. */
static size_t par_length(const struct ht_layout_row *row, bool tcache)
{
	struct ht_place sbrk = row->at[HT_P_PAR_SBRK_BASE];

	return tcache ? row->size : (size_t)sbrk.offset + sbrk.size;
}

static bool is_default_par(const struct ht_elf *e, uint64_t vaddr,
			   const struct ht_layout_row *row, bool tcache)
{
	const uint8_t *image = ht_elf_at(e, vaddr, par_length(row, tcache));

	if (!image ||
	    image_value(image, row->at[HT_P_PAR_ARENA_TEST]) !=
		    (row->word == 8 ? 8 : 2) ||
	    image_value(image, row->at[HT_P_PAR_N_MMAPS_MAX]) != N_MMAPS_MAX ||
	    !thp_mode_fits(row, image))
		return false;
	for (size_t i = 0; i < sizeof(par_zero) / sizeof(par_zero[0]); i++)
		if (image_value(image, row->at[par_zero[i]]) != 0)
			return false;
	return !tcache || tcache_words_fit(row, image);
}

static unsigned add_pars(const struct ht_elf *e, uint64_t vaddr, bool tcache,
			 struct ht_facts *ret)
{
	unsigned added = 0;

	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *row = &ht_layout_rows[i];

		if (row->kind != HT_ROW_PAR || row->abi != e->abi ||
		    ret->pars_n == HT_FACTS_HITS ||
		    /* 2.26 without tcache is 2.24: one name is enough. */
		    (!tcache && row->from == 26) ||
		    !is_default_par(e, vaddr, row, tcache))
			continue;
		ret->par[ret->pars_n++] =
			(struct ht_facts_hit){vaddr, i, tcache};
		added++;
	}
	return added;
}

void ht_facts_scan_pars(const struct ht_elf *e, struct ht_facts *ret)
{
	for (unsigned i = 0; i < e->loads; i++) {
		const struct ht_facts_load *l = &e->load[i];
		uint64_t at =
			(l->vaddr + e->word - 1) & ~(uint64_t)(e->word - 1);
		uint64_t a, b, c;

		if (!(l->flags & PF_W))
			continue;
		for (; at - l->vaddr < l->filesz; at += e->word)
			if (ht_elf_word(e, at, &a) && a == THRESHOLD &&
			    ht_elf_word(e, at + e->word, &b) && b == a &&
			    ht_elf_word(e, at + 2 * e->word, &c) && c == a &&
			    !add_pars(e, at, true, ret))
				add_pars(e, at, false, ret);
	}
}

/* --- thread-local variables ---------------------------------------------- */

static void add_tpoff(struct ht_facts *ret, uint64_t slot, int64_t value)
{
	if (ret->tpoffs_n < HT_FACTS_TPOFFS)
		ret->tpoff[ret->tpoffs_n++] =
			(struct ht_facts_tpoff){slot, value};
}

/* Value of the symbol a relocation names; false: another object's. */
static bool symbol_value(const struct ht_elf *e, const GElf_Shdr *h,
			 size_t index, int64_t *ret)
{
	Elf_Scn *s;
	GElf_Sym sym;

	*ret = 0;
	if (index == 0)
		return true;
	s = elf_getscn(e->elf, h->sh_link);
	if (!s || !gelf_getsym(elf_getdata(s, NULL), (int)index, &sym) ||
	    sym.st_shndx == SHN_UNDEF)
		return false;
	*ret = (int64_t)sym.st_value;
	return true;
}

static void scan_tpoff_section(const struct ht_elf *e, const GElf_Shdr *h,
			       Elf_Data *d, struct ht_facts *ret)
{
	size_t n = h->sh_entsize ? d->d_size / h->sh_entsize : 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Rela r = {0};
		GElf_Rel rel;
		uint64_t in_place = 0;
		int64_t base;

		if (h->sh_type == SHT_RELA && !gelf_getrela(d, (int)i, &r))
			return;
		if (h->sh_type == SHT_REL) {
			if (!gelf_getrel(d, (int)i, &rel))
				return;
			r.r_offset = rel.r_offset;
			r.r_info = rel.r_info;
		}
		if (!ht_abi_is_tls_offset(e->abi,
					  (unsigned)GELF_R_TYPE(r.r_info)))
			continue;
		if (h->sh_type == SHT_REL) {
			if (!ht_elf_word(e, r.r_offset, &in_place))
				continue;
			r.r_addend = (int32_t)in_place;
		}
		/* In memory the loader has added the symbol already. */
		if (h->sh_type == SHT_REL && ret->flags & HT_FACTS_COPIED)
			add_tpoff(ret, r.r_offset, r.r_addend);
		else if (symbol_value(e, h, GELF_R_SYM(r.r_info), &base))
			add_tpoff(ret, r.r_offset, base + r.r_addend);
	}
}

void ht_facts_scan_tpoffs(const struct ht_elf *e, struct ht_facts *ret)
{
	static const unsigned types[] = {SHT_RELA, SHT_REL};

	for (unsigned t = 0; t < 2; t++) {
		Elf_Scn *s = NULL;
		GElf_Shdr h;

		while ((s = ht_elf_section(e, s, types[t], NULL, &h))) {
			Elf_Data *d = (h.sh_flags & SHF_ALLOC)
					      ? elf_getdata(s, NULL)
					      : NULL;

			if (d)
				scan_tpoff_section(e, &h, d, ret);
		}
	}
}
