/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/chunks.h"

#include <string.h>

#include "agent/libc/chunk.h"

#define STAGED 512 /* candidates, and free chunks, handed over at a time */

_Static_assert(HT_VIEW_MAX / 32 <= HT_GONE_BY_MAX, "all chunks of a window");

/* The two shapes of a word and the two alignments: constants in each copy of
 * the loop, so that one source gives fast ones. */
struct shape {
	unsigned word, shift;
	bool marks;
	bool fastbins; /* some may not be empty */
};

/* What the loop keeps beside registers. */
struct staging {
	struct ht_fast_candidate c[STAGED];
	size_t n;
	/* Of the window, free chunks and those that may be in a fastbin: bytes
	 * from its start. */
	uint32_t free[STAGED], fast[STAGED];
};

static inline __attribute__((always_inline)) uint64_t load(uintptr_t at,
							   const unsigned word)
{
	uint64_t wide;
	uint32_t narrow;

	if (word == 8) {
		memcpy(&wide, (const void *)at, 8);
		return wide;
	}
	memcpy(&narrow, (const void *)at, 4);
	return narrow;
}

static void flush(struct ht_pass *p, struct staging *s)
{
	if (s->n)
		ht_links_add_fast(p->links, s->c, s->n);
	s->n = 0;
}

static inline __attribute__((always_inline)) uint32_t
position_of(const struct ht_pass *p, const struct shape f, uint64_t chunk)
{
	return p->base + (uint32_t)((chunk - p->first) >> f.shift);
}

/* As ht_links_encode: most links lead to a chunk of the same segment. */
static inline __attribute__((always_inline)) uint32_t
link_of(const struct ht_pass *p, const struct shape f, uint64_t chunk)
{
	const uint64_t far = chunk - p->first;

	if (far < p->limit - p->first && !(far & ((1u << f.shift) - 1)))
		return 1 + p->base + (uint32_t)(far >> f.shift);
	return ht_links_encode(p->links, chunk);
}

/* A chunk that its neighbour calls free: what its bytes say of it. */
struct free_chunk {
	uint64_t at, head, footer, fd, bk;
};

/* room: the tables have some for it. */
static inline __attribute__((always_inline)) void
meet_free(struct ht_pass *p, const struct shape f, const struct free_chunk *c,
	  bool room)
{
	const uint64_t size = c->head & ~(uint64_t)HT_SIZE_FLAGS;
	const unsigned index = ht_bin_index(p->layout, size);
	struct ht_class_count *bin = &p->binned[index];
	struct ht_links *l = p->links;

	if (c->footer != size && p->footers_bad++ == 0)
		p->footer_bad_at = c->at;
	if (!(c->head & HT_PREV_INUSE) && p->flags_bad++ == 0)
		p->flags_bad_at = c->at;
	bin->chunks++;
	bin->bytes += size;
	if (room) {
		const struct ht_free_more more = {link_of(p, f, c->bk),
						  (uint32_t)(size >> f.shift)};

		ht_links_put_free(l, position_of(p, f, c->at), &more,
				  link_of(p, f, c->fd), index);
	}
}

/* Where a first word leads if its chunk is in a fastbin; 0: to the end. */
static inline __attribute__((always_inline)) uint64_t
fast_next(const struct ht_pass *p, const struct shape f, uint64_t chunk,
	  uint64_t fd)
{
	const uint64_t place = chunk + 2 * f.word;

	return p->safe_linking ? fd ^ place >> 12 : fd;
}

/* Whether a chunk that looks in use could be in a fastbin: of such a size, its
 * fd decodes to nothing, or into the arena. No branch: about one chunk in four
 * is a candidate on some heaps, and which one cannot be predicted. */
static inline __attribute__((always_inline)) bool
may_be_fast(const struct ht_pass *p, const struct shape f, uint64_t chunk,
	    uint64_t size, uint64_t fd)
{
	const uint64_t next = fast_next(p, f, chunk, fd);
	const bool leads =
		(next == 0) | (next - p->links->low < p->links->span);

	return leads & (size < 512) & (p->fast_sizes >> (size / 8 & 63) & 1);
}

