/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sweep: all that is free in an arena, once more in address order, now that the
 * lists have told which chunks are in a fastbin.
 *
 *   run   adjacent binned and fastbin chunks: what malloc_consolidate would
 *         merge. The run that touches the top would join it.
 *   idle  adjacent chunks of any kind that the program does not hold, cached
 *         ones and the top included: whole pages in it hold no byte in use.
 *
 * malloc_trim(0) gives back the whole pages of a run that begin at least
 * sizeof(struct malloc_chunk) behind its start, and of the main arena's top all
 * but MINSIZE + 1 bytes, down to a page (glibc malloc.c: mtrim, systrim).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "agent/arch/arch.h"
#include "agent/self/pace.h"
#include "agent/walk/heap_map.h"
#include "agent/walk/sweep.h"

#define NO_POSITION UINT32_MAX

/* Records of one kind, in order. */
struct cursor {
	const struct ht_record_index *x;
	size_t i, granule;
	uint32_t position; /* NO_POSITION: none left */
};

struct ht_sweep {
	const struct ht_arena_in *in;
	const struct ht_extent *x;
	const struct ht_met *met;
	struct ht_swept *out;
	const struct ht_segment *segment;
	const struct ht_pages *pages;
	struct ht_pages_there there;
	struct cursor free, fast;
	size_t cached, cached_end;
	uint64_t run_start, run_end; /* equal: no run */
	uint64_t idle_start, idle_end;
	struct ht_runs *runs;		/* of the walk, */
	struct ht_class_count *free_by; /* and its free chunks by class */
	uint64_t held; /* resident bytes that are not idle, of all segments */
	bool has_top;
	size_t next; /* segment to be begun next; the one before is open */
	bool open;
	bool refuses; /* some mapping of this segment refuses madvise */
	bool known;   /* so far, the state of every page */
	struct ht_heap_map map;
};

static uint64_t page_up(uint64_t a)
{
	return (a + HT_PAGE_SIZE - 1) & ~(HT_PAGE_SIZE - 1);
}

static uint64_t page_down(uint64_t a)
{
	return a & ~(HT_PAGE_SIZE - 1);
}

/* Of the open segment. */
static inline uint64_t resident_of(struct ht_sweep *s, uint64_t start,
				   uint64_t end)
{
	return ht_pages_resident_near(s->pages, &s->there, start, end);
}

static inline void settle(struct cursor *c)
{
	const struct ht_record_index *x = c->x;

	if (c->i >= x->n) {
		c->position = NO_POSITION;
		return;
	}
	while (c->granule + 1 < x->granules && x->first[c->granule + 1] <= c->i)
		c->granule++;
	c->position = (uint32_t)(c->granule << 8) | x->v[c->i].slot;
}

/* On to the next chunk that really is in a fastbin. */
static inline void settle_fast(struct cursor *c)
{
	while (c->i < c->x->n && c->x->v[c->i].mark & HT_FAST_CANDIDATE)
		c->i++;
	settle(c);
}

/* --- runs ---------------------------------------------------------------- */

static void remember_run(struct ht_sweep *s, uint64_t start, uint64_t end)
{
	if (s->out->run)
		s->out->run[s->out->runs++ % HT_BLOCKED_RUNS] =
			(struct ht_run){start, end};
}

/* Where the first mapping begins that refuses madvise: the kernel goes through
 * the range in order and ends there with EINVAL. */
static uint64_t refusing_from(const struct ht_sweep *s, uint64_t from,
			      uint64_t to)
{
	const struct ht_maps *maps = s->in->walk->in->maps;
	const struct ht_vma *v;

	for (uint64_t at = from; at < to; at = v->end) {
		v = ht_maps_at(maps, at);
		if (!v)
			break;
		if (v->flags & HT_VMA_REFUSES)
			return at;
	}
	return to;
}

/* What a trim would return of [from, to), and of that the machine gets what no
 * other process maps. */
