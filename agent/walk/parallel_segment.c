/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parallel segment: the second half of a large segment, walked by the helper at
 * the same time as the first.
 *
 * The pass goes from boundary tag to boundary tag and can begin only at a
 * chunk. The bins' headers name chunks all over the heap: one near the middle
 * is where the helper begins. Whether it really is one is proved when the first
 * half's pass arrives exactly there; if it does not, or if anything in the
 * second half made its pass stop, what the helper found is dropped and the pass
 * goes on as if there were none.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/self/helper.h"
#include "agent/walk/arena.h"

#define SPLIT_FROM                                                             \
	((uint64_t)8 << 20) /* bytes; less is not worth a wake-up              \
			     */
#define SPLIT_MAX                                                              \
	((uint64_t)1 << 30) /* at a time: each half has its tables             \
			     */

struct ht_second_half {
	struct ht_reader reader; /* its own counters; the same source */
	struct ht_view window;
	struct ht_links links;
	struct ht_pass pass;
	struct ht_marked marked;
	struct ht_class_count in_use[HT_CLASSES], binned[HT_BINS + 1];
	uint64_t middle; /* where it began */
	uint64_t stop;	 /* of the pass as a whole */
	enum ht_pass_end end;
};

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The chunk nearest to an address that some bin's header names, at most `reach`
 * away from it; 0: none. */
static uint64_t named_near(const struct ht_arena_walk *aw, uint64_t near,
			   uint64_t reach)
{
	uint64_t best = 0;

	for (unsigned i = 1; i <= HT_BINS; i++) {
		const uint64_t named[] = {aw->in.root->fd[i],
					  aw->in.root->bk[i]};

		for (unsigned k = 0; k < 2; k++) {
			uint64_t far = distance(named[k], near);

			if (far < reach &&
			    (named[k] - aw->met.pass.first) %
					    aw->in.layout->align ==
				    0) {
				reach = far;
				best = named[k];
			}
		}
	}
	return best;
}

/* What is split next: from the pass on, to its stop or, where that is far, to a
 * chunk in between. false: nothing that can be. */
static bool find_halves(const struct ht_arena_walk *aw, uint64_t *ret_middle,
			uint64_t *ret_end)
{
	const struct ht_pass *p = &aw->met.pass;
	uint64_t end = p->stop, size = end - p->at;

	/* What moves is read once, and what does not fit is read again. */
	if (aw->in.walk->in->moving || aw->in.walk->in->alone ||
	    size < SPLIT_FROM)
		return false;
	if (size > SPLIT_MAX + SPLIT_MAX / 2)
		end = named_near(aw, p->at + SPLIT_MAX, SPLIT_MAX / 2);
	size = end - p->at;
	*ret_end = end;
	*ret_middle = end ? named_near(aw, p->at + size / 2, size / 4) : 0;
	return *ret_middle != 0;
}

static void run(void *ctx)
{
	struct ht_second_half *s = ctx;

	s->end = ht_pass_run(&s->pass);
}

static void begin_pass(struct ht_second_half *s, const struct ht_arena_walk *aw)
{
	const struct ht_roots *roots = aw->in.walk->roots;
	size_t skipped = ht_cached_from(roots, s->middle) -
			 ht_cached_from(roots, aw->met.pass.first);

	s->pass = aw->met.pass;
	s->pass.window = &s->window;
	s->pass.links = &s->links;
	s->pass.in_use = s->in_use;
	s->pass.binned = s->binned;
	s->pass.at = s->middle;
	s->pass.footers_bad = s->pass.flags_bad = s->pass.marks_bad = 0;
	if (s->pass.marked) {
		s->marked = ht_marked_half(s->pass.marked, s->middle);
		s->pass.marked = &s->marked;
	}
	if (s->pass.teller) {
		s->pass.teller++; /* the helper's */
		s->pass.teller->anew = true;
	}
	if (s->pass.cached_n) {
		s->pass.cached += skipped;
		s->pass.cached_n -= skipped;
	}
}

