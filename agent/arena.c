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

#include "agent/walk_int.h"

#define NON_MAIN_ARENA	4u
#define SIZE_FLAGS	UINT64_C(7)
#define RESYNCS_MAX	64
#define REREADS		3
#define LINKS_BYTES_MAX ((size_t)52 << 20) /* of the 64 MiB we may take */
#define SMALL_LAST	63

/* --- the linear pass -------------------------------------------------------
 */

static uint64_t fast_sizes(const struct ht_arena_walk *aw)
{
	uint64_t sizes = 0;

	for (unsigned i = 0; i < aw->layout->fastbins; i++)
		if (aw->root->fast[i])
			sizes |= UINT64_C(1)
				 << ht_fastbin_size(aw->layout, i) / 8;
	return sizes;
}

static void start_pass(struct ht_arena_walk *aw, size_t i)
{
	const struct ht_segment *s = &aw->segment[i];
	struct ht_cached *cached = aw->walk->roots->cached;
	size_t from = ht_cached_from(aw->walk->roots, s->first),
	       to = ht_cached_from(aw->walk->roots, s->end);

	aw->pass = (struct ht_pass){
		.layout = aw->layout,
		.window = &aw->walk->window,
		.links = &aw->links,
		.cached = cached ? cached + from : NULL,
		.cached_n = to - from,
		.first = s->first,
		.base = s->base,
		.stop = i == aw->top_segment ? aw->top : s->end,
		.fast_sizes = fast_sizes(aw),
		.safe_linking = aw->space->safe_linking,
		.at = s->first,
		.in_use = aw->in_use,
		.binned = aw->binned,
	};
	ht_window_segment(&aw->walk->window, &aw->pages[i], s->end);
}

static void overhead(struct ht_arena_walk *aw, uint64_t start, uint64_t end)
{
	if (ht_ranges_add(&aw->overhead, start, end))
		aw->figures.overhead += end - start;
	else
		aw->figures.uncertain_bytes += end - start;
}

/* An old top too small for two fenceposts becomes a chunk in use that nobody
 * holds; it lacks the mark of a thread arena. Not the program's. */
static void drop_last_chunk(struct ht_arena_walk *aw, uint64_t fence)
{
	const struct ht_pass *p = &aw->pass;
	uint64_t size = p->previous_word & SIZE_FLAGS
				? p->previous_word & ~SIZE_FLAGS
				: 0;

	if (aw->root->main || size == 0 || size > HT_EXACT_MAX ||
	    p->previous_word & NON_MAIN_ARENA || p->previous + size != fence ||
	    aw->in_use[ht_class_of(size)].chunks == 0)
		return;
	aw->in_use[ht_class_of(size)].chunks--;
	overhead(aw, p->previous, fence);
}

/* The pass came to a fencepost: what is behind it? */
static bool pass_fence(struct ht_arena_walk *aw, size_t i)
{
	struct ht_pass *p = &aw->pass;
	const struct ht_segment *s = &aw->segment[i];
	uint64_t fence = p->at, end, again;

	if (!ht_segment_fence(aw->walk->in->reader, aw->layout, aw->root->main,
			      fence, s->end, &end))
		return false;
	if (end - fence == ht_chunk_header(aw->layout))
		drop_last_chunk(aw, fence);
	if (p->stop == s->end && (!aw->root->main || s->end - end < 4096)) {
		overhead(aw, fence, s->end);
		p->at = p->stop;
		return true;
	}
	/* Somebody else called sbrk: malloc went on behind it. */
	again = ht_resync(aw->walk->in->reader, &aw->pages[i], aw->layout, end,
			  p->stop);
	if (!again)
		return false;
	overhead(aw, fence, again);
	ht_snapshot_warn(aw->walk->out,
			 "%" PRIu64 " bytes at 0x%" PRIx64 " between malloc's "
			 "were taken from brk by somebody else; they count as "
			 "overhead",
			 again - end, end);
	p->at = again;
	return true;
}

/* Sizes lead nowhere from here: go on where they do again. */
static void skip_gap(struct ht_arena_walk *aw, size_t i, enum ht_pass_end why)
{
	struct ht_pass *p = &aw->pass;
	uint64_t gap = p->at;
	uint64_t again =
		ht_resync(aw->walk->in->reader, &aw->pages[i], aw->layout,
			  gap + aw->layout->align, p->stop);

	p->at = again ? again : p->stop;
	aw->figures.uncertain_bytes += p->at - gap;
	if (aw->walk->in->moving)
		return;
	if (ht_pages_state(&aw->pages[i], gap) == HT_PAGE_SWAPPED)
		ht_snapshot_warn(aw->walk->out,
				 "%" PRIu64 " bytes at 0x%" PRIx64 " are "
				 "swapped out and were not read",
				 p->at - gap, gap);
	else
		ht_walk_find(
			aw->walk->out,
			why == HT_PASS_SIZE ? "chunk_size" : "chunk_unreadable",
			gap, aw->root->index,
			why == HT_PASS_SIZE
				? "the size of this chunk cannot be; %" PRIu64
				  " bytes were skipped"
				: "this chunk cannot be read; %" PRIu64
				  " bytes were skipped",
			p->at - gap);
}

