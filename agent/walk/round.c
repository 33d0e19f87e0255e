/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/round.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/arena.h"

/* This round; not what was known before it. Curves are large, and pages that
 * were never written to cost nothing: no memset of it all. */
static void forget(struct ht_round *r)
{
	r->now.n = 0;
	memset(r->in_use, 0, sizeof(r->in_use));
	memset(r->binned, 0, sizeof(r->binned));
	r->arena = r->at = r->done = r->lost = 0;
	r->begun_ns = 0;
	r->ended = false;
}

void ht_round_begin(const struct ht_walk_in *in)
{
	struct ht_round *r = in->round;

	if (!r)
		return;
	if (!in->light) { /* it will know everything */
		forget(r);
		r->before.n = 0;
		r->before_ns = in->now_ns;
		r->compared = false;
		return;
	}
	if (r->begun_ns == 0)
		forget(r);
	r->left = in->slice_max;
	r->ended = false;
	if (r->begun_ns == 0)
		r->begun_ns = in->now_ns;
}

void ht_round_learn(const struct ht_walk_in *in, uint64_t system,
		    const struct ht_class_count binned[HT_BINS + 1])
{
	struct ht_round *r = in->round;

	if (!r)
		return;
	ht_classes_add(r->binned, binned, HT_BINS + 1);
	ht_curve_add(&r->before, ht_curve_end(&r->before) + system, r->binned);
}

/* What both say of the same part of the heap. */
static void compare(struct ht_round *r)
{
	uint64_t now = ht_curve_bytes(&r->now, r->done);
	uint64_t before = ht_curve_bytes(&r->before, r->done);

	if (before == 0)
		return;
	r->compared = true;
	r->drift = (double)ht_apart(now, before) / (double)before;
}

/* --- one slice ----------------------------------------------------------- */

struct slice {
	struct ht_arena_walk *aw;
	struct ht_round *round;
	struct ht_segment segment; /* a copy: positions are of no use here */
	struct ht_pages pages;
	struct ht_links links; /* full from the begin: takes no records */
	struct ht_pass pass;
	uint64_t from, until; /* chunks that begin in [from, until) */
	struct ht_class_count in_use[HT_CLASSES], binned[HT_BINS + 1];
	unsigned budget;
	bool sure; /* sizes led here from where a chunk was known to begin */
};

static uint64_t page_up(uint64_t a)
{
	return (a + HT_PAGE_SIZE - 1) & ~(HT_PAGE_SIZE - 1);
}

/* A chunk that began there when the look before saw it may be merged into
 * another by now. 0: no chunk is found up to the end of the slice. */
static uint64_t first_chunk(struct slice *s, uint64_t at)
{
	const struct ht_arena_in *in = &s->aw->in;

	if (at <= s->segment.first)
		return s->segment.first;
	return ht_resync(in->walk->in->reader, &s->pages, in->layout, at,
			 s->pass.stop, &s->budget);
}

static void start_pass(struct slice *s)
{
	const struct ht_arena_in *in = &s->aw->in;

	s->pass = (struct ht_pass){.layout = in->layout,
				   .window = &in->walk->window,
				   .links = &s->links,
				   .first = s->segment.first,
				   .stop = s->pass.stop,
				   .limit = s->pass.stop,
				   .safe_linking = in->space->safe_linking,
				   .mark = ht_mark_of(in->root),
				   .at = s->from,
				   .in_use = s->in_use,
				   .binned = s->binned};
	ht_view_segment(&in->walk->window, &s->pages, s->until);
}

/* Pages among them are not to be had. */
static bool hides(const struct slice *s, uint64_t from, uint64_t to)
{
	return ht_pages_swapped(&s->pages, from, to + 1) ||
	       ht_pages_withheld(&s->pages, from, to + 1);
}

/* Sizes lead nowhere: a fencepost, what others took of brk, or a change under
 * our eyes. Goes on where they do again. */
