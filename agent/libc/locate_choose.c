/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choose: from the facts of a file to the layout and the addresses of one
 * malloc. Order of belief: what the file's own content shows (the image of
 * main_arena and mp_, a symbol's size), then what debug information of the same
 * build says; the version banner only breaks ties. Where debug information
 * disagrees with the tables, the debug information is used, because it is of
 * this very build, and the snapshot says so. A libc that no row of the tables
 * fits is read by its debug information alone (locate_dwarf.c).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/libc/locate_int.h"
#include "common/cleanup.h"

/* 36 of "2.36"; 0: unknown. */
static unsigned banner_minor(const struct ht_facts *f)
{
	unsigned minor = 0;

	return sscanf(f->banner, "2.%u", &minor) == 1 ? minor : 0;
}

/* --- rows ---------------------------------------------------------------- */

/* Where the next arena of the ring lies in its heap: right behind heap_info,
 * whose size that is; 0: there is only main_arena. Heaps are aligned to 64 MiB,
 * or 1 MiB; any other HEAP_MAX_SIZE (huge pages) is a multiple. */
static unsigned heap_info_size(const struct ht_locate_in *in, uint64_t arena,
			       const struct ht_layout_row *row)
{
	uint64_t heap_max = row->word == 8 ? UINT64_C(64) << 20 : 1u << 20;
	uint64_t next = 0;

	if (!in->reader || /* a file alone */
	    ht_member(in->reader, arena, row->at[HT_P_ARENA_NEXT], &next,
		      NULL) != HT_OK ||
	    next == arena)
		return 0;
	return (unsigned)(next & (heap_max - 1));
}

static const struct ht_layout_row *
choose_heap(const struct ht_locate_in *in, const struct ht_found *f,
	    uint64_t arena_at, const struct ht_layout_row *arena,
	    const struct ht_layout_row *par)
{
	unsigned size = heap_info_size(in, arena_at, arena);
	const struct ht_layout_row *by_size =
		size ? ht_layout_row(HT_ROW_HEAP, arena->abi, size, 0) : NULL;
	/* pagesize came together with thp_pagesize and hp_pagesize, but stays
	 * where a build without tunables (2.35 to 2.37) has not those. */
	bool has_pagesize = par->at[HT_P_PAR_HP_PAGESIZE].size ||
			    banner_minor(f->facts) >= 35;

	if (by_size && arena->word == 8) /* i386 pads both to one size */
		return by_size;
	if (has_pagesize)
		return ht_layout_row(HT_ROW_HEAP, arena->abi, 0, 35);
	return ht_layout_row(HT_ROW_HEAP, arena->abi, 0,
			     arena->align == 16 ? 34 : 17);
}

/* A first guess: ht_locate_threads() asks the tcache's own chunk. */
static const struct ht_layout_row *guess_tcache(const struct ht_facts *f,
						const struct ht_facts_hit *par)
{
	const struct ht_layout_row *row = &ht_layout_rows[par->row];
	unsigned minor = banner_minor(f);

	if (!par->tcache)
		return NULL;
	if (f->dwarf_size[HT_ROW_TCACHE])
		return ht_layout_row(HT_ROW_TCACHE, f->abi,
				     (unsigned)f->dwarf_size[HT_ROW_TCACHE], 0);
	if (minor < row->from || minor > row->to)
		minor = row->from == 26 ? 30 : row->from;
	return ht_layout_row(HT_ROW_TCACHE, f->abi, 0, minor);
}

/* sbrk_base lies at different places in 2.17..2.23 and 2.24; in a file both are
 * 0. The heap that is in use tells: only one of the words is an address. */
static const struct ht_facts_hit *choose_old_par(const struct ht_locate_in *in,
						 const struct ht_found *f,
						 const struct ht_facts_hit *a,
						 const struct ht_facts_hit *b)
{
	const struct ht_facts_hit *both[2] = {a, b};

	for (unsigned i = 0; i < 2; i++) {
		const struct ht_layout_row *row = &ht_layout_rows[both[i]->row];
		uint64_t base = 0;

		if (ht_member(in->reader, f->bias + both[i]->vaddr,
			      row->at[HT_P_PAR_SBRK_BASE], &base,
			      NULL) == HT_OK &&
		    base && ht_maps_at(in->maps, base))
			return both[i];
	}
	return banner_minor(f->facts) >= 24 ? b : a;
}

