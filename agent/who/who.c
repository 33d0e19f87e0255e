/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/who.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/sizes.h"
#include "agent/who/answer.h"
#include "agent/who/points.h"
#include "agent/who/trial.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/forbidden.h"

/* Of one window: some more than it is asked for, by calls that come while it
 * is being closed. */
#define PENDING_MAX 2048

/* To see whether what was found by its code is malloc. */
#define PROOF_HITS 100
#define PROOF_US   250000

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

/* What came back of a call, with the mappings as they are behind it. */
struct proof {
	const struct ht_maps *maps;
	unsigned chunks, others;
};

static void prove(void *ctx, const struct ht_probe_sample *s)
{
	struct proof *p = ctx;
	const struct ht_vma *v = ht_maps_at(p->maps, s->address);
	uint64_t size = s->header & ~HT_SIZE_FLAGS;
	uint64_t chunk = s->address - HT_CHUNK64_HEADER;

	if (v && v->flags & HT_VMA_WRITE && v->inode == 0 &&
	    s->address % HT_CHUNK64_ALIGN == 0 && size >= HT_CHUNK64_MIN &&
	    chunk >= v->start && size <= v->end - chunk &&
	    !(s->regs.sp >= v->start && s->regs.sp < v->end))
		p->chunks++;
	else
		p->others++;
}

/* Functions that were found by their code are malloc's if they give chunks.
 * Those that nobody called are not proved. */
static enum ht_code judge_proof(struct ht_who *w, const struct ht_target *t,
				const struct proof *p, struct ht_err *err)
{
	w->unproved = p->chunks == 0;
	return p->others == 0
		       ? HT_OK
		       : ht_fail(err, HT_UNSUPPORTED,
				 "process %d: what its code says malloc is gives no chunks",
				 (int)t->pid);
}

static void keep_sample(void *ctx, const struct ht_probe_sample *s)
{
	struct ht_who *w = ctx;

	if (w->pending_n < PENDING_MAX)
		w->pending[w->pending_n++].sample = *s;
}

static enum ht_code prove_pending(struct ht_who *w, const struct ht_target *t,
				  struct ht_err *err)
{
	struct ht_maps maps = {0};
	struct proof p = {.maps = &maps};
	enum ht_code code = ht_maps_read(t->pid, &maps, err);

	for (size_t i = 0; code == HT_OK && i < w->pending_n; i++)
		prove(&p, &w->pending[i].sample);
	ht_maps_fini(&maps);
	return code == HT_OK ? judge_proof(w, t, &p, err) : code;
}

/* A first window, for nothing else. */
static enum ht_code prove_points(struct ht_who *w, const struct ht_target *t,
				 struct ht_err *err)
{
	const struct ht_probe_window q = {.magic = HT_PROBE_MAGIC,
					  .max_size = UINT64_MAX,
					  .max_hits = PROOF_HITS,
					  .max_us = PROOF_US};
	struct ht_probe_done done = {0};
	enum ht_code code =
		ht_prober_window(&w->prober, &q, keep_sample, w, &done, err);

	if (code == HT_OK)
		code = prove_pending(w, t, err);
	w->pending_n = 0;
	if (code != HT_OK)
		ht_prober_stop(&w->prober);
	return code;
}

