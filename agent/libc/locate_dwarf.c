/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libc that no row of the layout tables fits, but whose symbols and debug
 * information are there: a release after the last one known, or a vendor's
 * build. Every offset is its own then. What debug information does not tell
 * (alignment, how mmapped chunks are measured) is as in the newest release
 * known. It is believed only once the invariants hold in memory
 * (locate_verify.c), and the snapshot says how it was read.
 */
#include <stdio.h>
#include <string.h>

#include "agent/libc/locate_int.h"

bool ht_dwarf_suffices(const struct ht_facts *f)
{
	return f->flags & HT_FACTS_DWARF && f->flags & HT_FACTS_SYMTAB &&
	       f->symbol[HT_S_MP].known &&
	       f->symbol[HT_S_MAIN_ARENA].size == f->dwarf_size[HT_ROW_ARENA] &&
	       f->symbol[HT_S_MP].size == f->dwarf_size[HT_ROW_PAR];
}

/* Without these there is nothing to walk. */
static const enum ht_place_id needed[] = {
	HT_P_ARENA_MUTEX,	 HT_P_ARENA_FLAGS,     HT_P_ARENA_TOP,
	HT_P_ARENA_BINS,	 HT_P_ARENA_NEXT,      HT_P_ARENA_SYSTEM_MEM,
	HT_P_HEAP_AR_PTR,	 HT_P_HEAP_PREV,       HT_P_HEAP_SIZE,
	HT_P_PAR_N_MMAPS,	 HT_P_PAR_MMAPPED_MEM, HT_P_PAR_SBRK_BASE,
	HT_P_PAR_TRIM_THRESHOLD,
};

static enum ht_code check_needed(const struct ht_found *f, struct ht_err *err)
{
	const struct ht_facts *x = f->facts;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!x->dwarf[needed[i]].size)
			return ht_fail(
				err, HT_UNSUPPORTED,
				"%s (glibc %s): no layout fits, and its debug information lacks %s",
				f->at.path, x->banner[0] ? x->banner : "?",
				ht_place_name(needed[i]));
	return HT_OK;
}

static const struct ht_layout_row *newest(enum ht_row_kind kind,
					  enum ht_abi abi)
{
	const struct ht_layout_row *found = NULL;

	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *row = &ht_layout_rows[i];

		if (row->kind == kind && row->abi == abi &&
		    (!found || row->from > found->from))
			found = row;
	}
	return found;
}

/* Counters of one byte or two, that count up or (num_slots) down. */
static enum ht_tcache_kind tcache_kind(const struct ht_facts *f)
{
	struct ht_place counts = f->dwarf[HT_P_TCACHE_COUNTS];
	unsigned bins = f->dwarf[HT_P_TCACHE_ENTRIES].size / f->word;

	if (!f->dwarf_size[HT_ROW_TCACHE] || !bins || counts.size < bins)
		return HT_TCACHE_NONE;
	if (f->dwarf_num_slots)
		return HT_TCACHE_NUM_SLOTS;
	return counts.size == bins ? HT_TCACHE_COUNTS_8 : HT_TCACHE_COUNTS_16;
}

static void take_places(const struct ht_facts *x, struct ht_layout *l)
{
	memcpy(l->at, x->dwarf, sizeof(l->at));
	l->sizeof_arena = (unsigned)x->dwarf_size[HT_ROW_ARENA];
	l->sizeof_heap_info = (unsigned)x->dwarf_size[HT_ROW_HEAP];
	l->sizeof_par = (unsigned)x->dwarf_size[HT_ROW_PAR];
	l->sizeof_tcache = (unsigned)x->dwarf_size[HT_ROW_TCACHE];
	l->fastbins = l->at[HT_P_ARENA_FASTBINS].size / l->word;
	l->tcache = tcache_kind(x);
	l->tcache_bins = l->tcache == HT_TCACHE_NONE
				 ? 0
				 : l->at[HT_P_TCACHE_ENTRIES].size / l->word;
	l->mmapped_has_header = !l->fastbins;
	l->heap_max_follows_hp = false;
	l->from = 1; /* of no release that is known */
	l->to = 0;
	snprintf(l->name, sizeof(l->name), "debug-information %s",
		 ht_abi_name(l->abi));
}

enum ht_code ht_choose_by_dwarf(const struct ht_found *f, struct ht_malloc *ret,
				struct ht_snapshot *notes, struct ht_err *err)
{
	const struct ht_facts *x = f->facts;
	const struct ht_layout_choice c = {
		newest(HT_ROW_ARENA, x->abi), newest(HT_ROW_HEAP, x->abi),
		newest(HT_ROW_PAR, x->abi), newest(HT_ROW_TCACHE, x->abi)};
	enum ht_code code = check_needed(f, err);

	if (code == HT_OK)
		code = ht_layout_compose(&c, &ret->layout, err);
	if (code != HT_OK)
		return code;
	take_places(x, &ret->layout);
	ret->main_arena = f->bias + x->symbol[HT_S_MAIN_ARENA].value;
	ret->mp = f->bias + x->symbol[HT_S_MP].value;
	ht_snapshot_warn(
		notes,
		"%s (glibc %s): no row of the layout tables fits; it is read by its debug information alone, which malloc's invariants agree with. 'heaptide doctor PID --dump-layout' writes what is needed to add it",
		f->at.path, x->banner[0] ? x->banner : "?");
	return HT_OK;
}
