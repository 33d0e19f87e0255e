/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/who.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/sizes.h"
#include "agent/who/points.h"
#include "agent/who/trial.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* Of one window: some more than it is asked for, by calls that come while it
 * is being closed. */
#define PENDING_MAX 2048

#define LINES_NS (10 * HT_NS_PER_S)

struct ht_who_pending {
	struct ht_probe_sample sample;
	struct ht_followed chunk;
};

/* --- beginning ----------------------------------------------------------- */

/* The chunk sizes of the class that a size is of; 0: all. */
static void choose_sizes(struct ht_who *w, uint64_t size)
{
	unsigned class = ht_class_of(size);

	w->min_size = 0;
	w->max_size = UINT64_MAX;
	if (size == 0)
		return;
	w->max_size = ht_class_max(class);
	w->min_size = class > 0 ? ht_class_max(class - 1) + 1 : 0;
}

static enum ht_code begin_calls(struct ht_who *w, const struct ht_target *t,
				const char *path, struct ht_err *err)
{
	int fds[HT_PROBE_FILES];
	struct ht_probe_open open;
	enum ht_code code = ht_points_find(t, &open, fds, err);

	if (code == HT_OK && ht_trial_is_due(t->pid))
		code = ht_trial(path, NULL, err);
	return code == HT_OK
		       ? ht_prober_start(path, &open, fds, &w->prober, err)
		       : code;
}

static enum ht_code begin_growth(struct ht_who *w, const struct ht_target *t,
				 const char *path, struct ht_err *err)
{
	const struct ht_probe_open open = {.magic = HT_PROBE_MAGIC,
					   .pid = (uint32_t)t->pid,
					   .way = HT_PROBE_GROWTH};
	const int none[HT_PROBE_FILES] = {-1, -1, -1, -1};
	enum ht_code code;

	if (t->located.n == 0 || t->reader->word != sizeof(uint64_t))
		return ht_fail(err, HT_UNSUPPORTED,
			       "process %d: it has no 64-bit glibc heap",
			       (int)t->pid);
	code = ht_growth_begin(t->pid, &w->growth, err);
	return code == HT_OK
		       ? ht_prober_start(path, &open, none, &w->prober, err)
		       : code;
}

/* By the best way that is to be had: calls, or where these cannot be seen, and
 * less is wanted rather than nothing, growth. */
static enum ht_code begin_way(struct ht_who *w, const struct ht_target *t,
			      const struct ht_request *r, const char *path,
			      struct ht_err *err)
{
	struct ht_err why = {0}, also = {0};
	enum ht_code code, last;

	if (r->flags & HT_WHO_GROWTH)
		return begin_growth(w, t, path, err);
	code = begin_calls(w, t, path, &why);
	if (code != HT_OK && why.code == HT_OK)
		why.code = (uint16_t)code;
	if ((code == HT_DENIED || code == HT_UNSUPPORTED ||
	     code == HT_REFUSED) &&
	    r->flags & HT_WHO_GROWTH_LAST) {
		last = begin_growth(w, t, path, &also);
		if (last == HT_OK) {
			snprintf(w->instead_of, sizeof(w->instead_of), "%s",
				 why.msg);
			return HT_OK;
		}
		if (last == HT_DENIED && err)
			return ht_fail_hint(err, code, HT_HINT_PROBE, "%s; %s",
					    why.msg, also.msg);
	}
	if (code != HT_OK && err)
		*err = why;
	return code;
}

enum ht_code ht_who_begin(struct ht_who *w, const struct ht_target *t,
			  const struct ht_request *r, struct ht_err *err)
{
	char path[4096];
	enum ht_code code;

	*w = HT_WHO_NONE;
	w->located = &t->located;
	choose_sizes(w, r->size);
	ht_record_clear(HT_RECORD_windows, &w->sum);
	code = ht_stacks_begin(&t->modules, t->reader, &w->stacks, err);
	if (code == HT_OK && !(r->flags & HT_NO_DEBUG_INFO))
		code = ht_places_begin(&w->places, t, err);
	if (code == HT_OK)
		code = ht_follow_begin(&w->follow, err);
	w->reader = t->reader;
	w->pending = calloc(PENDING_MAX, sizeof(*w->pending));
	w->trend = calloc(HT_SITES_MAX, sizeof(*w->trend));
	if (code == HT_OK && !(w->pending && w->trend))
		code = ht_fail(err, HT_NOMEM, "no memory for samples");
	if (code == HT_OK)
		code = ht_prober_path(path, sizeof(path), err);
	if (code == HT_OK)
		code = begin_way(w, t, r, path, err);
	if (code != HT_OK) {
		ht_who_end(w);
		return code;
	}
	w->sum = (struct ht_windows){.way = w->prober.way};
	w->begun = true;
	return HT_OK;
}