/* Such a one, unless it leads to what is no place for a chunk. */
static inline __attribute__((always_inline)) void
stage(struct ht_pass *p, struct staging *s, const struct shape f,
      uint64_t chunk, uint64_t size, uint64_t fd)
{
	const uint64_t next = fast_next(p, f, chunk, fd);
	struct ht_fast_candidate *c = &s->c[s->n];

	c->position = position_of(p, f, chunk);
	c->link = next ? link_of(p, f, next) : HT_LINK_END;
	c->index = (uint32_t)(size / (2 * f.word)) - 2;
	s->n += c->link <= HT_LINK_MAX;
	if (s->n == STAGED)
		flush(p, s);
}

/* Whose arena it is, its flag says otherwise. */
static __attribute__((noinline)) void meet_misplaced(struct ht_pass *p,
						     uint64_t chunk)
{
	if (p->marks_bad++ == 0)
		p->mark_bad_at = chunk;
}

static inline __attribute__((always_inline)) void
check_mark(struct ht_pass *p, uint64_t mark, uint64_t chunk, uint64_t head,
	   unsigned used)
{
	if ((head ^ (-(uint64_t)used & mark)) & HT_NON_MAIN_ARENA)
		meet_misplaced(p, chunk);
}

static void meet_cached(struct ht_pass *p, uint64_t chunk, uint64_t size)
{
	while (p->cached_n && p->cached->chunk <= chunk) {
		if (p->cached->chunk == chunk)
			p->cached->size = size;
		p->cached++;
		p->cached_n--;
	}
}

static inline __attribute__((always_inline)) void
count_in_use(struct ht_class_count *in_use, uint64_t size, unsigned used)
{
	struct ht_class_count *c;

	if (size <= HT_EXACT_MAX) {
		in_use[size / 8].chunks += used;
	} else {
		c = &in_use[ht_class_large(size)];
		c->chunks += used;
		c->bytes += used ? size : 0;
	}
}

/* A size that cannot be: flags beyond the allowed, too small, or beyond the
 * segment, of which there is room for one. HT_IS_MMAPPED is never set in a
 * heap.
 */
static inline __attribute__((always_inline)) bool
impossible(uint64_t head, uint64_t room, const struct shape f)
{
	const uint64_t odd =
		((1u << f.shift) - 1) & ~(HT_SIZE_FLAGS & ~HT_IS_MMAPPED);
	const uint64_t size = head & ~(uint64_t)HT_SIZE_FLAGS;
	const uint64_t least = 4 * f.word;

	/* One comparison for two: room is no less. */
	return (head & odd) || size - least > room - least;
}

/* The first n of the free chunks that run_window met. */
static inline __attribute__((always_inline)) void
meet_all_free(struct ht_pass *p, const struct staging *s, size_t n,
	      const struct shape f)
{
	const struct ht_view *w = p->window;
	bool room = n && ht_links_spend_free(
				 p->links, n,
				 position_of(p, f, w->start + s->free[n - 1]));

	for (size_t i = 0; i < n; i++) {
		const uintptr_t b = (uintptr_t)w->buf + s->free[i];
		uint64_t head = load(b + f.word, f.word);
		const struct free_chunk c = {
			w->start + s->free[i], head,
			load(b + (head & ~(uint64_t)HT_SIZE_FLAGS), f.word),
			load(b + 2 * f.word, f.word),
			load(b + 3 * f.word, f.word)};

		meet_free(p, f, &c, room);
	}
}

/* The same of those that may be in a fastbin. */
static inline __attribute__((always_inline)) void
stage_all(struct ht_pass *p, struct staging *s, size_t n, const struct shape f)
{
	const struct ht_view *w = p->window;

	for (size_t i = 0; i < n; i++) {
		const uintptr_t b = (uintptr_t)w->buf + s->fast[i];

		stage(p, s, f, w->start + s->fast[i],
		      load(b + f.word, f.word) & ~(uint64_t)HT_SIZE_FLAGS,
		      load(b + 2 * f.word, f.word));
	}
}

/* How many are put aside of the window. */
struct aside {
	size_t free, fast;
};

static __attribute__((noinline)) void meet_aside(struct ht_pass *p,
						 struct staging *s,
						 struct aside n,
						 const struct shape f)
{
	meet_all_free(p, s, n.free, f);
	stage_all(p, s, n.fast, f);
}

/* A chunk of the window is put aside if it is free, and if it may be in a
 * fastbin. */
