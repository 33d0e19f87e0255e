/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/walk/sizes.h"
#include "common/cleanup.h"

/* Rewritten, of this many that are said to be freed: so are all of these. */
#define REWRITTEN_OF 1.25

static uint64_t class_of(const struct ht_followed *c)
{
	return c->header & HT_IS_MMAPPED
		       ? 0
		       : ht_class_max(ht_class_of(c->header & ~HT_SIZE_FLAGS));
}

static void count_chunk(struct ht_site *s, const struct ht_followed *c,
			bool old)
{
	uint64_t class = class_of(c);
	bool alive = c->fate == HT_FATE_ALIVE || c->fate == HT_FATE_NEW;
	bool freed = c->fate == HT_FATE_FREED;

	if (s->samples++ == 0)
		s->min_size = s->max_size = class;
	else if (class == 0 || s->max_size == 0)
		s->max_size = 0;
	else if (class > s->max_size)
		s->max_size = class;
	if (class && (s->min_size == 0 || class < s->min_size))
		s->min_size = class;
	s->alive += alive;
	s->freed += freed;
	s->unknown += !alive && !freed;
	s->moved += c->fate == HT_FATE_MOVED;
	s->bytes += c->bytes;
	s->alive_bytes += alive ? c->bytes : 0;
	s->old_samples += old;
	s->old_alive += old && alive;
	s->old_freed += old && freed;
}

static uint64_t kept(const struct ht_site *s)
{
	return s->alive_bytes == HT_UNKNOWN ? s->bytes : s->alive_bytes;
}

/* Most bytes alive first, then most samples. */
static int by_weight(const void *x, const void *y)
{
	const struct ht_site *a = *(const struct ht_site *const *)x;
	const struct ht_site *b = *(const struct ht_site *const *)y;

	if (kept(a) != kept(b))
		return kept(a) < kept(b) ? 1 : -1;
	if (a->samples != b->samples)
		return a->samples < b->samples ? 1 : -1;
	return (a > b) - (a < b);
}

/* A frame as symbol tables have it. */
static void fill_frame(struct ht_stack_frame *f, const struct ht_stacks *s,
		       const struct ht_name *name, uint64_t pc)
{
	f->offset = pc - 1;
	if (!name || name->address == 0 || name->module == HT_MODULE_NONE)
		return;
	f->offset = name->offset;
	snprintf(f->module, sizeof(f->module), "%s",
		 s->modules->v[name->module].name);
	snprintf(f->function, sizeof(f->function), "%s", name->symbol);
	if (name->symbol[0])
		f->within = name->within;
}

/* ... with what debug information adds: all names of what was inlined, and
 * where no symbol covers it. */
static void place_frame(struct ht_stack_frame *f, const struct ht_source *l)
{
	if (l->inlined || !f->function[0]) {
		snprintf(f->function, sizeof(f->function), "%s", l->function);
		f->within = HT_UNKNOWN;
	}
	snprintf(f->file, sizeof(f->file), "%s", l->file);
	f->line = l->line;
	f->inlined = l->inlined;
}

static bool add_frame(struct ht_snapshot *to, const struct ht_answer_in *w,
		      const struct ht_site_stack *s, unsigned i, uint64_t row)
{
	const struct ht_source *line = NULL;
	size_t n = ht_places_at(w->places, s->pc[i], &line);

	for (size_t k = 0; k < (n ? n : 1); k++) {
		struct ht_stack_frame *f = ht_snapshot_add_stack_frame(to);

		if (!f)
			return false;
		f->site = row;
		fill_frame(f, w->stacks, s->name ? &s->name[i] : NULL,
			   s->pc[i]);
		if (n)
			place_frame(f, &line[k]);
	}
	return true;
}

static bool add_frames(struct ht_snapshot *to, const struct ht_answer_in *w,
		       uint32_t site, uint64_t row)
{
	const struct ht_site_stack *s = &w->stacks->v[site];

	for (unsigned i = s->inner; i < s->n; i++)
		if (!add_frame(to, w, s, i, row))
			return false;
	return true;
}

/* A sample of a site that has a row. */
struct sized {
	uint64_t row, class;
	const struct ht_followed *chunk;
};

static int by_row_and_class(const void *x, const void *y)
{
	const struct sized *a = x, *b = y;

	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return (a->class > b->class) - (a->class < b->class);
}