static uint64_t returned(struct ht_sweep *s, uint64_t from, uint64_t to)
{
	const struct ht_walk_in *in = s->in->walk->in;
	uint64_t resident = ht_pages_resident(s->pages, from, to);
	uint64_t alone = HT_PAGES_UNKNOWN;

	if (resident == 0)
		return 0;
	if (in->want_private)
		alone = ht_pages_private(in->pages, page_down(from),
					 page_down(to));
	if (alone == HT_PAGES_UNKNOWN)
		s->out->private_unknown = true;
	else /* the process runs: some may have come since */
		s->out->trimmable_private +=
			alone < resident ? alone : resident;
	return resident;
}

/* Whole pages of a run that malloc_trim would give back, or (ret_locked) would
 * if the kernel let it. */
static __attribute__((noinline)) uint64_t run_trimmable(struct ht_sweep *s,
							uint64_t start,
							uint64_t end,
							uint64_t *ret_locked)
{
	uint64_t from = page_up(start + 6 * (uint64_t)s->in->layout->word);
	uint64_t to = page_down(end), refused;

	if (from >= to)
		return 0;
	refused = s->refuses ? refusing_from(s, from, to) : to;
	if (refused < to)
		*ret_locked = ht_pages_resident(s->pages, refused, to);
	if (refused <= from)
		return 0;
	return returned(s, from, refused);
}

static void end_run(struct ht_sweep *s)
{
	uint64_t start = s->run_start, end = s->run_end, resident,
		 trimmable = 0, locked = 0;

	if (start == end)
		return;
	ht_runs_count(s->runs, end - start);
	resident = resident_of(s, start, end);
	if (end - start > HT_PAGE_SIZE)
		trimmable = run_trimmable(s, start, end, &locked);
	s->out->kept.by[HT_CAUSE_TRIMMABLE] += trimmable;
	s->out->kept.by[HT_CAUSE_LOCKED] += locked;
	s->out->kept.by[HT_CAUSE_SUB_PAGE] += resident - trimmable - locked;
	s->out->pinned += resident;
	if (resident != end - start)
		s->in->walk->free_swapped +=
			ht_pages_swapped(s->pages, start, end);
	if (s->has_top)
		remember_run(s, start, end);
}

static void end_idle(struct ht_sweep *s)
{
	uint64_t from = page_up(s->idle_start), to = page_down(s->idle_end);

	if (from >= to)
		return;
	s->out->resident_free += resident_of(s, from, to);
	if (s->out->maps)
		ht_heap_map_free(&s->map, s->pages, from, to);
}

/* From the last idle bytes to here the program holds what there is. */
static void end_held(struct ht_sweep *s, uint64_t end)
{
	uint64_t start = s->idle_end ? s->idle_end : s->segment->start;

	if (start < end)
		s->held += resident_of(s, start, end);
}

static void idle(struct ht_sweep *s, uint64_t start, uint64_t end)
{
	if (start != s->idle_end) {
		end_idle(s);
		end_held(s, start);
		s->idle_start = start;
	}
	s->idle_end = end;
}

static inline void free_chunk(struct ht_sweep *s, uint64_t start, uint64_t size)
{
	struct ht_class_count *c = &s->free_by[ht_class_of(size)];

	c->chunks++;
	c->bytes += size;
	if (start != s->run_end) {
		end_run(s);
		s->run_start = start;
	}
	s->run_end = start + size;
	idle(s, start, start + size);
}

static void cached_chunk(struct ht_sweep *s, const struct ht_cached *c)
{
	struct ht_class_count *count = &s->free_by[ht_class_of(c->size)];

	count->chunks++;
	count->bytes += c->size;
	s->out->kept.by[HT_CAUSE_TCACHE] +=
		resident_of(s, c->chunk, c->chunk + c->size);
	s->in->walk->free_swapped +=
		ht_pages_swapped(s->pages, c->chunk, c->chunk + c->size);
	idle(s, c->chunk, c->chunk + c->size);
}

/* --- the top ------------------------------------------------------------- */

/* Whether systrim could lower brk: the top ends at it. */
static bool ends_at_brk(const struct ht_sweep *s)
{
	const struct ht_vma *v =
		ht_maps_at(s->in->walk->in->maps, s->x->top_end - 1);

	if (!ht_arena_contiguous(s->in->root) || !v)
		return false;
	return v->end == page_up(s->x->top_end);
}

