/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One arena: the linear pass over its segments, then its lists, then the sums.
 *
 *   system = in use + free + overhead (+ what could not be settled)
 *   free   = tcache + fastbin + unsorted + small + large + top
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/walk/walk_int.h"

#define SIZE_FLAGS UINT64_C(7)
#define TABLES_MAX ((size_t)34 << 20) /* of the 64 MiB we may take */

/* --- the sums
 * ----------------------------------------------------------------------- */

static void take_from(struct ht_class_count *c, uint64_t chunks, uint64_t bytes)
{
	c->chunks -= chunks < c->chunks ? chunks : c->chunks;
	c->bytes -= bytes < c->bytes ? bytes : c->bytes;
}

static void settle_cached(struct ht_arena_walk *aw, const struct ht_segment *s)
{
	size_t to = ht_cached_from(aw->walk->roots, s->end);

	for (size_t i = ht_cached_from(aw->walk->roots, s->first); i < to;
	     i++) {
		uint64_t size = aw->walk->roots->cached[i].size;

		if (size == 0)
			continue;
		take_from(&aw->in_use[ht_class_of(size)], 1, size);
		aw->figures.tcache += size;
	}
}

/* The pass saw fastbin and tcache chunks as in use; they are free. */
static void settle_in_use(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;

	for (unsigned c = 0; c < HT_EXACT_CLASSES; c++)
		aw->in_use[c].bytes = aw->in_use[c].chunks * ht_class_max(c);
	for (unsigned i = 0; i < aw->layout->fastbins; i++) {
		uint64_t size = ht_fastbin_size(aw->layout, i);

		take_from(&aw->in_use[ht_class_of(size)], aw->fast[i].chunks,
			  aw->fast[i].bytes);
		a->fastbin += aw->fast[i].bytes;
	}
	for (size_t i = 0; i < aw->segments; i++)
		settle_cached(aw, &aw->segment[i]);
	for (unsigned c = 0; c < HT_CLASSES; c++) {
		a->in_use += aw->in_use[c].bytes;
		a->in_use_chunks += aw->in_use[c].chunks;
	}
}

static void settle_free(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;

	a->unsorted = aw->bin[1].bytes;
	for (unsigned i = 2; i <= HT_BINS; i++)
		*(i <= HT_SMALL_LAST ? &a->small : &a->large) +=
			aw->bin[i].bytes;
	a->top = aw->top_end - aw->top;
	a->free = a->tcache + a->fastbin + a->unsorted + a->small + a->large +
		  a->top;
}

/* system_mem is glibc's own word for what the segments add up to. */
static void settle_system(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;
	uint64_t sum = a->in_use + a->free + a->overhead + a->uncertain_bytes;

	if (sum == a->system)
		return;
	if (!aw->walk->in->moving && !aw->root->cut)
		ht_walk_find(aw->walk->out, "arena_sum", aw->root->address,
			     aw->root->index,
			     "chunks and overhead add up to %" PRIu64
			     ", system_mem is %" PRIu64,
			     sum, a->system);
	a->uncertain_bytes +=
		sum < a->system ? a->system - sum : sum - a->system;
}

/* --- rows
 * ----------------------------------------------------------------------------
 */

static bool add_heaps(struct ht_arena_walk *aw)
{
	for (size_t i = 0; i < aw->segments; i++) {
		const struct ht_segment *s = &aw->segment[i];
		struct ht_heap *h = ht_snapshot_add_heap(aw->walk->out);

		if (!h)
			return false;
		h->arena = aw->root->index;
		h->address = s->start;
		h->size = s->end - s->start;
		if (aw->pages[i].known)
			h->resident = ht_pages_resident(&aw->pages[i], s->start,
							s->end);
	}
	return true;
}

/* The size of the last remainder, if it still is a chunk: a hint only. */
static uint64_t last_remainder(const struct ht_arena_walk *aw)
{
	uint64_t head, at = aw->root->last_remainder;

	if (at == 0)
		return 0;
	for (size_t i = 0; i < aw->segments; i++)
		if (at >= aw->segment[i].first && at < aw->segment[i].end &&
		    ht_reader_word(aw->walk->in->reader, at + aw->layout->word,
				   &head, NULL) == HT_OK)
			return head & ~SIZE_FLAGS;
	return HT_UNKNOWN;
}

