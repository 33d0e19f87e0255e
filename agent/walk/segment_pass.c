/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One segment: the linear pass from its first chunk to its end or to the top,
 * over fenceposts, what others took from brk, and gaps where the sizes make no
 * sense.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/arena.h"

#define RESYNCS_MAX 64
#define REREADS	    3

static uint64_t fast_sizes(const struct ht_arena_walk *aw)
{
	uint64_t sizes = 0;

	for (unsigned i = 0; i < aw->in.layout->fastbins; i++)
		if (aw->in.root->fast[i])
			sizes |= UINT64_C(1)
				 << ht_fastbin_size(aw->in.layout, i) / 8;
	return sizes;
}

static void start_pass(struct ht_arena_walk *aw, size_t i)
{
	const struct ht_segment *s = &aw->extent.segment[i];
	struct ht_cached *cached = aw->in.walk->roots->cached;
	size_t from = ht_cached_from(aw->in.walk->roots, s->first),
	       to = ht_cached_from(aw->in.walk->roots, s->end);

	aw->met.pass = (struct ht_pass){
		.layout = aw->in.layout,
		.window = &aw->in.walk->window,
		.links = &aw->met.links,
		.cached = cached ? cached + from : NULL,
		.cached_n = to - from,
		.first = s->first,
		.base = s->base,
		.stop = i == aw->extent.top_segment ? aw->extent.top : s->end,
		.limit = i == aw->extent.top_segment ? aw->extent.top : s->end,
		.fast_sizes = fast_sizes(aw),
		.safe_linking = aw->in.space->safe_linking,
		.mark = ht_mark_of(aw->in.root),
		.at = s->first,
		.in_use = aw->met.in_use,
		.binned = aw->met.binned,
	};
	if (aw->in.walk->in->marks)
		aw->met.pass.marked =
			ht_marks_add(aw->in.walk->in->marks, aw->in.layout, s,
				     aw->in.root->index);
	if (aw->met.pass.marked && aw->met.pass.marked->told)
		aw->met.pass.teller = aw->in.walk->in->teller;
	ht_view_segment(&aw->in.walk->window, &aw->extent.pages[i], s->end);
}

static void overhead(struct ht_arena_walk *aw, uint64_t start, uint64_t end)
{
	if (ht_ranges_add(&aw->met.overhead, start, end))
		aw->figures.overhead += end - start;
	else
		aw->figures.uncertain_bytes += end - start;
}

/* An old top too small for two fenceposts becomes a chunk in use that nobody
 * holds; it lacks the mark of a thread arena. Not the program's. */
static void drop_last_chunk(struct ht_arena_walk *aw, uint64_t fence)
{
	struct ht_pass *p = &aw->met.pass;
	uint64_t size = p->previous_word & HT_SIZE_FLAGS
				? p->previous_word & ~HT_SIZE_FLAGS
				: 0;

	if (aw->in.root->main || size == 0 || size > HT_EXACT_MAX ||
	    p->previous_word & HT_NON_MAIN_ARENA || p->previous + size != fence)
		return;
	p->marks_bad -= p->marks_bad > 0;
	if (aw->met.in_use[ht_class_of(size)].chunks == 0)
		return;
	aw->met.in_use[ht_class_of(size)].chunks--;
	if (aw->in.walk->in->marks)
		ht_marks_drop(aw->in.walk->in->marks, p->previous);
	overhead(aw, p->previous, fence);
}

/* Fenceposts end a segment that malloc left; anything else is a damage. */
static bool ends_segment(const struct ht_arena_walk *aw, size_t i, uint64_t end)
{
	uint64_t rest = aw->extent.segment[i].end - end;

	return i != aw->extent.top_segment &&
	       rest < (aw->in.root->main ? HT_PAGE_SIZE
					 : 2 * ht_chunk_min(aw->in.layout));
}

/* Pages among them are not to be had. */
static bool hides(const struct ht_arena_walk *aw, size_t i, uint64_t from,
		  uint64_t to)
{
	const struct ht_pages *p = &aw->extent.pages[i];

	return ht_pages_swapped(p, from, to) || ht_pages_withheld(p, from, to);
}