/* Bytes that systrim(0) would take off the end of a top of this size. */
static uint64_t systrim(const struct ht_sweep *s, uint64_t size)
{
	uint64_t unit = s->in->space->params.thp_pagesize;
	uint64_t least = ht_chunk_min(s->in->layout) + 1;

	if (unit == HT_UNKNOWN || unit == 0 || unit & (unit - 1))
		unit = HT_PAGE_SIZE;
	if (!s->in->root->main || size <= least || !ends_at_brk(s))
		return 0;
	return (size - least) & ~(unit - 1);
}

static void end_top(struct ht_sweep *s)
{
	uint64_t start = s->x->top, end = s->x->top_end, resident, trimmable,
		 cut;

	if (s->run_end == start && s->run_start != s->run_end) {
		start = s->run_start; /* would be merged into the top */
		s->run_start = s->run_end = 0;
	}
	s->out->joined = start;
	idle(s, start < s->x->top ? s->x->top : start, end);
	cut = systrim(s, end - start);
	resident = ht_pages_resident(s->pages, start, end);
	trimmable = returned(s, end - cut, end);
	s->out->kept.by[HT_CAUSE_TRIMMABLE] += trimmable;
	*(s->in->root->main ? &s->out->kept.by[HT_CAUSE_TOP_MAIN]
			    : &s->out->kept.by[HT_CAUSE_TOP_THREAD]) +=
		resident - trimmable;
	s->in->walk->free_swapped += ht_pages_swapped(s->pages, start, end);
}

/* --- one segment --------------------------------------------------------- */

static uint64_t address_of(const struct ht_sweep *s, uint32_t position)
{
	return s->segment->first +
	       ((uint64_t)(position - s->segment->base) << s->met->links.shift);
}

static uint64_t cached_address(const struct ht_sweep *s)
{
	return s->cached < s->cached_end
		       ? s->in->walk->roots->cached[s->cached].chunk
		       : UINT64_MAX;
}

static inline void next_free(struct ht_sweep *s)
{
	const struct ht_links *l = &s->met->links;

	free_chunk(s, address_of(s, s->free.position),
		   (uint64_t)l->more[s->free.i].units << l->shift);
	s->free.i++;
	settle(&s->free);
}

static inline void next_fast(struct ht_sweep *s)
{
	const struct ht_links *l = &s->met->links;

	free_chunk(s, address_of(s, s->fast.position),
		   ht_fastbin_size(l->layout, l->fast.v[s->fast.i].mark));
	s->fast.i++;
	settle_fast(&s->fast);
}

static void next_cached(struct ht_sweep *s)
{
	const struct ht_cached *c = &s->in->walk->roots->cached[s->cached++];

	if (c->size)
		cached_chunk(s, c);
}

/* The first position at or behind an address of the open segment. */
static uint32_t position_from(const struct ht_sweep *s, uint64_t address)
{
	const unsigned shift = s->met->links.shift;
	uint64_t far = address - s->segment->first;
	uint64_t units = (far + ((uint64_t)1 << shift) - 1) >> shift;

	return address <= s->segment->first ? s->segment->base
	       : units < NO_POSITION - s->segment->base
		       ? s->segment->base + (uint32_t)units
		       : NO_POSITION;
}

/* What records tell of, up to the position. */
static void sweep_records(struct ht_sweep *s, uint32_t end, unsigned *steps)
{
	while (s->free.position < end || s->fast.position < end) {
		ht_pace_step(steps);
		if (s->free.position < s->fast.position)
			next_free(s);
		else
			next_fast(s);
	}
}

/* All that lies below `limit`, an address of the open segment. */
static void sweep_below(struct ht_sweep *s, uint64_t limit)
{
	unsigned steps = 0;
	uint64_t cached;

	while ((cached = cached_address(s)) < limit) {
		/* that chunk itself first, if there is a record of it */
		sweep_records(s, position_from(s, cached + 1), &steps);
		next_cached(s);
	}
	sweep_records(s, position_from(s, limit), &steps);
}