/* row: of each site. */
static bool add_sizes(struct ht_snapshot *to, const struct ht_following *f,
		      const uint64_t *row, int64_t middle)
{
	HT_AUTO_FREE struct sized *v = calloc(f->n + 1, sizeof(*v));
	struct ht_site_size *s = NULL;
	size_t n = 0;

	if (!v)
		return false;
	for (uint32_t i = 0; i < f->n; i++)
		if (f->v[i].site != HT_SITE_NONE)
			v[n++] = (struct sized){row[f->v[i].site],
						class_of(&f->v[i]), &f->v[i]};
	if (n)
		qsort(v, n, sizeof(*v), by_row_and_class);
	for (size_t i = 0; i < n; i++) {
		const struct ht_followed *c = v[i].chunk;
		bool old = c->taken_ns <= middle;

		if (!s || s->site != v[i].row || s->max_size != v[i].class) {
			s = ht_snapshot_add_site_size(to);
			if (!s)
				return false;
			*s = (struct ht_site_size){.site = v[i].row,
						   .max_size = v[i].class};
		}
		s->bytes += c->bytes;
		s->old_samples += old;
		s->old_alive += old && (c->fate == HT_FATE_ALIVE ||
					c->fate == HT_FATE_NEW);
		s->old_freed += old && c->fate == HT_FATE_FREED;
		s->old_rewritten +=
			old && c->fate == HT_FATE_FREED && c->rewritten;
	}
	return true;
}

/* ret_row: of each site, where it stands. */
static bool add_sites(struct ht_snapshot *to, const struct ht_answer_in *w,
		      struct ht_site *sites, uint64_t *ret_row)
{
	const struct ht_stacks *stacks = w->stacks;
	HT_AUTO_FREE struct ht_site **order =
		calloc(stacks->n + 1, sizeof(*order));
	size_t n = 0;

	if (!order)
		return false;
	for (uint32_t i = 0; i < stacks->n; i++)
		if (sites[i].samples > 0)
			order[n++] = &sites[i];
	if (n)
		qsort(order, n, sizeof(*order), by_weight);
	for (size_t i = 0; i < n; i++) {
		struct ht_site *s = ht_snapshot_add_site(to);

		if (!s || !add_frames(to, w, (uint32_t)(order[i] - sites), i))
			return false;
		*s = *order[i];
		ret_row[order[i] - sites] = i;
	}
	return true;
}

/* Where next to nothing but contents says that chunks were freed it is not
 * known whether they were. */
static void doubt(struct ht_site *s, uint64_t rewritten)
{
	if (rewritten == 0 ||
	    (double)rewritten * REWRITTEN_OF < (double)s->freed)
		return;
	s->freed -= rewritten;
	s->unknown += rewritten;
}

/* rewritten: of each site, room for it. */
static void count(const struct ht_answer_in *w, struct ht_site *sites,
		  bool *grows, uint64_t *rewritten)
{
	for (uint32_t i = 0; i < w->stacks->n; i++) {
		sites[i].whole = w->stacks->v[i].whole;
		sites[i].growing = ht_size_trend_rises(&w->trend[i]);
		grows[i] = ht_size_trend_any(&w->trend[i]);
	}
	if (w->growth->site)
		ht_growth_count(w->growth, w->stacks, w->located, sites);
	ht_follow_doubt(w->follow, grows, w->stacks->n);
	for (uint32_t i = 0; i < w->follow->n; i++) {
		const struct ht_followed *c = &w->follow->v[i];

		if (c->site == HT_SITE_NONE)
			continue;
		count_chunk(&sites[c->site], c, c->taken_ns <= w->middle_ns);
		rewritten[c->site] += c->fate == HT_FATE_FREED && c->rewritten;
	}
	for (uint32_t i = 0; i < w->stacks->n; i++)
		doubt(&sites[i], rewritten[i]);
}

enum ht_code ht_answer_sites(const struct ht_answer_in *in,
			     struct ht_snapshot *to, struct ht_err *err)
{
	HT_AUTO_FREE struct ht_site *sites =
		calloc(in->stacks->n + 1, sizeof(*sites));
	HT_AUTO_FREE uint64_t *row = calloc(in->stacks->n + 1, sizeof(*row));
	HT_AUTO_FREE bool *grows = calloc(in->stacks->n + 1, sizeof(*grows));
	HT_AUTO_FREE uint64_t *rewritten =
		calloc(in->stacks->n + 1, sizeof(*rewritten));

	if (!sites || !row || !grows || !rewritten)
		return ht_fail(err, HT_NOMEM, "no memory for the sites");
	count(in, sites, grows, rewritten);
	ht_stacks_name(in->stacks);
	return add_sites(to, in, sites, row) &&
			       add_sizes(to, in->follow, row, in->middle_ns)
		       ? HT_OK
		       : ht_fail(err, HT_NOMEM, "no memory for the sites");
}
