/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts are put together from independent rows, because vendors move single
 * structs between versions: RHEL 7's 2.17 has 2.23's malloc_state. */
#include "agent/libc/layout.h"

#include <stdio.h>
#include <string.h>

static const char *const place_names[HT_PLACE_COUNT] = {
#define PLACE_NAME(id, st, member) [HT_P_##id] = st "." member,
	HT_LAYOUT_PLACES(PLACE_NAME)
#undef PLACE_NAME
};

const char *ht_place_name(unsigned id)
{
	return place_names[id];
}

enum ht_row_kind ht_place_struct(unsigned id)
{
	if (id < HT_P_HEAP_AR_PTR)
		return HT_ROW_ARENA;
	if (id < HT_P_PAR_TRIM_THRESHOLD)
		return HT_ROW_HEAP;
	return id < HT_P_TCACHE_COUNTS ? HT_ROW_PAR : HT_ROW_TCACHE;
}

const struct ht_layout_row *ht_layout_row(enum ht_row_kind kind,
					  enum ht_abi abi, unsigned size,
					  unsigned minor)
{
	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *r = &ht_layout_rows[i];

		if (r->kind == kind && r->abi == abi &&
		    (!size || r->size == size) &&
		    (!minor || (r->from <= minor && minor <= r->to)))
			return r;
	}
	return NULL;
}

const struct ht_layout_row *ht_layout_row_named(const char *name,
						enum ht_abi abi)
{
	for (unsigned i = 0; i < ht_layout_rows_n; i++)
		if (ht_layout_rows[i].abi == abi &&
		    strcmp(ht_layout_rows[i].name, name) == 0)
			return &ht_layout_rows[i];
	return NULL;
}

static void put_places(struct ht_layout *l, const struct ht_layout_row *row)
{
	for (unsigned i = 0; i < HT_PLACE_COUNT; i++)
		if (row->at[i].size)
			l->at[i] = row->at[i];
}

static void put_tcache(struct ht_layout *l, const struct ht_layout_row *row)
{
	static const struct ht_place none = {0, 0};

	l->at[HT_P_TCACHE_COUNTS] = l->at[HT_P_TCACHE_ENTRIES] = none;
	l->tcache = row ? row->tcache : HT_TCACHE_NONE;
	l->sizeof_tcache = row ? row->size : 0;
	l->tcache_bins = row ? row->at[HT_P_TCACHE_ENTRIES].size / l->word : 0;
	if (row)
		put_places(l, row);
	else
		l->at[HT_P_PAR_TCACHE_BINS] = l->at[HT_P_PAR_TCACHE_MAX_BYTES] =
			l->at[HT_P_PAR_TCACHE_COUNT] = none;
	/* 2.35-2.41 alone let hp_pagesize raise HEAP_MAX_SIZE; 2.42 undid it
	 * and brought num_slots. */
	l->heap_max_follows_hp = l->at[HT_P_PAR_HP_PAGESIZE].size &&
				 l->fastbins &&
				 l->tcache != HT_TCACHE_NUM_SLOTS;
}

static void put_releases(struct ht_layout *l, const struct ht_layout_choice *c)
{
	const struct ht_layout_row *rows[] = {c->arena, c->heap, c->par};

	l->from = 0;
	l->to = UINT8_MAX;
	for (unsigned i = 0; i < 3; i++) {
		l->from = rows[i]->from > l->from ? rows[i]->from : l->from;
		l->to = rows[i]->to < l->to ? rows[i]->to : l->to;
	}
}

enum ht_code ht_layout_compose(const struct ht_layout_choice *c,
			       struct ht_layout *ret, struct ht_err *err)
{
	struct ht_layout l = {.abi = c->arena->abi,
			      .word = c->arena->word,
			      .align = c->arena->align};

	if (c->heap->abi != l.abi || c->par->abi != l.abi ||
	    (c->tcache && c->tcache->abi != l.abi))
		return ht_fail(err, HT_BUG, "layout rows of different ABIs");
	put_places(&l, c->arena);
	put_places(&l, c->heap);
	put_places(&l, c->par);
	l.fastbins = l.at[HT_P_ARENA_FASTBINS].size / l.word;
	l.sizeof_arena = c->arena->size;
	l.sizeof_heap_info = c->heap->size;
	l.sizeof_par = c->par->size;
	l.mmapped_has_header = !l.fastbins; /* both came with 2.43 */
	/* 2 * DEFAULT_MMAP_THRESHOLD_MAX: 64 MiB, or 1 MiB. */
	l.heap_max = l.word == 8 ? UINT64_C(64) << 20 : UINT64_C(1) << 20;
	put_tcache(&l, c->tcache);
	put_releases(&l, c);
	snprintf(l.name, sizeof(l.name), "%s %s %s %s %s", c->arena->name,
		 c->heap->name, c->par->name,
		 c->tcache ? c->tcache->name : "no-tcache", ht_abi_name(l.abi));
	*ret = l;
	return HT_OK;
}