static void skip(struct slice *s, enum ht_pass_end why)
{
	const struct ht_arena_in *in = &s->aw->in;
	struct ht_pass *p = &s->pass;
	uint64_t gap = p->at, end, again = 0;
	bool fence =
		ht_segment_fence(in->walk->in->reader, in->layout,
				 in->root->main, gap, s->segment.end, &end);

	if (!fence || in->root->main)
		again = ht_resync(in->walk->in->reader, &s->pages, in->layout,
				  (fence ? end : gap + in->layout->align),
				  p->stop < s->until ? p->stop : s->until,
				  &s->budget);
	p->at = again ? again : s->until < p->stop ? s->until : p->stop;
	if (fence)
		return;
	s->round->lost += p->at - gap;
	if (s->sure && why == HT_PASS_SIZE && !hides(s, gap, p->at))
		ht_walk_find(in->walk->out, "chunk_size", gap, in->root->index,
			     "the size of this chunk cannot be; %" PRIu64
			     " bytes of the slice were skipped",
			     p->at - gap);
	s->sure = false;
}

/* The chunk that the end of the slice cuts, or whose neighbour lies beyond, by
 * reads of its own. false: it is none. */
static bool cross_end(struct slice *s)
{
	const struct ht_layout *l = s->aw->in.layout;
	struct ht_reader *reader = s->aw->in.walk->in->reader;
	struct ht_pass *p = &s->pass;
	struct ht_class_count *c;
	uint64_t head, next, size;

	if (ht_reader_word(reader, p->at + l->word, &head, NULL) != HT_OK)
		return false;
	size = head & ~HT_SIZE_FLAGS;
	if (size < ht_chunk_min(l) || size % l->align ||
	    size > p->stop - p->at ||
	    p->at + size + 2 * (uint64_t)l->word <= s->until ||
	    ht_reader_word(reader, p->at + size + l->word, &next, NULL) !=
		    HT_OK)
		return false;
	c = next & HT_PREV_INUSE ? &s->in_use[ht_class_of(size)]
				 : &s->binned[ht_bin_index(l, size)];
	c->chunks++;
	c->bytes += size;
	p->at += size;
	return true;
}

/* Up to the slice's end; returns where the next one begins. */
static uint64_t walk_slice(struct slice *s)
{
	struct ht_pass *p = &s->pass;

	while (p->at < s->until && p->at != p->stop) {
		enum ht_pass_end end = ht_pass_run(p);

		if (end == HT_PASS_DONE || (end == HT_PASS_UNREADABLE &&
					    s->until < p->stop && cross_end(s)))
			continue;
		skip(s, end);
	}
	return p->at;
}

/* --- what looks in use, and is not --------------------------------------- */

static void take_off(struct slice *s, uint64_t size)
{
	struct ht_class_count *c = &s->in_use[ht_class_of(size)];

	if (c->chunks == 0)
		return;
	c->chunks--;
	c->bytes -= size < c->bytes ? size : c->bytes;
}

static void take_off_free(struct slice *s, const struct ht_lists *found,
			  uint64_t to)
{
	const struct ht_roots *roots = s->aw->in.walk->roots;
	size_t end = ht_cached_from(roots, to), low = 0, high = found->n;

	for (unsigned c = 0; c < HT_EXACT_CLASSES; c++)
		s->in_use[c].bytes = s->in_use[c].chunks * ht_class_max(c);
	for (size_t i = ht_cached_from(roots, s->from); i < end; i++)
		take_off(s, roots->cached[i].size);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (found->v[mid].at < s->from)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < found->n && found->v[low].at < to; low++)
		if (found->v[low].list >= HT_LISTED_FAST)
			take_off(s, (uint64_t)found->v[low].units *
					    s->aw->in.layout->align);
}

/* --- a segment, an arena ------------------------------------------------- */

/* What the round has to walk of segment i, from `at` on. */
static enum ht_code slice_segment(struct ht_arena_walk *aw, size_t i,
				  struct ht_round *r,
				  const struct ht_lists *found,
				  struct ht_err *err)
{
	struct slice *s = calloc(1, sizeof(*s));
	const struct ht_segment *g = &aw->extent.segment[i];
	uint64_t at = r->at > g->first ? r->at : g->first, end;
	enum ht_code code;