/* Pages amid a segment that are wholly another's, of this state. */
static uint64_t
foreign_pages(const struct ht_arena_in *in, const struct ht_pages *pages,
	      const struct ht_segment *g,
	      uint64_t count(const struct ht_pages *, uint64_t, uint64_t))
{
	const struct ht_ranges *foreign = &in->walk->foreign;
	uint64_t bytes = 0;

	for (size_t i = 0; i < foreign->n; i++)
		if (foreign->v[i].start >= g->start &&
		    foreign->v[i].end <= g->end)
			bytes += count(pages, foreign->v[i].start,
				       foreign->v[i].end);
	return bytes;
}

uint64_t ht_segment_resident(const struct ht_arena_in *in,
			     const struct ht_pages *pages,
			     const struct ht_segment *s)
{
	return ht_pages_resident(pages, s->start, s->end) -
	       foreign_pages(in, pages, s, ht_pages_resident);
}

static uint64_t overhead_resident(const struct ht_sweep *s, size_t i)
{
	const struct ht_segment *g = &s->x->segment[i];
	const struct ht_ranges *overhead = &s->met->overhead;
	uint64_t bytes = 0;

	for (size_t k = 0; k < overhead->n; k++)
		if (overhead->v[k].start >= g->start &&
		    overhead->v[k].end <= g->end)
			bytes += ht_pages_resident(&s->x->pages[i],
						   overhead->v[k].start,
						   overhead->v[k].end);
	return bytes;
}

/* --- all segments -------------------------------------------------------- */

/* What free memory was counted for beyond the pages that are there, where its
 * chunks lie in each other: off where such chunks stand. Returns how much. */
static uint64_t cut_to_pages(struct ht_swept *r)
{
	static const enum ht_cause order[] = {
		HT_CAUSE_SUB_PAGE,    HT_CAUSE_TCACHE,
		HT_CAUSE_TRIMMABLE,   HT_CAUSE_TOP_THREAD,
		HT_CAUSE_TOP_MAIN,    HT_CAUSE_LOCKED,
		HT_CAUSE_HEAP_IN_USE, HT_CAUSE_HEAP_OVERHEAD,
	};
	uint64_t sum = ht_kept_sum(&r->kept);
	uint64_t beyond = sum > r->resident ? sum - r->resident : 0;
	uint64_t left = beyond;

	for (size_t i = 0; left && i < sizeof(order) / sizeof(*order); i++) {
		uint64_t *by = &r->kept.by[order[i]];
		uint64_t cut = *by < left ? *by : left;

		*by -= cut;
		left -= cut;
	}
	return beyond - left;
}

static void cap(uint64_t *v, uint64_t most)
{
	*v = *v < most ? *v : most;
}

/* Twice counted: the segments' resident pages, and what each stretch of them is
 * for. The second falls short or goes beyond when chunks lie in each other, as
 * they may while the target runs; the pages are what is there. */
static void settle_resident(const struct ht_arena_in *in, struct ht_swept *r,
			    uint64_t held)
{
	uint64_t *by = r->kept.by;
	uint64_t overhead = by[HT_CAUSE_HEAP_OVERHEAD], sum;

	sum = ht_kept_sum(&r->kept) - overhead + held;
	r->beyond = cut_to_pages(r);
	r->retained = ht_kept_sum(&r->kept) - by[HT_CAUSE_HEAP_OVERHEAD];
	r->trimmable = by[HT_CAUSE_TRIMMABLE];
	cap(&r->trimmable_private, r->trimmable);
	cap(&r->resident_free, r->resident);
	cap(&r->pinned, r->resident);
	by[HT_CAUSE_HEAP_IN_USE] += r->resident - ht_kept_sum(&r->kept);
	if (sum == r->resident && held >= overhead)
		return;
	if (!in->walk->in->moving)
		ht_walk_find(in->walk->out, "resident_sum", in->root->address,
			     in->root->index,
			     "what keeps its pages adds up to %" PRIu64
			     " bytes, %" PRIu64 " are resident",
			     sum, r->resident);
}

static void unknown(struct ht_swept *r)
{
	r->resident = r->retained = r->resident_free = r->trimmable =
		r->pinned = HT_UNKNOWN;
}