void ht_who_end(struct ht_who *w)
{
	ht_prober_stop(&w->prober);
	ht_stacks_fini(&w->stacks);
	ht_places_fini(&w->places);
	ht_follow_fini(&w->follow);
	ht_maps_fini(&w->maps);
	free(w->pending);
	free(w->trend);
	ht_growth_fini(&w->growth);
	*w = HT_WHO_NONE;
}

/* --- a window ------------------------------------------------------------ */

static bool in_malloc(const struct ht_who *w, uint64_t pc)
{
	for (size_t i = 0; i < w->located->n; i++)
		if (pc >= w->located->malloc[i].image_start &&
		    pc < w->located->malloc[i].image_end)
			return true;
	return false;
}

/* malloc, called by realloc, or jumped to at its end: then it returns to where
 * realloc does, and no call but that one can. */
static bool is_of_same_call(const struct ht_who *w,
			    const struct ht_followed *before,
			    const struct ht_followed *c)
{
	if (before->site == HT_SITE_NONE)
		return false;
	if (before->site == c->site)
		return !before->first && !before->grows;
	return in_malloc(w, w->stacks.v[before->site].pc[0]);
}

/* realloc(NULL) calls malloc, and goes on from a chunk that it moves: what was
 * followed there is the same memory still, and now this one's. */
static void take_over(struct ht_who *w, const struct ht_probe_sample *s,
		      struct ht_followed *c)
{
	struct ht_followed *before;

	if (s->kind != HT_PROBE_REALLOC)
		return;
	before = ht_follow_at(&w->follow,
			      s->old_address ? s->old_address : s->address);
	if (!before)
		return;
	if (s->old == 0) {
		if (is_of_same_call(w, before, c))
			before->site = HT_SITE_NONE;
		return;
	}
	if (before->site == c->site) {
		c->bytes += before->bytes;
		before->site = HT_SITE_NONE;
	}
	before->fate = HT_FATE_FREED;
}

/* While a window is open there is time for this alone: what the chunk holds,
 * before it can be another's. */
static void take_sample(void *ctx, const struct ht_probe_sample *s)
{
	struct ht_who *w = ctx;
	uint64_t size = s->header & ~HT_SIZE_FLAGS;
	struct ht_who_pending *p;

	if (size < HT_CHUNK64_MIN || s->address % HT_CHUNK64_ALIGN ||
	    size < w->min_size || size > w->max_size)
		return;
	if (w->pending_n == PENDING_MAX) {
		w->sum.lost++;
		return;
	}
	p = &w->pending[w->pending_n++];
	p->sample = *s;
	p->chunk = (struct ht_followed){.address = s->address,
					.header = s->header,
					.taken_ns = (int64_t)s->time_ns};
	ht_follow_print(&p->chunk, w->reader);
}

/* When it is closed: whose it is. */
static void follow_sample(struct ht_who *w, const struct ht_probe_sample *s,
			  struct ht_followed *c)
{
	uint64_t size = s->header & ~HT_SIZE_FLAGS;
	uint64_t old = s->old == UINT64_MAX ? 0 : s->old & ~HT_SIZE_FLAGS;

