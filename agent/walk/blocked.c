/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocked: which chunks keep memory below the top from leaving by it.
 *
 * From the top down: chunks that are not free (a cached chunk counts: to malloc
 * it is in use) and the free run right below each. If the k highest went, the
 * runs below them would join the top. The free runs are known from the sweep;
 * the chunks between two runs are read once more, the highest ones only.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/walk/sweep.h"

#define HIGHEST	 16
#define SPAN	 (UINT64_C(64) << 10)
#define HELD_MAX 4096		      /* 64 KiB of the smallest chunks */
#define STRETCH	 (UINT64_C(64) << 10) /* read at least so far back */
#define UNKNOWN_MAX                                                            \
	(UINT64_C(4) << 20) /* and where no start is known, at most */

struct held {
	uint64_t chunk, size;
	uint64_t below; /* resident bytes of the free run right below */
};

struct search {
	const struct ht_arena_in *in;
	const struct ht_met *met;
	const struct ht_swept *swept;
	const struct ht_pages *pages; /* of the segment */
	uint64_t bottom;	      /* first chunk of the segment */
	struct held *held;
	size_t n;
	uint64_t end; /* end of the highest chunk that is not free */
	bool done;
	bool unread; /* a light look knows no chunk near enough to read from */
};

/* Sizes from `at` (a chunk) to `end`, with the last HELD_MAX kept in a ring. */
static size_t read_stretch(struct search *s, uint64_t at, uint64_t end,
			   struct held *ring)
{
	const unsigned word = s->in->layout->word;
	size_t n = 0;

	while (at < end) {
		uint64_t head = 0, size;

		if (!ht_view_have(&s->in->walk->window, at, 2 * word))
			return 0;
		memcpy(&head, ht_view_at(&s->in->walk->window, at + word),
		       word);
		size = head & ~HT_SIZE_FLAGS;
		if (size < ht_chunk_min(s->in->layout) || size > end - at)
			return 0;
		ring[n++ % HELD_MAX] = (struct held){at, size, 0};
		at += size;
	}
	return n;
}

/* The latest chunk known to start at least STRETCH before `end`. */
static uint64_t start_of_stretch(const struct search *s, uint64_t start,
				 uint64_t end, size_t back)
{
	size_t n = s->met->checkpoints;

	if (end - start <= STRETCH)
		return start;
	for (size_t i = 1; i <= n && i <= HT_CHECKPOINTS; i++) {
		uint64_t at = s->met->checkpoint[(n - i) % HT_CHECKPOINTS];

		if (at <= start)
			return start;
		if (at + STRETCH <= end && back-- == 0)
			return at;
	}
	return start;
}

/* Adds the chunks of [start, end), none of which is free, from the top down.
 * below: the free run under the lowest of them. */
static void add_stretch(struct search *s, uint64_t start, uint64_t end,
			uint64_t below, struct held *ring)
{
	size_t got = 0, back = 0;
	uint64_t from;

	do {
		from = start_of_stretch(s, start, end, back++);
		s->unread =
			s->met->checkpoints == 0 && end - from > UNKNOWN_MAX;
		if (s->unread) {
			s->done = true;
			return;
		}
		got = read_stretch(s, from, end, ring);
	} while (got < HIGHEST && from > start && back < HT_CHECKPOINTS);
	s->done |= got == 0;
	for (size_t i = 0; i < got && i < HELD_MAX && !s->done; i++) {
		struct held h = ring[(got - 1 - i) % HELD_MAX];

		if (s->n == 0)
			s->end = h.chunk + h.size;
		if (h.chunk == start)
			h.below = below;
		s->held[s->n++] = h;
		s->done = s->n == HELD_MAX ||
			  (s->n > HIGHEST && h.chunk + SPAN <= s->end);
	}
	s->done |= from > start;
}

/* What a trim gave back is held by nobody. A core file knows no pages: all. */
static uint64_t resident(const struct search *s, const struct ht_run *r)
{
	return s->pages->known ? ht_pages_resident(s->pages, r->start, r->end)
			       : r->end - r->start;
}

static void collect(struct search *s, struct held *ring)
{
	uint64_t end = s->swept->joined;
	size_t kept = s->swept->runs < HT_BLOCKED_RUNS ? s->swept->runs
						       : HT_BLOCKED_RUNS;

	for (size_t i = 1; i <= kept && !s->done; i++) {
		const struct ht_run *r =
			&s->swept->run[(s->swept->runs - i) % HT_BLOCKED_RUNS];

		add_stretch(s, r->end, end, resident(s, r), ring);
		end = r->start;
	}
	if (!s->done && kept == s->swept->runs && end > s->bottom)
		add_stretch(s, s->bottom, end, 0, ring);
}

static uint64_t opened_by(const struct search *s, size_t chunks)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->n && i < chunks; i++)
		bytes += s->held[i].below;
	return bytes;
}

static void fill_blocked(const struct search *s, struct ht_blocked *b)
{
	size_t span = 0;

	while (span < s->n && s->held[span].chunk + SPAN > s->end)
		span++;
	if (span == 0 && s->n)
		span = 1;
	b->chunks_1 = opened_by(s, 1);
	b->chunks_4 = opened_by(s, 4);
	b->chunks_16 = opened_by(s, 16);
	b->span_64k = opened_by(s, span);
	b->span_64k_chunks = span;
}

/* A cached chunk is freed; to its arena it is in use all the same. */
static uint64_t cached_by(const struct search *s, uint64_t chunk)
{
	const struct ht_roots *roots = s->in->walk->roots;
	size_t i = ht_cached_from(roots, chunk);

	return i < roots->cached_n && roots->cached[i].chunk == chunk &&
			       roots->cached[i].size
		       ? (uint64_t)roots->cached[i].tid
		       : HT_UNKNOWN;
}

static void fill_pin(const struct search *s, struct ht_arena *a)
{
	const struct held *pin = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (s->held[i].below && (!pin || s->held[i].below > pin->below))
			pin = &s->held[i];
	a->pin_address = pin ? pin->chunk : HT_UNKNOWN;
	a->pin_size = pin ? pin->size : HT_UNKNOWN;
	a->pin_holds = pin ? pin->below : HT_UNKNOWN;
	a->pin_cached_by = pin ? cached_by(s, pin->chunk) : HT_UNKNOWN;
}

static void warn_unread(struct ht_walk *w)
{
	ht_snapshot_warn(
		w->out,
		"which chunks keep memory below the top was not looked for: chunks in use lie close together there, and only a walk knows where each begins");
}

void ht_blocked(const struct ht_arena_in *in, const struct ht_extent *x,
		const struct ht_met *met, const struct ht_swept *swept,
		struct ht_arena *ret)
{
	struct search s = {.in = in, .met = met, .swept = swept};
	struct held *ring = reallocarray(NULL, HELD_MAX, sizeof(*ring));
	size_t i = x->top_segment;

	s.held = reallocarray(NULL, HELD_MAX, sizeof(*s.held));
	if (ring && s.held && swept->run && i < x->segments && x->top) {
		s.bottom = x->segment[i].first;
		s.pages = &x->pages[i];
		ht_view_segment(&in->walk->window, &x->pages[i],
				x->segment[i].end);
		collect(&s, ring);
	}
	if (s.unread) /* what was found above it may not be the pin */
		s.n = 0;
	fill_pin(&s, ret);
	if (in->root->main && in->root->index == 0 && x->top && !s.unread)
		fill_blocked(&s, &in->walk->out->blocked);
	else if (s.unread && in->root->main && in->root->index == 0)
		warn_unread(in->walk);
	free(ring);
	free(s.held);
}