/* The hit that is mp_: the one that a symbol names, else the only one. */
static enum ht_code choose_par(const struct ht_locate_in *in,
			       const struct ht_found *f,
			       const struct ht_facts_hit **ret,
			       struct ht_err *err)
{
	const struct ht_facts *x = f->facts;
	const struct ht_facts_value *sym = &x->symbol[HT_S_MP];
	const struct ht_facts_hit *found = NULL;

	for (unsigned i = 0; i < x->pars_n; i++) {
		const struct ht_facts_hit *h = &x->par[i];

		if (sym->known && h->vaddr != sym->value)
			continue;
		if (found && found->vaddr != h->vaddr)
			return ht_fail(err, HT_UNSUPPORTED,
				       "%s: mp_ may be at 0x%" PRIx64
				       " or 0x%" PRIx64,
				       f->at.path, found->vaddr, h->vaddr);
		found = found ? choose_old_par(in, f, found, h) : h;
	}
	if (!found)
		return ht_fail(err, HT_UNSUPPORTED,
			       "%s (glibc %s): no layout of mp_ fits its image",
			       f->at.path, x->banner[0] ? x->banner : "?");
	*ret = found;
	return HT_OK;
}

static bool symbol_is_arena(const struct ht_facts *x, uint64_t *vaddr,
			    const struct ht_layout_row **row)
{
	const struct ht_facts_value *sym = &x->symbol[HT_S_MAIN_ARENA];

	if (!sym->known)
		return false;
	*vaddr = sym->value;
	*row = ht_layout_row(HT_ROW_ARENA, x->abi, (unsigned)sym->size, 0);
	return *row != NULL;
}

/* Arenas that were in use when they were found: members that one release has
 * and another has not move all others, and only the right row leads round the
 * ring. NULL: none, or more than one. */
static const struct ht_facts_hit *choose_by_ring(const struct ht_locate_in *in,
						 const struct ht_found *f)
{
	const struct ht_facts *x = f->facts;
	const struct ht_facts_hit *found = NULL;

	for (unsigned i = 0; i < x->arenas_n; i++) {
		const struct ht_layout_row *row =
			&ht_layout_rows[x->arena[i].row];
		struct ht_malloc m = {.layout.abi = x->abi,
				      .layout.word = x->word,
				      .main_arena =
					      f->bias + x->arena[i].vaddr};
		HT_AUTO_FREE uint64_t *ring = NULL;
		bool closed = false;
		size_t n;

		m.layout.at[HT_P_ARENA_NEXT] = row->at[HT_P_ARENA_NEXT];
		if (ht_ring_read(&m, in->reader, &ring, &n, &closed, NULL) !=
			    HT_OK ||
		    !closed)
			continue;
		if (found)
			return NULL;
		found = &x->arena[i];
	}
	return found;
}

static enum ht_code choose_arena(const struct ht_locate_in *in,
				 const struct ht_found *f, uint64_t *vaddr,
				 const struct ht_layout_row **row,
				 struct ht_err *err)
{
	const struct ht_facts *x = f->facts;
	const struct ht_facts_hit *hit = x->arena;

	if (symbol_is_arena(x, vaddr, row))
		return HT_OK;
	if (x->flags & HT_FACTS_COPIED)
		hit = choose_by_ring(in, f);
	if (x->arenas_n == 0)
		return ht_fail(
			err, HT_UNSUPPORTED,
			"%s (glibc %s): no layout of main_arena fits its image",
			f->at.path, x->banner[0] ? x->banner : "?");
	if (!hit || (x->arenas_n > 1 && !(x->flags & HT_FACTS_COPIED)))
		return ht_fail(
			err, HT_UNSUPPORTED,
			"%s (glibc %s): %u places look like main_arena (0x%" PRIx64
			" as %s, 0x%" PRIx64 " as %s)",
			f->at.path, x->banner[0] ? x->banner : "?", x->arenas_n,
			x->arena[0].vaddr, ht_layout_rows[x->arena[0].row].name,
			x->arena[1].vaddr,
			ht_layout_rows[x->arena[1].row].name);
	*vaddr = hit->vaddr;
	*row = &ht_layout_rows[hit->row];
	return HT_OK;
}

/* --- debug information --------------------------------------------------- */

/* Compares with debug information and lets that win. */
static void apply_dwarf(const struct ht_found *f, struct ht_layout *l,
			struct ht_snapshot *notes)
{
	const struct ht_facts *x = f->facts;
	unsigned *sizes[HT_ROW_KINDS] = {&l->sizeof_arena, &l->sizeof_heap_info,
					 &l->sizeof_par, &l->sizeof_tcache};

