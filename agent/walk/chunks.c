/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/chunks.h"

#include <string.h>

#include "agent/libc/chunk.h"

#define STAGED 512 /* candidates, and free chunks, handed over at a time */

_Static_assert(HT_VIEW_MAX / 32 <= HT_GONE_BY_MAX, "all chunks of a window");

/* The two shapes of a word and the two alignments: constants in each copy of
 * the loop, so that one source gives three fast ones. */
struct shape {
	unsigned word, shift;
	bool marks;
};

/* What the loop keeps beside registers. */
struct staging {
	struct ht_fast_candidate c[STAGED];
	size_t n;
	/* Free chunks of the window: bytes from its start. */
	uint32_t free[STAGED];
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

static uint32_t position_of(const struct ht_pass *p, uint64_t chunk)
{
	return p->base + (uint32_t)((chunk - p->first) >> p->links->shift);
}

/* A chunk that its neighbour calls free. */
static void meet_free(struct ht_pass *p, uint64_t chunk, uint64_t size,
		      uint64_t head, uint64_t footer, uint64_t fd, uint64_t bk)
{
	struct ht_class_count *bin = &p->binned[ht_bin_index(p->layout, size)];

	if (footer != size && p->footers_bad++ == 0)
		p->footer_bad_at = chunk;
	if (!(head & HT_PREV_INUSE) && p->flags_bad++ == 0)
		p->flags_bad_at = chunk;
	bin->chunks++;
	bin->bytes += size;
	ht_links_add_free(p->links, position_of(p, chunk),
			  (uint32_t)(size >> p->links->shift),
			  ht_links_encode(p->links, fd),
			  ht_links_encode(p->links, bk));
}

/* Whether a chunk that looks in use could be in a fastbin: its fd decodes to
 * nothing, or to a chunk of the arena. Branches little: about one chunk in four
 * is a candidate on some heaps, and which one cannot be predicted. */
static inline __attribute__((always_inline)) bool
stage(struct ht_pass *p, struct staging *s, const struct shape f,
      uint64_t chunk, uint64_t size, uint64_t fd)
{
	const uint64_t place = chunk + 2 * f.word;
	uint64_t next = p->safe_linking ? fd ^ (place >> 12) : fd;
	uint64_t far = next - p->first;
	uint64_t units = far >> f.shift;
	bool inside =
		far < p->limit - p->first && !(far & ((1u << f.shift) - 1));
	struct ht_fast_candidate *c = &s->c[s->n];

	c->position = p->base + (uint32_t)((chunk - p->first) >> f.shift);
	c->link = inside ? 1 + p->base + (uint32_t)units : HT_LINK_END;
	c->index = (uint32_t)(size / (2 * f.word)) - 2;
	if (!inside && next != 0) {
		/* as a rule it is what a program keeps there */
		if (next - p->links->low >= p->links->span)
			return false;
		c->link = ht_links_encode(p->links, next);
		if (c->link > HT_LINK_MAX)
			return false;
	}
	if (++s->n == STAGED)
		flush(p, s);
	return true;
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

/* Whether a chunk that looks in use may be in a fastbin after all. */
static inline __attribute__((always_inline)) bool
may_be_fast(struct ht_pass *p, struct staging *s, const struct shape f,
	    uint64_t chunk, uint64_t size, uint64_t fd)
{
	return size < 512 && p->fast_sizes >> (size / 8) & 1 &&
	       stage(p, s, f, chunk, size, fd);
}

/* A size that cannot be: flags beyond the allowed, too small, or beyond the
 * segment. HT_IS_MMAPPED is never set in a heap. */
static inline __attribute__((always_inline)) bool
impossible(uint64_t head, uint64_t room, const struct shape f)
{
	const uint64_t odd =
		((1u << f.shift) - 1) & ~(HT_SIZE_FLAGS & ~HT_IS_MMAPPED);
	uint64_t size = head & ~(uint64_t)HT_SIZE_FLAGS;

	return (head & odd) || size < 4 * f.word || size > room;
}

/* The first n of the free chunks that run_window met. */
static void meet_all_free(struct ht_pass *p, const struct staging *s, size_t n,
			  const unsigned word)
{
	const struct ht_view *w = p->window;

	for (size_t i = 0; i < n; i++) {
		const uintptr_t b = (uintptr_t)w->buf + s->free[i];
		uint64_t head = load(b + word, word);
		uint64_t size = head & ~(uint64_t)HT_SIZE_FLAGS;

		meet_free(p, w->start + s->free[i], size, head,
			  load(b + size, word), load(b + 2 * word, word),
			  load(b + 3 * word, word));
	}
}

/* A chunk of the window, put aside if it is free: the n-th. Returns how many
 * now are. */
static inline __attribute__((always_inline)) size_t
put_aside(struct ht_pass *p, struct staging *s, size_t n, uint64_t chunk,
	  unsigned used, const unsigned word)
{
	s->free[n] = (uint32_t)(chunk - p->window->start);
	n += !used;
	if (n < STAGED)
		return n;
	meet_all_free(p, s, n, word);
	return 0;
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

/* Chunks whose header and whose neighbour's header are in the window. Which of
 * them are free cannot be foretold: they are put aside, without a branch. */
static inline __attribute__((always_inline)) enum ht_pass_end
run_window(struct ht_pass *p, struct staging *s, const struct shape f)
{
	const uint64_t stop = p->stop;
	const uint64_t whole = p->window->end - 2 * f.word;
	const uint64_t start = p->window->start;
	/* as numbers: no such pointer may be formed */
	const uintptr_t base = (uintptr_t)p->window->buf - start;
	uint64_t next_cached = p->cached_n ? p->cached->chunk : UINT64_MAX;
	uint64_t at = p->at, head = load(base + at + f.word, f.word);
	struct ht_class_count *in_use = p->in_use;
	const uint64_t mark = p->mark;
	enum ht_pass_end end = HT_PASS_DONE;
	struct ht_gone_chunk *met =
		f.marks && p->teller ? p->teller->chunk : NULL;
	size_t free_n = 0;

	while (at != stop) {
		uint64_t size = head & ~(uint64_t)HT_SIZE_FLAGS;
		uint64_t next = at + size, next_head;
		unsigned used;
		bool fast;

		if (impossible(head, stop - at, f)) {
			end = HT_PASS_SIZE;
			break;
		}
		if (next > whole)
			break;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		__builtin_prefetch((const void *)(base + next + AHEAD));
		next_head = load(base + next + f.word, f.word);
		used = next_head & HT_PREV_INUSE;
		check_mark(p, mark, at, head, used);
		if (f.marks)
			ht_mark(p->marked, at, used);
		count_in_use(in_use, size, used);
		free_n = put_aside(p, s, free_n, at, used, f.word);
		fast = p->fast_sizes && used &&
		       may_be_fast(p, s, f, at, size,
				   load(base + at + 2 * f.word, f.word));
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
		p->previous = at;
		p->previous_word = head;
		at = next;
		head = next_head;
	}
	meet_all_free(p, s, free_n, f.word);
	p->at = at;
	p->met = met;
	return end;
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
	if (impossible(head, p->stop - at, f))
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
	if (next_head & HT_PREV_INUSE)
		may_be_fast(p, s, f, at, size, fd);
	else
		meet_free(p, at, size, head, load(b, f.word), fd, bk);
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
	if (p->layout->word == 8)
		return p->marked ? run(p, (struct shape){8, 4, true})
				 : run(p, (struct shape){8, 4, false});
	if (p->layout->align == 16)
		return run(p, (struct shape){4, 4, false});
	return run(p, (struct shape){4, 3, false});
}