	c->site = ht_stacks_site(&w->stacks, &w->maps, s);
	c->bytes = size > old ? size - old : 0;
	c->grows = s->kind == HT_PROBE_REALLOC && s->old != 0;
	c->first = s->kind == HT_PROBE_REALLOC && s->old == 0;
	w->sum.samples++;
	if (c->grows && c->site != HT_SITE_NONE)
		ht_size_trend_add(&w->trend[c->site], w->sum.windows,
				  (double)(c->taken_ns - w->first_ns) /
					  HT_NS_PER_S,
				  (double)size);
	if (c->site == HT_SITE_NONE)
		w->sum.more_sites++;
	else if (!w->stacks.v[c->site].whole)
		w->sum.cut++;
	take_over(w, s, c);
	if (!ht_follow_add(&w->follow, c))
		w->sum.lost++;
}

/* What is asked for where a chunk of min to max bytes comes of it. */
static void fill_window(const struct ht_who *w, const struct ht_request *r,
			struct ht_probe_window *q)
{
	*q = (struct ht_probe_window){
		.magic = HT_PROBE_MAGIC,
		.max_size = w->max_size,
		.max_hits = r->window_hits,
		.max_us = r->window_us,
	};
	if (w->min_size > HT_CHUNK64_MIN)
		q->min_size =
			w->min_size - HT_CHUNK64_HEADER - HT_CHUNK64_ALIGN;
}

/* Of growth: what was written to for the first time since the last window. */
static void take_touch(void *ctx, const struct ht_probe_sample *s)
{
	struct ht_who *w = ctx;
	const struct ht_growth_in in = {&w->maps, w->located, w->reader};

	ht_growth_add(&w->growth, &in, s, &w->stacks, &w->sum);
}

static enum ht_code open_window(struct ht_who *w, struct ht_target *t,
				const struct ht_request *r, struct ht_err *err)
{
	struct ht_probe_done done = {0};
	struct ht_probe_window q;
	enum ht_code code;

	ht_maps_fini(&w->maps);
	code = ht_maps_source_read(&t->maps, &w->maps, err);
	if (code != HT_OK)
		return code;
	if (w->sum.windows == 0)
		w->first_ns = ht_mono_ns();
	fill_window(w, r, &q);
	w->pending_n = 0;
	if (w->growth.site)
		ht_growth_threads(&w->growth, &q);
	code = ht_prober_window(&w->prober, &q,
				w->growth.site ? take_touch : take_sample, w,
				&done, err);
	for (size_t i = 0; i < w->pending_n; i++)
		follow_sample(w, &w->pending[i].sample, &w->pending[i].chunk);
	if (code != HT_OK)
		return code;
	w->sum.windows++;
	w->sum.hits += done.hits;
	w->sum.lost += done.lost;
	w->sum.armed_us += done.armed_us;
	if (w->growth.site && done.threads < q.threads)
		w->growth.unseen += q.threads - done.threads;
	return HT_OK;
}

/* --- the answer ---------------------------------------------------------- */

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

static bool add_frame(struct ht_snapshot *to, const struct ht_who *w,
		      const struct ht_site_stack *s, unsigned i, uint64_t row)
{
	const struct ht_source *line = NULL;
	size_t n = ht_places_at(&w->places, s->pc[i], &line);

	for (size_t k = 0; k < (n ? n : 1); k++) {
		struct ht_stack_frame *f = ht_snapshot_add_stack_frame(to);

		if (!f)
			return false;
		f->site = row;
		fill_frame(f, &w->stacks, s->name ? &s->name[i] : NULL,
			   s->pc[i]);
		if (n)
			place_frame(f, &line[k]);
	}
	return true;
}

static bool add_frames(struct ht_snapshot *to, const struct ht_who *w,
		       uint32_t site, uint64_t row)
{
	const struct ht_site_stack *s = &w->stacks.v[site];

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
	}
	return true;
}

/* ret_row: of each site, where it stands. */
static bool add_sites(struct ht_snapshot *to, const struct ht_who *w,
		      struct ht_site *sites, uint64_t *ret_row)
{
	const struct ht_stacks *stacks = &w->stacks;
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

static enum ht_code tell(struct ht_who *w, struct ht_snapshot *to,
			 struct ht_err *err)
{
	int64_t middle = w->first_ns + (w->last_ns - w->first_ns) / 2;
	HT_AUTO_FREE struct ht_site *sites =
		calloc(w->stacks.n + 1, sizeof(*sites));
	HT_AUTO_FREE uint64_t *row = calloc(w->stacks.n + 1, sizeof(*row));
	HT_AUTO_FREE bool *grows = calloc(w->stacks.n + 1, sizeof(*grows));
	struct ht_windows *sum = ht_snapshot_add_windows(to);