/* Where malloc's chunks go on behind what somebody else took; 0: nobody knows.
 * Where there are none up to the top, all of it is the other's. */
static uint64_t foreign_end(struct ht_arena_walk *aw, size_t i, uint64_t from)
{
	uint64_t stop = aw->met.pass.stop;
	uint64_t again =
		ht_resync(aw->in.walk->in->reader, &aw->extent.pages[i],
			  aw->in.layout, from, stop, &aw->met.resync_budget);

	if (again || i != aw->extent.top_segment ||
	    aw->met.resync_budget == 0 || hides(aw, i, from, stop))
		return again;
	return stop;
}

/* The pages that are wholly another's are no memory of malloc's; the bytes
 * beside them share pages with it, and all of it is in system_mem. */
static void foreign(struct ht_arena_walk *aw, uint64_t start, uint64_t end)
{
	uint64_t from = (start + HT_PAGE_SIZE - 1) & ~(HT_PAGE_SIZE - 1);
	uint64_t to = end & ~(HT_PAGE_SIZE - 1);
	struct ht_met *m = &aw->met;

	if (start == end)
		return;
	if (m->foreign_pieces++ == 0)
		m->foreign_first = start;
	m->foreign_bytes += end - start;
	if (from >= to || !ht_ranges_add(&aw->in.walk->foreign, from, to)) {
		overhead(aw, start, end);
		return;
	}
	overhead(aw, start, from);
	overhead(aw, to, end);
	aw->figures.overhead += to - from;
}

/* Where malloc's chunks go on was not found. */
static bool lose_rest(struct ht_arena_walk *aw, uint64_t fence)
{
	struct ht_pass *p = &aw->met.pass;

	aw->figures.uncertain_bytes += p->stop - fence;
	aw->in.walk->unread = aw->met.lost = true;
	ht_snapshot_warn(aw->in.walk->out,
			 "somebody else took memory from brk at 0x%" PRIx64
			 ": where malloc's goes on was not found, %" PRIu64
			 " bytes were not walked",
			 fence, p->stop - fence);
	p->at = p->stop;
	return true;
}

/* Somebody else called sbrk: malloc left fenceposts at `fence` and went on
 * behind what was taken. */
static bool pass_foreign(struct ht_arena_walk *aw, size_t i, uint64_t fence,
			 uint64_t end)
{
	struct ht_pass *p = &aw->met.pass;
	uint64_t again = foreign_end(aw, i, end);

	if (!again)
		return !hides(aw, i, end, p->stop) && lose_rest(aw, fence);
	overhead(aw, fence, end);
	foreign(aw, end, again);
	p->at = again;
	return true;
}

/* The pass came to what may be a fencepost: what is behind it? */
static bool pass_fence(struct ht_arena_walk *aw, size_t i)
{
	struct ht_pass *p = &aw->met.pass;
	const struct ht_segment *s = &aw->extent.segment[i];
	uint64_t fence = p->at, end;

	if (!ht_segment_fence(aw->in.walk->in->reader, aw->in.layout,
			      aw->in.root->main, fence, s->end, &end))
		return false;
	if (!ends_segment(aw, i, end))
		return aw->in.root->main && pass_foreign(aw, i, fence, end);
	if (end - fence == ht_chunk_header(aw->in.layout))
		drop_last_chunk(aw, fence);
	overhead(aw, fence, s->end);
	p->at = p->stop;
	return true;
}

