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

#include "agent/libc/chunk.h"
#include "agent/walk/arena.h"
#include "agent/walk/light.h"
#include "agent/walk/nextsize.h"
#include "agent/walk/round.h"
#include "agent/walk/sound.h"
#include "common/invariant.h"

#define TABLES_MAX ((size_t)34 << 20) /* of the 64 MiB we may take */

/* --- the sums ------------------------------------------------------------ */

static void take_from(struct ht_class_count *c, uint64_t chunks, uint64_t bytes)
{
	c->chunks -= chunks < c->chunks ? chunks : c->chunks;
	c->bytes -= bytes < c->bytes ? bytes : c->bytes;
}

static void settle_cached(struct ht_arena_walk *aw, const struct ht_segment *s)
{
	size_t to = ht_cached_from(aw->in.walk->roots, s->end);

	for (size_t i = ht_cached_from(aw->in.walk->roots, s->first); i < to;
	     i++) {
		uint64_t size = aw->in.walk->roots->cached[i].size;

		if (size == 0)
			continue;
		take_from(&aw->met.in_use[ht_class_of(size)], 1, size);
		aw->figures.tcache += size;
	}
}

/* The pass saw fastbin and tcache chunks as in use; they are free. */
static void settle_in_use(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;

	for (unsigned c = 0; c < HT_EXACT_CLASSES; c++)
		aw->met.in_use[c].bytes =
			aw->met.in_use[c].chunks * ht_class_max(c);
	for (unsigned i = 0; i < aw->in.layout->fastbins; i++) {
		uint64_t size = ht_fastbin_size(aw->in.layout, i);

		take_from(&aw->met.in_use[ht_class_of(size)],
			  aw->listed.fast[i].chunks, aw->listed.fast[i].bytes);
		a->fastbin += aw->listed.fast[i].bytes;
	}
	for (size_t i = 0; i < aw->extent.segments; i++)
		settle_cached(aw, &aw->extent.segment[i]);
	for (unsigned c = 0; c < HT_CLASSES; c++) {
		a->in_use += aw->met.in_use[c].bytes;
		a->in_use_chunks += aw->met.in_use[c].chunks;
	}
}

static void settle_free(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;

	a->unsorted = aw->listed.bin[1].bytes;
	for (unsigned i = 2; i <= HT_BINS; i++)
		*(i <= HT_SMALL_LAST ? &a->small : &a->large) +=
			aw->listed.bin[i].bytes;
	a->top = aw->extent.top_end - aw->extent.top;
	a->free = a->tcache + a->fastbin + a->unsorted + a->small + a->large +
		  a->top;
}

/* system_mem is glibc's own word for what the segments add up to. */
static void settle_system(struct ht_arena_walk *aw)
{
	struct ht_arena *a = &aw->figures;
	uint64_t sum = a->in_use + a->free + a->overhead;

	/* A light look: in use is what is left of it all, or of heaps. */
	if (!aw->in.walk->in->light || sum < a->system)
		sum += a->uncertain_bytes;
	if (sum == a->system)
		return;
	if (!aw->in.root->cut)
		ht_walk_find(aw->in.walk->out, "arena_sum",
			     aw->in.root->address, aw->in.root->index,
			     "chunks and overhead add up to %" PRIu64
			     ", system_mem is %" PRIu64,
			     sum, a->system);
	a->uncertain_bytes +=
		sum < a->system ? a->system - sum : sum - a->system;
}

/* Chunks that lie in each other: as a rule the sum has told of as much. */
static void settle_beyond(struct ht_arena_walk *aw)
{
	if (aw->swept.beyond > aw->figures.uncertain_bytes)
		aw->figures.uncertain_bytes = aw->swept.beyond;
}

/* --- rows ---------------------------------------------------------------- */