	for (unsigned i = 0; i < HT_PLACE_COUNT; i++) {
		struct ht_place d = x->dwarf[i], t = l->at[i];

		if (!x->dwarf_size[ht_place_struct(i)] ||
		    (d.offset == t.offset && d.size == t.size))
			continue;
		ht_snapshot_warn(
			notes,
			"%s: debug information has %s at %u (%u bytes), the layout table %s at %u (%u): the debug information is used",
			f->at.path, ht_place_name(i), d.offset, d.size, l->name,
			t.offset, t.size);
		l->at[i] = d;
	}
	for (unsigned k = 0; k < HT_ROW_KINDS; k++)
		if (x->dwarf_size[k])
			*sizes[k] = (unsigned)x->dwarf_size[k];
	l->fastbins = l->at[HT_P_ARENA_FASTBINS].size / l->word;
	l->tcache_bins = l->at[HT_P_TCACHE_ENTRIES].size / l->word;
}

/* --- the whole ----------------------------------------------------------- */

static uint64_t symbol_address(const struct ht_found *f, unsigned id)
{
	const struct ht_facts_value *s = &f->facts->symbol[id];

	return s->known ? f->bias + s->value : 0;
}

/* 2.32 brought safe-linking, and RHEL 8's 2.28 had it in some updates: what
 * the structs do not prove is left to the ends of the lists. */
static int guess_safe_linking(const struct ht_layout *l)
{
	if (l->at[HT_P_PAR_HP_PAGESIZE].size)
		return 1;
	return l->tcache == HT_TCACHE_NONE && !l->at[HT_P_PAR_TCACHE_COUNT].size
		       ? (l->at[HT_P_ARENA_HAVE_FASTCHUNKS].size ? -1 : 0)
		       : -1;
}

/* Layout and addresses by the tables, debug information agreeing or not. */
static enum ht_code choose_by_table(const struct ht_locate_in *in,
				    const struct ht_found *f,
				    struct ht_malloc *ret,
				    struct ht_snapshot *notes,
				    struct ht_err *err)
{
	struct ht_layout_choice c = {0};
	const struct ht_facts_hit *par = NULL;
	uint64_t arena = 0;
	enum ht_code code = choose_arena(in, f, &arena, &c.arena, err);

	if (code == HT_OK)
		code = choose_par(in, f, &par, err);
	if (code != HT_OK)
		return code;
	c.par = &ht_layout_rows[par->row];
	c.heap = choose_heap(in, f, f->bias + arena, c.arena, c.par);
	c.tcache = guess_tcache(f->facts, par);
	if (!c.tcache && f->facts->flags & HT_FACTS_COPIED &&
	    banner_minor(f->facts) >= 26)
		ht_snapshot_warn(
			notes,
			"%s (glibc %s): its file is gone, and its memory shows no thread caches: what they hold, if they are there, counts as in use",
			f->at.path, f->facts->banner);
	code = ht_layout_compose(&c, &ret->layout, err);
	if (code != HT_OK)
		return code;
	if (f->facts->flags & HT_FACTS_DWARF)
		apply_dwarf(f, &ret->layout, notes);
	ret->main_arena = f->bias + arena;
	ret->mp = f->bias + par->vaddr;
	return HT_OK;
}

enum ht_code ht_choose_malloc(const struct ht_locate_in *in,
			      const struct ht_found *f, struct ht_malloc *ret,
			      struct ht_snapshot *notes, struct ht_err *err)
{
	enum ht_code code;

	memset(ret, 0, sizeof(*ret));
	code = choose_by_table(in, f, ret, notes, err);
	if (code != HT_OK && ht_dwarf_suffices(f->facts))
		code = ht_choose_by_dwarf(f, ret, notes, err);
	if (code != HT_OK)
		return code;
	ret->image_start = f->at.start;
	ret->image_end = f->end;
	if (f->facts->text_start) {
		ret->text_start = f->bias + f->facts->text_start;
		ret->text_end = f->bias + f->facts->text_end;
	}
	ret->trim = symbol_address(f, HT_S_MALLOC_TRIM);
	ret->fork_start = symbol_address(f, HT_S_FORK);
	if (ret->fork_start)
		ret->fork_end =
			ret->fork_start + f->facts->symbol[HT_S_FORK].size;
	ret->single_threaded = symbol_address(f, HT_S_SINGLE_THREADED);
	ret->multiple_threads = symbol_address(f, HT_S_MULTIPLE_THREADS);
	ret->safe_linking = guess_safe_linking(&ret->layout);
	return HT_OK;
}
