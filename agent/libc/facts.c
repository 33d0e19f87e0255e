/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a record, wherever it came from. */
#include "agent/libc/facts.h"

#include <string.h>

/* --- debug information --------------------------------------------------- */

#define BIN_WORDS    254u /* NBINS * 2 - 2: the walk knows no other number */
#define FASTBINS_MAX 11u
#define CACHES_MAX   76u

static bool array_fits(const struct ht_facts *f, unsigned id)
{
	unsigned size = f->dwarf[id].size;
	unsigned entries = f->dwarf[HT_P_TCACHE_ENTRIES].size / f->word;

	switch (id) {
	case HT_P_ARENA_BINS:
		return size == BIN_WORDS * f->word;
	case HT_P_ARENA_FASTBINS:
		return size <= FASTBINS_MAX * f->word;
	case HT_P_TCACHE_ENTRIES:
		return size <= CACHES_MAX * f->word;
	case HT_P_TCACHE_COUNTS:
		return size == entries || size == 2 * entries;
	case HT_P_ARENA_BINMAP:
		return true;
	default:
		return size == 4 || size == 8;
	}
}

bool ht_facts_dwarf_fits(const struct ht_facts *f)
{
	static const uint64_t largest[HT_ROW_KINDS] = {
		[HT_ROW_ARENA] = HT_FACTS_ARENA_MAX,
		[HT_ROW_HEAP] = 64,
		[HT_ROW_PAR] = 512,
		[HT_ROW_TCACHE] = 1024,
	};

	for (unsigned k = 0; k < HT_ROW_KINDS; k++)
		if (f->dwarf_size[k] > largest[k])
			return false;
	for (unsigned i = 0; i < HT_PLACE_COUNT; i++) {
		struct ht_place p = f->dwarf[i];

		if (p.size && ((uint64_t)p.offset + p.size >
				       f->dwarf_size[ht_place_struct(i)] ||
			       !array_fits(f, i)))
			return false;
	}
	return true;
}

/* --- the check ----------------------------------------------------------- */

static bool ended(const char *text, size_t len)
{
	return strnlen(text, len) < len;
}

static bool hits_fit(const struct ht_facts_hit *h, unsigned n, unsigned abi,
		     unsigned kind)
{
	for (unsigned i = 0; i < n; i++)
		if (h[i].row >= ht_layout_rows_n ||
		    ht_layout_rows[h[i].row].kind != kind ||
		    ht_layout_rows[h[i].row].abi != abi)
			return false;
	return true;
}

enum ht_code ht_facts_check(const struct ht_facts *f, struct ht_err *err)
{
	bool ok = f->magic == HT_FACTS_MAGIC && f->length == sizeof(*f) &&
		  f->abi > HT_ABI_NONE && f->abi < HT_ABI_COUNT &&
		  f->word == ht_abi_word(f->abi) &&
		  f->allocator < HT_ALLOCATOR_COUNT &&
		  f->loads_n <= HT_FACTS_LOADS &&
		  f->arenas_n <= HT_FACTS_HITS && f->pars_n <= HT_FACTS_HITS &&
		  f->tpoffs_n <= HT_FACTS_TPOFFS &&
		  f->build_id_len <= HT_BUILD_ID_MAX &&
		  ended(f->banner, sizeof(f->banner)) &&
		  ended(f->allocator_version, sizeof(f->allocator_version)) &&
		  ended(f->soname, sizeof(f->soname)) &&
		  ended(f->debuglink, sizeof(f->debuglink)) &&
		  (!(f->flags & HT_FACTS_DWARF) || ht_facts_dwarf_fits(f));

	if (!ok || !hits_fit(f->arena, f->arenas_n, f->abi, HT_ROW_ARENA) ||
	    !hits_fit(f->par, f->pars_n, f->abi, HT_ROW_PAR))
		return ht_fail(err, HT_PROTOCOL,
			       "the layout role's answer makes no sense");
	return HT_OK;
}

bool ht_facts_arena_described(const struct ht_facts *f)
{
	const struct ht_facts_value *sym = &f->symbol[HT_S_MAIN_ARENA];

	return sym->known &&
	       (sym->size == f->dwarf_size[HT_ROW_ARENA] ||
		ht_layout_row(HT_ROW_ARENA, f->abi, (unsigned)sym->size, 0));
}