static bool add_heaps(struct ht_arena_walk *aw)
{
	for (size_t i = 0; i < aw->extent.segments; i++) {
		const struct ht_segment *s = &aw->extent.segment[i];
		struct ht_heap *h = ht_snapshot_add_heap(aw->in.walk->out);

		if (!h)
			return false;
		h->arena = aw->in.root->index;
		h->address = s->start;
		h->size = s->end - s->start;
		if (aw->extent.pages[i].known && !aw->in.walk->sparse)
			h->resident = ht_segment_resident(
				&aw->in, &aw->extent.pages[i], s);
		if (aw->swept.maps)
			snprintf(h->pages, sizeof(h->pages), "%s",
				 aw->swept.maps[i]);
	}
	return true;
}

/* The size of the last remainder, if it still is a chunk: a hint only. */
static uint64_t last_remainder(const struct ht_arena_walk *aw)
{
	uint64_t head, at = aw->in.root->last_remainder;

	if (at == 0)
		return 0;
	for (size_t i = 0; i < aw->extent.segments; i++)
		if (at >= aw->extent.segment[i].first &&
		    at < aw->extent.segment[i].end &&
		    ht_reader_word(aw->in.walk->in->reader,
				   at + aw->in.layout->word, &head,
				   NULL) == HT_OK)
			return head & ~HT_SIZE_FLAGS;
	return HT_UNKNOWN;
}

static void describe(struct ht_arena_walk *aw)
{
	const struct ht_arena_root *r = aw->in.root;
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
	a->resident = aw->swept.resident;
	a->retained = aw->swept.retained;
	a->resident_free = aw->swept.resident_free;
	a->trimmable = aw->swept.trimmable;
	a->pinned = aw->swept.pinned;
}

static bool add_rows(struct ht_arena_walk *aw)
{
	struct ht_walk *w = aw->in.walk;
	struct ht_arena *row = ht_snapshot_add_arena(w->out);
	bool ok = row;

	if (row)
		*row = aw->figures;
	if (ok && w->in->want & HT_WANT_BINS && !aw->cut)
		ok = ht_bins_add_rows(&aw->in, &aw->listed);
	if (ok && w->in->want & HT_WANT_HEAPS)
		ok = add_heaps(aw);
	for (size_t i = 0; ok && i < aw->extent.segments; i++)
		ok = ht_ranges_add(&w->arenas, aw->extent.segment[i].start,
				   aw->extent.segment[i].end);
	return ok;
}

/* --- all of it ----------------------------------------------------------- */

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
	if (code == HT_FAULT && w->in->reader->expired)
		return HT_OK; /* as it was; all of it will be uncertain */
	return code;
}

/* Reading a page would swap it in: its memory is the target's to ask for. */
static void warn_unread(const struct ht_arena_walk *aw)
{
	if (aw->met.unread || aw->met.withheld)
		aw->in.walk->unread = true;
	if (aw->met.unread)
		ht_snapshot_warn(
			aw->in.walk->out,
			"arena %" PRIu64 ": %" PRIu64
			" bytes were not walked: pages among them are swapped out, and stay so",
			aw->in.root->index, aw->met.unread);
	if (aw->met.withheld)
		ht_snapshot_warn(
			aw->in.walk->out,
			"arena %" PRIu64 ": %" PRIu64
			" bytes were not walked: pages among them are absent and under userfaultfd, and are not asked for",
			aw->in.root->index, aw->met.withheld);
}

/* system_mem counts it, as malloc itself does. */
static void warn_foreign(const struct ht_arena_walk *aw)
{
	const struct ht_met *m = &aw->met;

	if (m->foreign_pieces == 0)
		return;
	ht_snapshot_warn(
		aw->in.walk->out,
		"%" PRIu64
		" bytes amid malloc's, in %zu pieces, the first at 0x%" PRIx64
		", were taken from brk by somebody else: they count as overhead, their pages as memory outside malloc",
		m->foreign_bytes, m->foreign_pieces, m->foreign_first);
}

size_t ht_walk_tables_max(const struct ht_walk_in *in)
{
	return in->tables_max ?: TABLES_MAX;
}