	if (!sites || !row || !grows || !sum)
		return ht_fail(err, HT_NOMEM, "no memory for the sites");
	for (uint32_t i = 0; i < w->stacks.n; i++) {
		sites[i].whole = w->stacks.v[i].whole;
		sites[i].growing = ht_size_trend_rises(&w->trend[i]);
		grows[i] = ht_size_trend_any(&w->trend[i]);
	}
	if (w->growth.site)
		ht_growth_count(&w->growth, &w->stacks, w->located, sites);
	ht_follow_doubt(&w->follow, grows, w->stacks.n);
	for (uint32_t i = 0; i < w->follow.n; i++) {
		const struct ht_followed *c = &w->follow.v[i];

		if (c->site != HT_SITE_NONE)
			count_chunk(&sites[c->site], c, c->taken_ns <= middle);
	}
	w->sum.followed_us =
		(uint64_t)((w->last_ns - w->first_ns) / HT_NS_PER_US);
	*sum = w->sum;
	ht_stacks_name(&w->stacks);
	return add_sites(to, w, sites, row) &&
			       add_sizes(to, &w->follow, row, middle)
		       ? HT_OK
		       : ht_fail(err, HT_NOMEM, "no memory for the sites");
}

static void warn(const struct ht_who *w, struct ht_snapshot *to)
{
	if (w->growth.site)
		ht_growth_warn(&w->growth, w->instead_of, w->sum.lost, to);
	else if (w->sum.lost)
		ht_snapshot_warn(
			to,
			"%" PRIu64
			" calls were seen and not followed: there was no room for them",
			w->sum.lost);
	if (w->sum.more_sites)
		ht_snapshot_warn(
			to,
			"%" PRIu64
			" samples are of call stacks beyond the first %u, and are in none of the sites",
			w->sum.more_sites, HT_SITES_MAX);
	if (w->sum.cut)
		ht_snapshot_warn(
			to,
			"%" PRIu64 " of %" PRIu64
			" stacks were not unwound to their outermost frame: deeper than %u KiB, or through code that nothing describes",
			w->sum.cut, w->sum.samples, HT_PROBE_STACK / 1024);
	if (w->places.trouble[0])
		ht_snapshot_warn(to, "files, lines or names are missing: %s",
				 w->places.trouble);
}

/* Of the request's own time, after which there is no answer at all. */
static int64_t lines_ns(const struct ht_request *r)
{
	int64_t third = (int64_t)r->timeout_ms * HT_NS_PER_MS / 3;

	return third < LINES_NS ? third : LINES_NS;
}

enum ht_code ht_who_sample(struct ht_who *w, struct ht_session *s,
			   struct ht_err *err)
{
	struct ht_target *t = s->target;
	struct ht_proc_texts texts;
	enum ht_code code;

	ht_proc_texts_begin(&texts, t->pid);
	code = ht_target_same(t, &texts, err);
	if (code == HT_OK)
		code = ht_procfs_head(&texts, &s->snapshot->head, err);
	if (code != HT_OK)
		return code;
	snprintf(s->snapshot->head.arch, sizeof(s->snapshot->head.arch), "%s",
		 ht_abi_name(ht_abi_with_word(sizeof(uint64_t))));
	s->snapshot->libc = t->located.libc;
	s->snapshot->stop.mode = HT_MODE_NONE;
	s->snapshot->head.taken_at = ht_wall_ns();
	if (s->request->flags & HT_WHO_WINDOW)
		code = open_window(w, t, s->request, err);
	if (code != HT_OK)
		return code;
	ht_follow_look(&w->follow, t->reader, &t->located);
	w->last_ns = ht_mono_ns();
	if (s->request->flags & HT_WHO_LINES)
		ht_places_find(&w->places, &w->stacks,
			       w->last_ns + lines_ns(s->request));
	warn(w, s->snapshot);
	return tell(w, s->snapshot, err);
}