static inline __attribute__((always_inline)) struct aside
put_aside(struct ht_pass *p, struct staging *s, struct aside n, uint64_t at,
	  bool used, bool fast, const struct shape f)
{
	s->free[n.free] = (uint32_t)at;
	n.free += !used;
	if (f.fastbins) {
		s->fast[n.fast] = (uint32_t)at;
		n.fast += fast;
	}
	if (n.free < STAGED && n.fast < STAGED)
		return n;
	meet_aside(p, s, n, f);
	return (struct aside){0, 0};
}

/* Told of later, if it counts. No branch: none could be foretold. */
static inline __attribute__((always_inline)) struct ht_gone_chunk *
note_met(struct ht_gone_chunk *met, uint64_t at, uint64_t size, bool counts)
{
	met->at = (uint32_t)at;
	met->size = (uint32_t)size;
	return met + counts;
}

#define AHEAD 768 /* bytes: some ten chunks */

/* A chunk that comes soon is waited for no longer than need be: its line of the
 * cache, and the one behind it, which may be no other chunk's. */
static inline __attribute__((always_inline)) void ask_ahead(uintptr_t at)
{
	/* NOLINTBEGIN(performance-no-int-to-ptr) */
	__builtin_prefetch((const void *)(at + AHEAD));
	__builtin_prefetch((const void *)(at + AHEAD + 64));
	/* NOLINTEND(performance-no-int-to-ptr) */
}

/* No chunk ends the segment: what is left is less than one. */
static inline __attribute__((always_inline)) bool
leaves_crumbs(const struct ht_pass *p, const struct shape f)
{
	return p->at != p->stop && p->stop - p->at < 4 * f.word;
}

/* Chunks whose header and whose neighbour's header are in the window. Which of
 * them are free cannot be foretold: they are put aside, without a branch. */
static inline __attribute__((always_inline)) enum ht_pass_end
run_window(struct ht_pass *p, struct staging *s, const struct shape f)
{
	const uint64_t stop = p->stop, mark = p->mark;
	const uint64_t whole = p->window->end - 2 * f.word;
	const uint64_t start = p->window->start;
	/* as numbers: no such pointer may be formed */
	const uintptr_t base = (uintptr_t)p->window->buf - start;
	uint64_t next_cached = p->cached_n ? p->cached->chunk : UINT64_MAX;
	uint64_t at = p->at, head = load(base + at + f.word, f.word);
	uint64_t previous = p->previous, previous_word = p->previous_word;
	struct ht_class_count *in_use = p->in_use;
	enum ht_pass_end end = HT_PASS_DONE;
	struct ht_gone_chunk *met =
		f.marks && p->teller ? p->teller->chunk : NULL;
	struct aside n = {0, 0};

	while (stop - at >= 4 * f.word) {
		uint64_t size = head & ~(uint64_t)HT_SIZE_FLAGS;
		uint64_t next = at + size, next_head;
		bool used, fast;

		if (impossible(head, stop - at, f)) {
			end = HT_PASS_SIZE;
			break;
		}
		if (next > whole)
			break;
		ask_ahead(base + next);
		next_head = load(base + next + f.word, f.word);
		used = next_head & HT_PREV_INUSE;
		check_mark(p, mark, at, head, used);
		if (f.marks)
			ht_mark(p->marked, at, used);
		count_in_use(in_use, size, used);
		fast = f.fastbins &&
		       (used &
			may_be_fast(p, f, at, size,
				    load(base + at + 2 * f.word, f.word)));
		n = put_aside(p, s, n, at - start, used, fast, f);
		/* No word of a program's own decodes to a chunk; without safe
		 * linking many are the same as links. */
		if (f.marks && met)
			met = note_met(met, at - start, size,
				       used && !(fast && p->safe_linking));
		if (at >= next_cached) {
			meet_cached(p, at, size);
			next_cached =
				p->cached_n ? p->cached->chunk : UINT64_MAX;
		}
		previous = at;
		previous_word = head;
		at = next;
		head = next_head;
	}
	meet_aside(p, s, n, f);
	p->previous = previous;
	p->previous_word = previous_word;
	p->at = at;
	p->met = met;
	return end == HT_PASS_DONE && leaves_crumbs(p, f) ? HT_PASS_SIZE : end;
}