/* Sizes lead nowhere from here: go on where they do again. */
static void skip_gap(struct ht_arena_walk *aw, size_t i, enum ht_pass_end why)
{
	struct ht_pass *p = &aw->met.pass;
	const bool swapped =
		why == HT_PASS_UNREADABLE && aw->in.walk->window.swapped;
	uint64_t gap = p->at;
	uint64_t again = ht_resync(
		aw->in.walk->in->reader, &aw->extent.pages[i], aw->in.layout,
		gap + aw->in.layout->align, p->stop, &aw->met.resync_budget);

	p->at = again ? again : p->stop;
	aw->figures.uncertain_bytes += p->at - gap;
	if (ht_pages_withheld(&aw->extent.pages[i], gap, p->at + 1))
		aw->met.withheld += p->at - gap;
	else if (swapped ||
		 ht_pages_swapped(&aw->extent.pages[i], gap, p->at + 1))
		aw->met.unread += p->at - gap;
	else
		ht_walk_find(
			aw->in.walk->out,
			why == HT_PASS_SIZE ? "chunk_size" : "chunk_unreadable",
			gap, aw->in.root->index,
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
	struct ht_view *w = &aw->in.walk->window;

	if (!aw->in.walk->in->moving || *tries == 0)
		return false;
	--*tries;
	return ht_view_load(w, aw->met.pass.at, 2 * aw->in.layout->word);
}

static void report_pass(struct ht_arena_walk *aw)
{
	const struct ht_pass *p = &aw->met.pass;

	if (p->footers_bad)
		ht_walk_find(
			aw->in.walk->out, "footer", p->footer_bad_at,
			aw->in.root->index,
			"%" PRIu64
			" free chunks whose footer is not their size, this one first",
			p->footers_bad);
	if (p->flags_bad)
		ht_walk_find(aw->in.walk->out, "adjacent_free", p->flags_bad_at,
			     aw->in.root->index,
			     "%" PRIu64
			     " free chunks behind a free chunk, this one first",
			     p->flags_bad);
	if (p->marks_bad)
		ht_walk_find(
			aw->in.walk->out, "chunk_arena", p->mark_bad_at,
			aw->in.root->index,
			"%" PRIu64
			" chunks whose flag says that another arena has them, this one first",
			p->marks_bad);
}

static void keep_checkpoints(struct ht_arena_walk *aw)
{
	memcpy(aw->met.checkpoint, aw->met.pass.checkpoint,
	       sizeof(aw->met.checkpoint));
	aw->met.checkpoints = aw->met.pass.checkpoints;
}

static void tell_progress(struct ht_walk *w, uint64_t bytes)
{
	w->done += bytes;
	if (w->in->progress)
		w->in->progress(w->in->progress_ctx, w->done, w->total);
}

/* As far as all is well: what is not, the loop below meets again. */
static void pass_halves(struct ht_arena_walk *aw, size_t i)
{
	struct ht_second_half *split;

	while ((split = ht_second_half_begin(aw, i))) {
		ht_pass_run(&aw->met.pass);
		if (!ht_second_half_join(aw, i, split))
			break;
	}
}

enum ht_code ht_segment_pass(struct ht_arena_walk *aw, size_t i,
			     struct ht_err *err)
{
	const struct ht_segment *s = &aw->extent.segment[i];
	unsigned resyncs = RESYNCS_MAX, rereads = REREADS;
	struct ht_pass *p = &aw->met.pass;
	enum ht_code code;

	code = ht_pages_get(aw->in.walk->in->pages, s->start, s->end,
			    &aw->extent.pages[i], err);
	if (code != HT_OK)
		return code;
	start_pass(aw, i);
	overhead(aw, s->start, s->first);
	pass_halves(aw, i);
	while (p->at != p->stop) {
		enum ht_pass_end end = ht_pass_run(p);

		if (end == HT_PASS_FULL)
			ht_overflow_drain(aw, i);
		if (end == HT_PASS_DONE || end == HT_PASS_FULL ||
		    (end == HT_PASS_SIZE && pass_fence(aw, i)) ||
		    read_again(aw, &rereads))
			continue;
		rereads = REREADS;
		if (resyncs-- == 0) {
			aw->figures.uncertain_bytes += p->stop - p->at;
			break;
		}
		skip_gap(aw, i, end);
	}
	report_pass(aw);
	if (i == aw->extent.top_segment)
		keep_checkpoints(aw);
	tell_progress(aw->in.walk, s->end - s->start);
	return HT_OK;
}