enum ht_code ht_layout_glibc(unsigned minor, enum ht_abi abi,
			     struct ht_layout *ret, struct ht_err *err)
{
	const struct ht_layout_choice c = {
		ht_layout_row(HT_ROW_ARENA, abi, 0, minor),
		ht_layout_row(HT_ROW_HEAP, abi, 0, minor),
		ht_layout_row(HT_ROW_PAR, abi, 0, minor),
		ht_layout_row(HT_ROW_TCACHE, abi, 0, minor),
	};

	if (minor == 0 || !c.arena || !c.heap || !c.par)
		return ht_fail(err, HT_UNSUPPORTED,
			       "no layout for glibc 2.%u with %u-byte words",
			       minor, ht_abi_word(abi));
	return ht_layout_compose(&c, ret, err);
}

/* Which rows a vendor's backports mix; tcache NULL: compiled out. */
static const struct {
	const char *name, *arena, *par, *tcache;
} vendors[] = {
	/* BZ 19048 backport (attached_threads), also Amazon Linux 1. */
	{"rhel7", "ms-2.23", "par-2.17", NULL},
	/* 2.28-78: uint16 counts; 2.28-215: safe-linking as well. */
	{"rhel8", "ms-2.27", "par-2.26", "tcache-2.30"},
	{"photon3", "ms-2.27", "par-2.24", NULL},
	{"2.26-branch", "ms-2.27", "par-2.26", "tcache-2.26"},
	{"2.27-branch", "ms-2.27", "par-2.26", "tcache-2.26"},
	{"2.28-branch", "ms-2.27", "par-2.26", "tcache-2.30"},
	{"2.29-branch", "ms-2.27", "par-2.26", "tcache-2.30"},
};

enum ht_code ht_layout_vendor(const char *name, enum ht_abi abi,
			      struct ht_layout *ret, struct ht_err *err)
{
	for (unsigned i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		struct ht_layout_choice c;

		if (strcmp(vendors[i].name, name) != 0)
			continue;
		c.arena = ht_layout_row_named(vendors[i].arena, abi);
		c.par = ht_layout_row_named(vendors[i].par, abi);
		c.tcache = vendors[i].tcache
				   ? ht_layout_row_named(vendors[i].tcache, abi)
				   : NULL;
		/* i386 pads heap_info to the alignment. */
		c.heap = ht_layout_row(HT_ROW_HEAP, abi, 0,
				       c.arena && c.arena->align == 16 ? 34
								       : 17);
		if (c.arena && c.heap && c.par)
			return ht_layout_compose(&c, ret, err);
	}
	return ht_fail(err, HT_UNSUPPORTED,
		       "no vendor layout '%s' for %u-byte words", name,
		       ht_abi_word(abi));
}

const struct ht_layout_row *ht_layout_tcache_in_chunk(enum ht_abi abi,
						      uint64_t chunk_size)
{
	for (unsigned i = 0; i < ht_layout_rows_n; i++) {
		const struct ht_layout_row *r = &ht_layout_rows[i];
		/* All struct sizes are 0 modulo 16 but 760 and 456: one word
		 * of header, rounded to 16. 2.43 may keep a remainder too
		 * small to split: 16 more. */
		uint64_t chunk = (r->size + r->word + 15u) & ~UINT64_C(15);

		if (r->kind == HT_ROW_TCACHE && r->abi == abi &&
		    (chunk_size == chunk || (r->tcache == HT_TCACHE_NUM_SLOTS &&
					     chunk_size == chunk + 16)))
			return r;
	}
	return NULL;
}

bool ht_layout_fit_tcache(struct ht_layout *l, uint64_t chunk_size)
{
	const struct ht_layout_row *row =
		ht_layout_tcache_in_chunk(l->abi, chunk_size);
	char *name, *end, rest[sizeof(l->name)];

	if (!row || l->tcache == HT_TCACHE_NONE)
		return false;
	if (l->tcache == row->tcache)
		return true;
	put_tcache(l, row);
	name = strstr(l->name, "tcache-");
	end = name ? strchr(name, ' ') : NULL;
	if (end) {
		snprintf(rest, sizeof(rest), "%s%s", row->name, end);
		snprintf(name, sizeof(l->name) - (size_t)(name - l->name), "%s",
			 rest);
	}
	return true;
}