	if (!s)
		return ht_fail(err, HT_NOMEM, "no memory for a slice");
	*s = (struct slice){.aw = aw, .round = r, .segment = *g};
	s->budget = HT_RESYNC_BUDGET;
	s->pass.stop = i == aw->extent.top_segment ? aw->extent.top : g->end;
	s->until =
		page_up(at + (r->left < g->end - at ? r->left : g->end - at));
	if (s->until > g->end)
		s->until = g->end;
	ht_links_init(&s->links, aw->in.layout, aw->in.root->address,
		      &s->segment, 1, 0);
	code = ht_pages_get(aw->in.walk->in->pages, at, s->until, &s->pages,
			    err);
	s->from = code == HT_OK && at < s->pass.stop ? first_chunk(s, at) : 0;
	end = s->until;
	if (s->from && s->from < s->until) {
		s->sure = s->from == at;
		r->lost += s->from - at;
		start_pass(s);
		end = walk_slice(s);
		take_off_free(s, found, end);
		ht_classes_add(r->in_use, s->in_use, HT_CLASSES);
		ht_classes_add(r->binned, s->binned, HT_BINS + 1);
	} else if (at < s->pass.stop) {
		r->lost += s->until - at;
	}
	r->at = end >= s->pass.stop ? g->end : end;
	r->done += r->at - at;
	r->left -= r->left < r->at - at ? r->left : r->at - at;
	ht_pages_fini(&s->pages);
	ht_links_fini(&s->links);
	free(s);
	return code;
}

/* The next arena of the ring; 0: this is the last. */
static uint64_t next_arena(const struct ht_arena_walk *aw)
{
	const struct ht_roots *roots = aw->in.walk->roots;
	size_t next = (size_t)aw->in.root->index + 1;

	return next < roots->arenas ? roots->arena[next].address : 0;
}

enum ht_code ht_round_slice(struct ht_arena_walk *aw,
			    const struct ht_lists *found, struct ht_err *err)
{
	struct ht_round *r = aw->in.walk->in->round;
	enum ht_code code = HT_OK;

	if (!r || r->ended || r->left == 0)
		return HT_OK;
	if (r->arena == 0)
		r->arena = aw->in.walk->roots->arena[0].address;
	if (r->arena != aw->in.root->address)
		return HT_OK;
	for (size_t i = 0;
	     code == HT_OK && r->left > 0 && i < aw->extent.segments; i++)
		if (r->at < aw->extent.segment[i].end)
			code = slice_segment(aw, i, r, found, err);
	ht_curve_add(&r->now, r->done, r->binned);
	compare(r);
	if (aw->extent.segments == 0 ||
	    r->at >= aw->extent.segment[aw->extent.segments - 1].end) {
		r->arena = next_arena(aw);
		r->at = 0;
		r->ended = r->arena == 0;
	}
	return code;
}

/* --- the round ----------------------------------------------------------- */

/* What the slices found against what is in use now. */
static double off_by(const struct ht_walk *w, uint64_t sum)
{
	uint64_t now = w->out->totals.in_use;

	return now == HT_UNKNOWN || now == 0
		       ? NAN
		       : (double)ht_apart(sum, now) / (double)now;
}

/* What this one found is what the next one knows before. */
static void begin_next(struct ht_round *r)
{
	r->before = r->now;
	r->before_ns = r->begun_ns;
	forget(r);
}

void ht_round_end(struct ht_walk *w)
{
	struct ht_round *r = w->in->round;
	struct ht_quality *q = ht_snapshot_add_quality(w->out);
	uint64_t sum = 0, chunks = 0;

	for (unsigned c = 0; c < HT_CLASSES; c++) {
		sum += r->in_use[c].bytes;
		chunks += r->in_use[c].chunks;
	}
	if (q) {
		strcpy(q->figures, "size_classes");
		q->how = r->ended ? HT_HOW_SLICES : HT_HOW_UNKNOWN;
		q->done = r->done;
		q->of = w->total;
	}
	if (!r->ended)
		return;
	if (q) {
		q->age_us = (uint64_t)(w->in->now_ns - r->begun_ns) / 1000;
		q->off = off_by(w, sum);
	}
	memcpy(w->in_use, r->in_use, sizeof(w->in_use));
	w->out->totals.in_use_chunks = chunks;
	w->round_ended = true;
	begin_next(r);
}