static inline __attribute__((always_inline)) void
meet_crossing(struct ht_pass *p, const struct shape f,
	      const struct free_chunk *c)
{
	meet_free(p, f, c,
		  ht_links_spend_free(p->links, 1, position_of(p, f, c->at)));
}

/* One chunk whose neighbour lies in another window. */
static inline __attribute__((always_inline)) enum ht_pass_end
cross_window(struct ht_pass *p, struct staging *s, const struct shape f)
{
	struct ht_view *w = p->window;
	uint64_t at = p->at, head, size, next, fd, bk, next_head;
	uintptr_t b;

	if (!ht_view_have(w, at, 4 * f.word))
		return HT_PASS_UNREADABLE;
	b = (uintptr_t)ht_view_at(w, at);
	head = load(b + f.word, f.word);
	fd = load(b + 2 * f.word, f.word);
	bk = load(b + 3 * f.word, f.word);
	if (leaves_crumbs(p, f) || impossible(head, p->stop - at, f))
		return HT_PASS_SIZE;
	size = head & ~(uint64_t)HT_SIZE_FLAGS;
	next = at + size;
	if (!ht_view_have(w, next, 2 * f.word))
		return HT_PASS_UNREADABLE;
	b = (uintptr_t)ht_view_at(w, next);
	next_head = load(b + f.word, f.word);
	if (f.marks)
		ht_mark(p->marked, at, next_head & HT_PREV_INUSE);
	check_mark(p, p->mark, at, head, next_head & HT_PREV_INUSE);
	count_in_use(p->in_use, size, next_head & HT_PREV_INUSE);
	if (!(next_head & HT_PREV_INUSE))
		meet_crossing(p, f,
			      &(struct free_chunk){at, head, load(b, f.word),
						   fd, bk});
	else if (may_be_fast(p, f, at, size, fd))
		stage(p, s, f, at, size, fd);
	if (p->cached_n && at >= p->cached->chunk)
		meet_cached(p, at, size);
	p->checkpoint[p->checkpoints++ % HT_CHECKPOINTS] = next;
	p->previous = at;
	p->previous_word = head;
	p->at = next;
	return HT_PASS_DONE;
}

/* What was gone through from there on, all of it in the window. */
static void show(const struct ht_pass *p, uint64_t from)
{
	const struct ht_view *w = p->window;
	const struct ht_gone_by s = {.marked = p->marked,
				     .buf = w->buf,
				     .start = w->start,
				     .end = w->end,
				     .from = from,
				     .to = p->at,
				     .chunk = p->teller->chunk,
				     .n = (size_t)(p->met - p->teller->chunk)};

	if (from < p->at)
		p->teller->show(p->teller, &s);
}

static inline __attribute__((always_inline)) enum ht_pass_end
run(struct ht_pass *p, const struct shape f)
{
	struct staging s;
	enum ht_pass_end end = HT_PASS_DONE;

	s.n = 0; /* the rest is written before it is read */
	while (p->at != p->stop && end == HT_PASS_DONE) {
		struct ht_view *w = p->window;

		if (p->at >= w->start && p->at + 4 * f.word <= w->end &&
		    p->at < w->end) {
			uint64_t from = p->at;

			end = run_window(p, &s, f);
			if (f.marks && p->teller)
				show(p, from);
		}
		if (p->at != p->stop && end == HT_PASS_DONE)
			end = cross_window(p, &s, f);
		flush(p, &s);
		if (end == HT_PASS_DONE && p->at != p->stop &&
		    ht_links_pressed(p->links))
			end = HT_PASS_FULL;
	}
	if (f.marks) /* what is here ends the chunk before */
		ht_mark(p->marked, p->at, false);
	return end;
}

enum ht_pass_end ht_pass_run(struct ht_pass *p)
{
	if (p->layout->word == 8 && p->marked)
		return run(p, (struct shape){8, 4, true, true});
	if (p->layout->word == 8)
		return p->fast_sizes
			       ? run(p, (struct shape){8, 4, false, true})
			       : run(p, (struct shape){8, 4, false, false});
	if (p->layout->align == 16)
		return run(p, (struct shape){4, 4, false, true});
	return run(p, (struct shape){4, 3, false, true});
}