/* While the target runs a header may be caught half-written: look again. */
static bool read_again(struct ht_arena_walk *aw, unsigned *tries)
{
	struct ht_window *w = &aw->walk->window;

	if (!aw->walk->in->moving || *tries == 0)
		return false;
	--*tries;
	return ht_window_load(w, aw->pass.at, 2 * aw->layout->word);
}

static void report_pass(struct ht_arena_walk *aw)
{
	const struct ht_pass *p = &aw->pass;

	if (aw->walk->in->moving)
		return;
	if (p->footers_bad)
		ht_walk_find(aw->walk->out, "footer", p->footer_bad_at,
			     aw->root->index,
			     "%" PRIu64 " free chunks whose footer is not "
			     "their size, this one first",
			     p->footers_bad);
	if (p->flags_bad)
		ht_walk_find(aw->walk->out, "adjacent_free", p->flags_bad_at,
			     aw->root->index,
			     "%" PRIu64 " free chunks behind a free chunk, "
			     "this one first",
			     p->flags_bad);
}

static void keep_checkpoints(struct ht_arena_walk *aw)
{
	memcpy(aw->checkpoint, aw->pass.checkpoint, sizeof(aw->checkpoint));
	aw->checkpoints = aw->pass.checkpoints;
}

static void tell_progress(struct ht_walk *w, uint64_t bytes)
{
	w->done += bytes;
	if (w->in->progress)
		w->in->progress(w->in->progress_ctx, w->done, w->total);
}

static enum ht_code walk_segment(struct ht_arena_walk *aw, size_t i,
				 struct ht_err *err)
{
	const struct ht_segment *s = &aw->segment[i];
	unsigned resyncs = RESYNCS_MAX, rereads = REREADS;
	struct ht_pass *p = &aw->pass;
	enum ht_code code;

	code = ht_pages_get(aw->walk->in->pages, s->start, s->end,
			    &aw->pages[i], err);
	if (code != HT_OK)
		return code;
	start_pass(aw, i);
	overhead(aw, s->start, s->first);
	while (p->at != p->stop) {
		enum ht_pass_end end = ht_pass_run(p);

		if (end == HT_PASS_DONE || read_again(aw, &rereads))
			continue;
		rereads = REREADS;
		if (end == HT_PASS_SIZE && pass_fence(aw, i))
			continue;
		if (resyncs-- == 0) {
			aw->figures.uncertain_bytes += p->stop - p->at;
			break;
		}
		skip_gap(aw, i, end);
	}
	report_pass(aw);
	if (i == aw->top_segment)
		keep_checkpoints(aw);
	tell_progress(aw->walk, s->end - s->start);
	return HT_OK;
}

/* --- the lists
 * ------------------------------------------------------------------ */

static const struct {
	const char *code, *text;
} faults[] = {
	[HT_LIST_WILD] = {"list_wild", "points to nothing that could be right"},
	[HT_LIST_NOT_FREE] = {"list_not_free",
			      "points to what is no free chunk"},
	[HT_LIST_LOOP] = {"list_loop", "points to a chunk that is in a list "
				       "already"},
	[HT_LIST_BACK] = {"list_back", "points to a chunk that does not point "
				       "back"},
	[HT_LIST_SIZE] = {"list_size",
			  "points to a chunk whose size belongs elsewhere"},
};

static void report_list(struct ht_arena_walk *aw, const struct ht_list *list,
			const char *kind)
{
	uint64_t at = list->fault_at < HT_LINK_MAX
			      ? ht_links_address(&aw->links, list->fault_at)
			      : aw->root->address;

	if (list->fault == HT_LIST_SOUND || aw->walk->in->moving ||
	    aw->links.full)
		return;
	ht_walk_find(
		aw->walk->out, faults[list->fault].code, at, aw->root->index,
		"%s %u: after %" PRIu64 " chunks, 0x%" PRIx64 " %s", kind,
		list->bin, list->count.chunks, at, faults[list->fault].text);
}

static void follow_bins(struct ht_arena_walk *aw)
{
	struct ht_list list[HT_BINS] = {0};

	for (unsigned i = 0; i < HT_BINS; i++)
		list[i] = (struct ht_list){
			.bin = (uint8_t)(i + 1),
			.head = ht_links_encode(&aw->links,
						aw->root->fd[i + 1]),
			.tail = ht_links_encode(&aw->links,
						aw->root->bk[i + 1])};
	ht_links_follow_bins(&aw->links, list, HT_BINS);
	for (unsigned i = 0; i < HT_BINS; i++) {
		aw->bin[i + 1] = list[i].count;
		report_list(aw, &list[i], "bin");
	}
}