static enum ht_code begin_calls(struct ht_who *w, const struct ht_target *t,
				const char *path, struct ht_err *err)
{
	int fds[HT_PROBE_FILES];
	struct ht_probe_open open;
	bool unnamed;
	enum ht_code code = ht_points_find(t, &open, fds, &unnamed, err);

	if (code == HT_OK && ht_trial_is_due(t->pid))
		code = ht_trial(path, NULL, err);
	if (code == HT_OK)
		code = ht_prober_start(path, &open, fds, &w->prober, err);
	return code == HT_OK && unnamed ? prove_points(w, t, err) : code;
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

/* A filter that we were started under forbids what the probe needs: said in
 * place of what the kernel seemed to say. */
static void blame_filter(enum ht_code code, struct ht_err *why)
{
	unsigned forbidden =
		ht_forbidden_find() &
		(1u << HT_FORBIDDEN_BPF | 1u << HT_FORBIDDEN_PERF_EVENT_OPEN);
	char names[64];

	if (forbidden == 0)
		return;
	ht_err_put(
		why, code, 0, 0,
		"a seccomp filter that heaptide was started under (a container's, a unit's) forbids %s",
		ht_forbidden_text(forbidden, ", ", " and ", names,
				  sizeof(names)));
	ht_err_advise(why, HT_HINT_FILTER);
}

/* By the best way that is to be had: calls, or where these cannot be seen, and
 * less is wanted rather than nothing, growth. */
static enum ht_code begin_way(struct ht_who *w, const struct ht_target *t,
			      const struct ht_request *r, const char *path,
			      struct ht_err *err)
{
	struct ht_err why = {0}, also = {0};
	enum ht_code code, last;

	if (r->flags & HT_WHO_GROWTH) {
		code = begin_growth(w, t, path, err);
		if (code == HT_DENIED || code == HT_UNSUPPORTED)
			blame_filter(code, err);
		return code;
	}
	code = begin_calls(w, t, path, &why);
	if (code != HT_OK && why.code == HT_OK)
		why.code = (uint16_t)code;
	if (code == HT_DENIED || code == HT_UNSUPPORTED || code == HT_SYS)
		blame_filter(code, &why);
	if ((code == HT_DENIED || code == HT_UNSUPPORTED ||
	     code == HT_REFUSED) &&
	    r->flags & HT_WHO_GROWTH_LAST) {
		last = begin_growth(w, t, path, &also);
		if (last == HT_OK) {
			snprintf(w->instead_of, sizeof(w->instead_of), "%s",
				 why.msg);
			return HT_OK;
		}
		if (last == HT_DENIED && err && why.hint != HT_HINT_FILTER)
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
		      bool less, struct ht_followed *c)
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
	if (!less)
		c->bytes += before->bytes;
	if (before->site == c->site)
		before->site = HT_SITE_NONE;
	else if (((c->header ^ before->header) & ~HT_SIZE_FLAGS) == 0)
		c->grows = false; /* it fits: asprintf */
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
	bool less = size < old; /* what is left is all this call's: asprintf */

	c->site = ht_stacks_site(&w->stacks, &w->maps, s);
	c->bytes = less ? size : size - old;
	c->grows = s->kind == HT_PROBE_REALLOC && s->old != 0 && !less;
	c->first = s->kind == HT_PROBE_REALLOC && s->old == 0;
	w->sum.samples++;
	take_over(w, s, less, c);
	if (c->grows && c->site != HT_SITE_NONE)
		ht_size_trend_add(&w->trend[c->site], w->sum.windows,
				  (double)(c->taken_ns - w->first_ns) /
					  HT_NS_PER_S,
				  (double)size);
	if (c->site == HT_SITE_NONE)
		w->sum.more_sites++;
	else if (!w->stacks.v[c->site].whole)
		w->sum.cut++;
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

/* done: added to all that was before. */
static void add_figures(struct ht_who *w, const struct ht_probe_done *done)
{
	w->sum.hits += done->hits;
	w->sum.lost += done->lost;
	w->sum.armed_us += done->armed_us;
	w->sum.seen += done->chosen;
}

/* With the mappings as they are now. */
static enum ht_code begin_window(struct ht_who *w, struct ht_target *t,
				 struct ht_err *err)
{
	enum ht_code code;

	ht_maps_fini(&w->maps);
	code = ht_maps_source_read(&t->maps, &w->maps, err);
	if (code == HT_OK && w->sum.windows == 0)
		w->first_ns = ht_mono_ns();
	return code;
}

static enum ht_code open_window(struct ht_who *w, struct ht_target *t,
				const struct ht_request *r, struct ht_err *err)
{
	struct ht_probe_done done = {0};
	struct ht_probe_window q;
	enum ht_code code;

	code = begin_window(w, t, err);
	if (code != HT_OK)
		return code;
	fill_window(w, r, &q);
	w->pending_n = 0;
	code = ht_prober_window(&w->prober, &q, take_sample, w, &done, err);
	if (code == HT_OK && w->unproved && w->pending_n)
		code = prove_pending(w, t, err);
	for (size_t i = 0; i < w->pending_n; i++)
		follow_sample(w, &w->pending[i].sample, &w->pending[i].chunk);
	if (code != HT_OK)
		return code;
	w->sum.windows++;
	add_figures(w, &done);
	return HT_OK;
}

/* What came since the last request, if it was looked for; go_on: and look from
 * now on. */
static enum ht_code turn_growth(struct ht_who *w, struct ht_target *t,
				bool go_on, struct ht_err *err)
{
	struct ht_probe_window q = {.magic = HT_PROBE_MAGIC, .max_us = go_on};
	struct ht_probe_done done = {0};
	enum ht_code code;

	code = begin_window(w, t, err);
	if (code != HT_OK)
		return code;
	ht_growth_threads(&w->growth, &q);
	code = ht_prober_window(&w->prober, &q, take_touch, w, &done, err);
	if (code != HT_OK)
		return code;
	w->sum.windows += go_on;
	add_figures(w, &done);
	if (go_on && done.threads < q.threads)
		w->growth.unseen += q.threads - done.threads;
	return HT_OK;
}

/* --- the answer ---------------------------------------------------------- */

static enum ht_code tell(struct ht_who *w, struct ht_snapshot *to,
			 struct ht_err *err)
{
	const struct ht_answer_in in = {
		.stacks = &w->stacks,
		.places = &w->places,
		.follow = &w->follow,
		.trend = w->trend,
		.growth = &w->growth,
		.located = w->located,
		.middle_ns = w->first_ns + (w->last_ns - w->first_ns) / 2};
	struct ht_windows *sum = ht_snapshot_add_windows(to);

	if (!sum)
		return ht_fail(err, HT_NOMEM, "no memory for the sites");
	w->sum.followed_us =
		(uint64_t)((w->last_ns - w->first_ns) / HT_NS_PER_US);
	*sum = w->sum;
	return ht_answer_sites(&in, to, err);
}

static void warn(const struct ht_who *w, struct ht_snapshot *to)
{
	if (w->growth.site)
		ht_growth_warn(&w->growth, w->instead_of, &w->sum, to);
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

	ht_proc_texts_begin(&texts, t->pid, NULL);
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
	if (w->growth.site)
		code = turn_growth(w, t, s->request->flags & HT_WHO_WINDOW,
				   err);
	else if (s->request->flags & HT_WHO_WINDOW)
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