/* What the lists say, then where it lies. */
static void list_and_sweep(struct ht_arena_walk *aw)
{
	bool listed = !aw->listed.overflowed && !aw->met.links.full;

	HT_ASSERT(ht_links_sound(&aw->met.links));
	if (listed)
		ht_bins_begin(&aw->in, &aw->met, &aw->listed);
	else
		ht_overflow_end(aw);
	HT_ASSERT(ht_links_sound(&aw->met.links));
	if (aw->in.walk->in->marks)
		ht_marks_drop_fast(aw->in.walk->in->marks, &aw->met.links);
	ht_sweep(&aw->in, &aw->extent, &aw->met, &aw->swept);
	if (!listed)
		return;
	ht_bins_end(&aw->listed);
	ht_nextsize_check(&aw->in, &aw->met);
}

/* Every chunk, or what malloc keeps of the free ones. */
static enum ht_code meet(struct ht_arena_walk *aw, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	if (aw->in.walk->in->light)
		return ht_light_arena(aw, err);
	for (size_t i = 0; code == HT_OK && i < aw->extent.segments; i++)
		code = ht_segment_pass(aw, i, err);
	return code;
}

static enum ht_code measure(struct ht_arena_walk *aw, struct ht_err *err)
{
	const bool light = aw->in.walk->in->light;
	size_t limit = ht_walk_tables_max(aw->in.walk->in);
	enum ht_code code = ht_segments_find(&aw->in, &aw->extent, err);

	HT_ASSERT(code != HT_OK || ht_extent_sound(&aw->extent));
	ht_links_init(&aw->met.links, aw->in.layout, aw->in.root->address,
		      aw->extent.segment, aw->extent.segments, limit);
	if (code == HT_OK)
		code = meet(aw, err);
	if (code != HT_OK)
		return code;
	warn_unread(aw);
	warn_foreign(aw);
	if (light)
		ht_sweep(&aw->in, &aw->extent, &aw->met, &aw->swept);
	else
		list_and_sweep(aw);
	settle_in_use(aw);
	settle_free(aw);
	if (light)
		ht_light_settle(aw);
	describe(aw);
	settle_system(aw);
	settle_beyond(aw);
	ht_blocked(&aw->in, &aw->extent, &aw->met, &aw->swept, &aw->figures);
	return add_rows(aw) ? HT_OK
			    : ht_fail(err, HT_NOMEM, "no memory for rows");
}

static void add_to_walk(struct ht_arena_walk *aw)
{
	struct ht_walk *w = aw->in.walk;

	ht_classes_add(w->in_use, aw->met.in_use, HT_CLASSES);
	if (!w->in->light)
		ht_round_learn(w->in, aw->in.root->system, aw->met.binned);
	for (unsigned i = 0; i < HT_FASTBINS_MAX; i++)
		w->fastbin_chunks += aw->listed.fast[i].chunks;
	for (unsigned i = 1; i <= HT_BINS; i++)
		w->binned_chunks += aw->listed.bin[i].chunks;
}

static void fini(struct ht_arena_walk *aw)
{
	ht_extent_fini(&aw->extent);
	ht_swept_fini(&aw->swept);
	free(aw->listed.member);
	ht_links_fini(&aw->met.links);
	ht_ranges_fini(&aw->met.overhead);
	free(aw);
}

enum ht_code ht_arena_walk(struct ht_walk *w, struct ht_arena_root *root,
			   struct ht_err *err)
{
	struct ht_arena_walk *aw = calloc(1, sizeof(*aw));
	enum ht_code code;

	if (!aw)
		return ht_fail(err, HT_NOMEM, "no memory for an arena");
	aw->in.walk = w;
	aw->in.root = root;
	aw->met.resync_budget = HT_RESYNC_BUDGET;
	aw->in.space = &w->roots->space[root->space];
	aw->in.layout = &aw->in.space->malloc->layout;
	code = refresh(w, root, err);
	if (code == HT_OK)
		code = measure(aw, err);
	if (code == HT_OK)
		add_to_walk(aw);
	fini(aw);
	return code;
}