static void follow_fastbins(struct ht_arena_walk *aw)
{
	struct ht_list list[HT_FASTBINS_MAX] = {0};
	unsigned n = aw->layout->fastbins;

	for (unsigned i = 0; i < n; i++)
		list[i] = (struct ht_list){
			.bin = (uint8_t)i,
			.head = aw->root->fast[i]
					? ht_links_encode(&aw->links,
							  aw->root->fast[i])
					: HT_LINK_END};
	ht_links_follow_fast(&aw->links, list, n);
	for (unsigned i = 0; i < n; i++) {
		aw->fast[i] = list[i].count;
		report_list(aw, &list[i], "fastbin");
	}
}

/* Free chunks that no list led to: still free, and counted where their size
 * belongs. */
static void adopt_unlisted(struct ht_arena_walk *aw)
{
	const struct ht_links *l = &aw->links;
	uint64_t chunks = 0, bytes = 0, first = 0;

	for (size_t i = 0; i < l->free.n; i++) {
		uint64_t size = (uint64_t)l->units[i] << l->shift;
		struct ht_list_count *bin;

		if (l->free.v[i].mark != HT_MARK_NONE)
			continue;
		bin = &aw->bin[ht_bin_index(aw->layout, size)];
		bin->chunks++;
		bin->bytes += size;
		bytes += size;
		if (chunks++ == 0)
			first = i;
	}
	if (chunks && !aw->walk->in->moving)
		ht_walk_find(aw->walk->out, "unlisted_free",
			     ht_links_address(
				     l, ht_record_position(&l->free, first)),
			     aw->root->index,
			     "%" PRIu64 " free chunks (%" PRIu64 " bytes) are "
			     "in no bin, this one first",
			     chunks, bytes);
}

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
		*(i <= SMALL_LAST ? &a->small : &a->large) += aw->bin[i].bytes;
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
	if (!aw->walk->in->moving)
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

static bool add_bin(struct ht_arena_walk *aw, enum ht_bin_kind kind,
		    unsigned index, const struct ht_list_count *count)
{
	struct ht_bin *b;

	if (count->chunks == 0)
		return true;
	b = ht_snapshot_add_bin(aw->walk->out);
	if (!b)
		return false;
	b->arena = aw->root->index;
	b->kind = kind;
	b->index = index;
	b->chunks = count->chunks;
	b->bytes = count->bytes;
	if (kind == HT_BIN_FAST)
		b->min_size = b->max_size = ht_fastbin_size(aw->layout, index);
	else if (kind != HT_BIN_UNSORTED)
		ht_bin_range(aw->layout, index, &b->min_size, &b->max_size);
	return true;
}

static bool add_bins(struct ht_arena_walk *aw)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < aw->layout->fastbins; i++)
		ok = add_bin(aw, HT_BIN_FAST, i, &aw->fast[i]);
	if (ok)
		ok = add_bin(aw, HT_BIN_UNSORTED, 1, &aw->bin[1]);
	for (unsigned i = 2; ok && i <= HT_BINS; i++)
		ok = add_bin(aw, i <= SMALL_LAST ? HT_BIN_SMALL : HT_BIN_LARGE,
			     i, &aw->bin[i]);
	return ok;
}

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
		ok = add_bins(aw);
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

static enum ht_code measure(struct ht_arena_walk *aw, struct ht_err *err)
{
	enum ht_code code = ht_segments_find(aw, err);

	ht_links_init(&aw->links, aw->layout, aw->root->address, aw->segment,
		      aw->segments, LINKS_BYTES_MAX);
	for (size_t i = 0; code == HT_OK && i < aw->segments; i++)
		code = walk_segment(aw, i, err);
	if (code != HT_OK)
		return code;
	follow_bins(aw);
	follow_fastbins(aw);
	adopt_unlisted(aw);
	settle_in_use(aw);
	settle_free(aw);
	describe(aw);
	settle_system(aw);
	ht_sweep(aw);
	ht_blocked(aw);
	return add_rows(aw) ? HT_OK
			    : ht_fail(err, HT_NOMEM, "no memory for rows");
}

static void add_to_walk(struct ht_arena_walk *aw)
{
	struct ht_walk *w = aw->walk;

	for (unsigned c = 0; c < HT_CLASSES; c++) {
		w->in_use[c].chunks += aw->in_use[c].chunks;
		w->in_use[c].bytes += aw->in_use[c].bytes;
	}
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