static void describe(struct ht_arena_walk *aw)
{
	const struct ht_arena_root *r = aw->root;
	struct ht_arena *a = &aw->figures;

	a->index = r->index;
	a->kind = r->main ? HT_ARENA_MAIN : HT_ARENA_THREAD;
	a->address = r->address;
	a->system = r->system;
	a->max_system = r->max_system;
	a->attached_threads = r->attached;
	a->contiguous = ht_arena_contiguous(r);
	a->space = r->space;
	a->last_remainder = last_remainder(aw);
}

static bool add_rows(struct ht_arena_walk *aw)
{
	struct ht_walk *w = aw->walk;
	struct ht_arena *row = ht_snapshot_add_arena(w->out);
	bool ok = row;

	if (row)
		*row = aw->figures;
	if (ok && w->in->want & HT_WANT_BINS)
		ok = ht_bins_add_rows(aw);
	if (ok && w->in->want & HT_WANT_HEAPS)
		ok = add_heaps(aw);
	for (size_t i = 0; ok && i < aw->segments; i++)
		ok = ht_ranges_add(&w->arenas, aw->segment[i].start,
				   aw->segment[i].end);
	return ok;
}

/* --- all of it
 * -------------------------------------------------------------------------- */

static enum ht_code refresh(struct ht_walk *w, struct ht_arena_root *root,
			    struct ht_err *err)
{
	const struct ht_malloc *m = w->roots->space[root->space].malloc;
	enum ht_code code;

	if (!w->in->moving)
		return HT_OK;
	code = ht_arena_root_read(w->in->reader, m, root, err);
	if (code == HT_OK && !root->main)
		code = ht_heaps_read(w->in, w->roots, root, err);
	return code;
}

/* Reading a page would swap it in: its memory is the target's to ask for. */
static void warn_unread(const struct ht_arena_walk *aw)
{
	if (aw->unread == 0)
		return;
	aw->walk->unread = true;
	ht_snapshot_warn(aw->walk->out,
			 "arena %" PRIu64 ": %" PRIu64 " bytes were not "
			 "walked: pages among them are swapped out, and stay "
			 "so",
			 aw->root->index, aw->unread);
}

size_t ht_walk_tables_max(const struct ht_walk_in *in)
{
	return in->tables_max ?: TABLES_MAX;
}

static enum ht_code measure(struct ht_arena_walk *aw, struct ht_err *err)
{
	size_t limit = ht_walk_tables_max(aw->walk->in);
	enum ht_code code = ht_segments_find(aw, err);

	ht_links_init(&aw->links, aw->layout, aw->root->address, aw->segment,
		      aw->segments, limit);
	for (size_t i = 0; code == HT_OK && i < aw->segments; i++)
		code = ht_segment_pass(aw, i, err);
	if (code != HT_OK)
		return code;
	warn_unread(aw);
	ht_bins_begin(aw);
	ht_sweep(aw);
	ht_bins_end(aw);
	settle_in_use(aw);
	settle_free(aw);
	describe(aw);
	settle_system(aw);
	ht_blocked(aw);
	return add_rows(aw) ? HT_OK
			    : ht_fail(err, HT_NOMEM, "no memory for rows");
}

static void add_to_walk(struct ht_arena_walk *aw)
{
	struct ht_walk *w = aw->walk;

	ht_classes_add(w->in_use, aw->in_use, HT_CLASSES);
	for (unsigned i = 0; i < HT_FASTBINS_MAX; i++)
		w->fastbin_chunks += aw->fast[i].chunks;
	for (unsigned i = 1; i <= HT_BINS; i++)
		w->binned_chunks += aw->bin[i].chunks;
}

static void fini(struct ht_arena_walk *aw)
{
	for (size_t i = 0; i < aw->segments; i++)
		ht_pages_fini(&aw->pages[i]);
	free(aw->segment);
	free(aw->pages);
	free(aw->run);
	free(aw->member);
	free(aw->sweep);
	ht_links_fini(&aw->links);
	ht_ranges_fini(&aw->overhead);
	free(aw);
}

enum ht_code ht_arena_walk(struct ht_walk *w, struct ht_arena_root *root,
			   struct ht_err *err)
{
	struct ht_arena_walk *aw = calloc(1, sizeof(*aw));
	enum ht_code code;

	if (!aw)
		return ht_fail(err, HT_NOMEM, "no memory for an arena");
	aw->walk = w;
	aw->root = root;
	aw->resync_budget = HT_RESYNC_BUDGET;
	aw->space = &w->roots->space[root->space];
	aw->layout = &aw->space->malloc->layout;
	code = refresh(w, root, err);
	if (code == HT_OK)
		code = measure(aw, err);
	if (code == HT_OK)
		add_to_walk(aw);
	fini(aw);
	return code;
}