static void split_free(struct ht_second_half *s)
{
	if (!s)
		return;
	ht_view_fini(&s->window);
	ht_links_fini(&s->links);
	free(s);
}

static struct ht_second_half *prepare(struct ht_arena_walk *aw, size_t i,
				      uint64_t middle, uint64_t end)
{
	struct ht_second_half *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->middle = middle;
	s->stop = aw->met.pass.stop;
	s->reader = ht_reader_twin(aw->in.walk->in->reader);
	if (ht_view_init(&s->window, &s->reader, UINT64_MAX, NULL) != HT_OK) {
		free(s);
		return NULL;
	}
	ht_view_segment(&s->window, &aw->extent.pages[i],
			aw->extent.segment[i].end);
	ht_links_init(&s->links, aw->in.layout, aw->in.root->address,
		      aw->extent.segment, aw->extent.segments,
		      aw->met.links.bytes_max / 2);
	begin_pass(s, aw);
	s->pass.stop = end;
	return s;
}

struct ht_second_half *ht_second_half_begin(struct ht_arena_walk *aw, size_t i)
{
	uint64_t middle, end;
	struct ht_second_half *s;

	if (!find_halves(aw, &middle, &end))
		return NULL;
	s = prepare(aw, i, middle, end);
	if (s && !ht_helper_run(run, s)) {
		split_free(s);
		return NULL;
	}
	if (s)
		aw->met.pass.stop = middle;
	return s;
}

/* What the pass had assigned to cached chunks that may be none, and marked. */
static void forget(struct ht_second_half *s, const struct ht_arena_walk *aw)
{
	const struct ht_roots *roots = aw->in.walk->roots;
	size_t to = ht_cached_from(roots, s->pass.stop);

	for (size_t i = ht_cached_from(roots, s->middle); i < to; i++)
		roots->cached[i].size = 0;
	if (aw->met.pass.marked)
		ht_marked_drop(aw->met.pass.marked, &s->marked, s->pass.stop);
	if (s->pass.teller)
		s->pass.teller->lost = true;
}

static void take_checkpoints(struct ht_pass *p, const struct ht_pass *from)
{
	size_t i = from->checkpoints > HT_CHECKPOINTS
			   ? from->checkpoints - HT_CHECKPOINTS
			   : 0;

	for (; i < from->checkpoints; i++)
		p->checkpoint[p->checkpoints++ % HT_CHECKPOINTS] =
			from->checkpoint[i % HT_CHECKPOINTS];
}

static void take(struct ht_second_half *s, struct ht_pass *p)
{
	const struct ht_pass *from = &s->pass;

	if (p->marked)
		ht_marked_take(p->marked, &s->marked);
	ht_classes_add(p->in_use, s->in_use, HT_CLASSES);
	ht_classes_add(p->binned, s->binned, HT_BINS + 1);
	take_checkpoints(p, from);
	if (p->footers_bad == 0)
		p->footer_bad_at = from->footer_bad_at;
	if (p->flags_bad == 0)
		p->flags_bad_at = from->flags_bad_at;
	p->footers_bad += from->footers_bad;
	if (p->marks_bad == 0)
		p->mark_bad_at = from->mark_bad_at;
	p->flags_bad += from->flags_bad;
	p->marks_bad += from->marks_bad;
	p->cached = from->cached;
	p->cached_n = from->cached_n;
	p->previous = from->previous;
	p->previous_word = from->previous_word;
	p->at = from->at;
	if (p->teller)
		p->teller->anew = true;
}

bool ht_second_half_join(struct ht_arena_walk *aw, size_t i,
			 struct ht_second_half *s)
{
	struct ht_pass *p = &aw->met.pass;
	bool good;

	ht_helper_wait();
	ht_reader_add(aw->in.walk->in->reader, &s->reader);
	p->stop = s->stop;
	good = p->at == s->middle && s->end == HT_PASS_DONE;
	if (good && !ht_links_append(p->links, &s->links)) {
		ht_overflow_drain(aw, i);
		good = ht_links_append(p->links, &s->links);
	}
	if (good)
		take(s, p);
	else
		forget(s, aw);
	split_free(s);
	return good;
}