static void begin_segment(struct ht_sweep *s)
{
	size_t i = s->next++;
	const struct ht_segment *g = &s->x->segment[i];

	s->segment = g;
	s->pages = &s->x->pages[i];
	s->refuses = refusing_from(s, g->start, g->end) < g->end;
	s->has_top = i == s->x->top_segment && s->x->top;
	s->run_start = s->run_end = s->idle_start = s->idle_end = 0;
	s->there = (struct ht_pages_there){0, 0};
	ht_heap_map_begin(&s->map, g);
	s->cached = ht_cached_from(s->in->walk->roots, g->first);
	s->cached_end = ht_cached_from(s->in->walk->roots, g->end);
	s->open = true;
}

static void end_segment(struct ht_sweep *s)
{
	const struct ht_segment *g = s->segment;

	sweep_below(s, g->end);
	if (s->has_top)
		end_top(s);
	end_run(s);
	end_idle(s);
	end_held(s, g->end);
	s->known &= s->pages->known;
	if (s->out->maps && s->pages->known && !s->in->walk->sparse)
		ht_heap_map_text(&s->map, g, s->pages,
				 s->out->maps[s->next - 1]);
	s->held -= foreign_pages(s->in, s->pages, g, ht_pages_resident);
	s->out->resident += ht_segment_resident(s->in, s->pages, g);
	s->in->walk->heaps_swapped +=
		ht_pages_swapped(s->pages, g->start, g->end) -
		foreign_pages(s->in, s->pages, g, ht_pages_swapped);
	s->out->kept.by[HT_CAUSE_HEAP_OVERHEAD] +=
		overhead_resident(s, s->next - 1);
	s->open = false;
}

/* The tables may be others than the last time. NULL: out of memory. */
static struct ht_sweep *resume(const struct ht_arena_in *in,
			       const struct ht_extent *x,
			       const struct ht_met *met, struct ht_swept *out)
{
	struct ht_sweep *s = out->sweep;

	if (!s) {
		s = out->sweep = calloc(1, sizeof(*s));
		/* each is written before it is read */
		out->run =
			reallocarray(NULL, HT_BLOCKED_RUNS, sizeof(*out->run));
		if (in->walk->in->want & HT_WANT_HEAPS)
			out->maps = calloc(x->segments, sizeof(*out->maps));
		if (!s)
			return NULL;
		s->in = in;
		s->x = x;
		s->met = met;
		s->out = out;
		s->runs = &in->walk->runs;
		s->free_by = in->walk->free;
		s->known = true;
	}
	s->free = (struct cursor){.x = &met->links.free};
	s->fast = (struct cursor){.x = &met->links.fast};
	settle(&s->free);
	settle_fast(&s->fast);
	return s;
}

/* Up to the begin of segment i. */
static void sweep_segments(struct ht_sweep *s, size_t i)
{
	if (s->open && s->next <= i)
		end_segment(s);
	while (s->next < i) {
		begin_segment(s);
		end_segment(s);
	}
}

void ht_sweep_below(const struct ht_arena_in *in, const struct ht_extent *x,
		    const struct ht_met *met, struct ht_swept *ret, size_t i,
		    uint64_t address)
{
	struct ht_sweep *s = resume(in, x, met, ret);

	if (!s)
		return;
	sweep_segments(s, i);
	if (!s->open)
		begin_segment(s);
	sweep_below(s, address);
}

void ht_sweep(const struct ht_arena_in *in, const struct ht_extent *x,
	      const struct ht_met *met, struct ht_swept *ret)
{
	struct ht_sweep *s = resume(in, x, met, ret);

	if (s)
		sweep_segments(s, x->segments);
	settle_resident(in, ret, s ? s->held : 0);
	ht_kept_add(&in->walk->kept, &ret->kept);
	in->walk->heaps_resident += ret->resident;
	in->walk->trimmable_private += ret->trimmable_private;
	in->walk->private_unknown |= ret->private_unknown;
	if (!s || !s->known)
		unknown(ret);
}

void ht_swept_fini(struct ht_swept *s)
{
	free(s->sweep);
	free(s->run);
	free(s->maps);
}
