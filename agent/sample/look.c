/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/look.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/graph/graph.h"
#include "agent/memory/procfs.h"
#include "agent/sample/unwind.h"
#include "agent/sample/withheld.h"
#include "agent/self/freezer.h"
#include "agent/self/guard.h"
#include "agent/self/pace.h"
#include "agent/self/privilege.h"
#include "agent/self/sandbox.h"
#include "agent/stop/tasks.h"
#include "agent/stop/thread_pointer.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* Between two attempts: malloc takes well under a microsecond as a rule, an
 * mmap or munmap inside it some ten. */
#define RETRY_FIRST_NS	 (20 * HT_NS_PER_US)
#define NUDGE_NS	 (5 * HT_NS_PER_US)
#define RETRY_LONGEST_NS (2 * HT_NS_PER_MS)
#define ARENA_LOOKS	 5 /* of a target that runs */
/* Of a smaller heap each look is a walk: nothing is kept for light ones. */
#define REMEMBERED (UINT64_C(16) << 20)
#define TOLD_SHARE 8 /* of a graph's memory, for maps of what was told */

/* Through what was opened before any privilege was given up. */
static enum ht_code renew_maps(void *ctx, struct ht_err *err)
{
	struct ht_look *l = ctx;
	struct ht_maps fresh = {0};
	enum ht_code code =
		ht_maps_source_read(&l->session->target->maps, &fresh, err);

	if (code != HT_OK)
		return code;
	ht_maps_fini(&l->maps);
	l->maps = fresh;
	ht_vmflags_mark(&l->session->target->vmflags, &l->maps);
	return HT_OK;
}

void ht_look_begin(struct ht_look *l, struct ht_session *s)
{
	*l = (struct ht_look){.session = s};
	l->in = (struct ht_walk_in){
		.located = &s->target->located,
		.reader = s->target->reader,
		.pages = s->target->pages,
		.maps = &l->maps,
		.renew_maps = s->target->pid ? renew_maps : NULL,
		.renew_ctx = l,
		.mmapped_at = &s->target->mmapped_at,
		.want = s->request->flags,
		.want_private = ht_session_may_read_private(s),
		.progress = s->progress,
		.progress_ctx = s->progress_ctx,
	};
}

static void forget(struct ht_look *l)
{
	ht_watch_end(l->watch);
	l->watch = NULL;
	ht_marks_fini(&l->marks);
	l->in.marks = NULL;
	ht_roots_fini(l->roots);
	l->roots = NULL;
	ht_maps_fini(&l->maps);
	l->maps = (struct ht_maps){0};
	free(l->unstopped);
	l->unstopped = NULL;
	l->in.threads = NULL;
	l->in.threads_n = 0;
	l->inside_malloc = false;
}

void ht_look_end(struct ht_look *l)
{
	ht_look_release(l);
	forget(l);
}

static void note_report(struct ht_look *l, const struct ht_stop_report *report)
{
	l->woken = report->woken;
	l->last_pause_us = report->pause_us;
	if (report->pause_us > l->pause_us)
		l->pause_us = report->pause_us;
	l->session->must_end |= report->stuck;
}

/* From before the first thread is seized: no single read may hang, and should
 * we be stopped ourselves, we end. */
static enum ht_code hold(const struct ht_look *l, struct ht_err *err)
{
	enum ht_code code = ht_freezer_check(err);

	if (code == HT_OK)
		code = ht_guard_hold(err);
	if (code != HT_OK)
		return code;
	l->session->target->reader->beat = ht_guard_beat;
	ht_pace_set(false); /* nobody waits but for what is held */
	return HT_OK;
}

/* stuck: only our end lets some thread go. */
static void let_go(const struct ht_look *l, bool stuck)
{
	l->session->target->reader->beat = NULL;
	ht_pace_set(true);
	if (!stuck)
		ht_guard_release();
}

enum ht_code ht_look_stop(struct ht_look *l,
			  const struct ht_stop_limits *limits,
			  struct ht_err *err)
{
	struct ht_stop_report failed = {0};
	enum ht_code code = hold(l, err);

	l->attempts++;
	if (code != HT_OK)
		return code;
	code = ht_stop_all(l->session->target->pid, limits,
			   l->session->target->reader, &l->stop, &failed, err);
	if (code != HT_OK) {
		note_report(l, &failed);
		let_go(l, failed.stuck);
		return code;
	}
	l->threads = ht_stop_held(l->stop);
	l->in.threads = ht_stop_threads(l->stop, &l->in.threads_n);
	l->in.moving = false;
	return HT_OK;
}

enum ht_code ht_look_watch(struct ht_look *l, struct ht_err *err)
{
	const struct ht_target *t = l->session->target;
	enum ht_code code = ht_watch_begin(t->pid, t->reader, &l->watch, err);

	l->attempts++;
	if (code != HT_OK)
		return code;
	l->in.threads = ht_watch_threads(l->watch, &l->in.threads_n);
	l->in.moving = false;
	return HT_OK;
}

bool ht_look_rested(const struct ht_look *l)
{
	return l->watch && ht_watch_unbroken(l->watch);
}

static bool add_thread(struct ht_look *l, pid_t tid)
{
	size_t n = l->in.threads_n;
	void *grown = reallocarray(l->unstopped, n + 1, sizeof(*l->unstopped));
	uint64_t tp;

	if (!grown)
		return false;
	l->unstopped = grown;
	tp = ht_thread_pointer(tid, l->session->target->reader);
	l->unstopped[n] = (struct ht_thread_state){
		.tid = tid, .thread_pointer = tp, .registers = tp != 0};
	l->in.threads = l->unstopped;
	l->in.threads_n = n + 1;
	return true;
}

static enum ht_code list_threads(struct ht_look *l, struct ht_err *err)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	enum ht_code code = ht_tasks_open(l->session->target->pid, &tasks, err);
	pid_t tid;

	if (code != HT_OK)
		return code;
	l->runnable = 0;
	while ((tid = ht_tasks_next(tasks)) != 0) {
		struct ht_sleep sleep;

		if (ht_reader_is_late(l->in.reader))
			break;
		l->runnable += !ht_task_asleep(tasks, tid, &sleep);
		if (!add_thread(l, tid))
			return ht_fail(err, HT_NOMEM, "no memory for threads");
	}
	return HT_OK;
}

enum ht_code ht_look_unstopped(struct ht_look *l, struct ht_err *err)
{
	l->attempts++;
	l->in.moving = true;
	return list_threads(l, err);
}

enum ht_code ht_look_stacks(struct ht_look *l, struct ht_err *err)
{
	return l->in.threads_n > 0 ? HT_OK : list_threads(l, err);
}

/* Marks the threads that are inside malloc; returns how many. */
static size_t mark_in_malloc(const struct ht_look *l, bool *which)
{
	const struct ht_target *t = l->session->target;
	size_t n = 0;

	for (size_t i = 0; i < l->in.threads_n; i++) {
		which[i] = ht_unwind_in_malloc(&l->in.threads[i], &t->located,
					       t->reader, &l->maps);
		n += which[i];
	}
	return n;
}

/* Nudges threads out of malloc, the others standing still, until none is in
 * it or the deadline comes. */
static enum ht_code leave_malloc(struct ht_look *l, int64_t deadline_ns,
				 struct ht_err *err)
{
	for (;;) {
		HT_AUTO_FREE bool *which =
			calloc(l->in.threads_n + 1, sizeof(bool));
		enum ht_code code;

		if (!which)
			return ht_fail(err, HT_NOMEM, "no memory for threads");
		l->inside_malloc = mark_in_malloc(l, which) > 0;
		if (!l->inside_malloc || ht_mono_ns() >= deadline_ns)
			return HT_OK;
		code = ht_stop_nudge(l->stop, which, NUDGE_NS, deadline_ns,
				     err);
		l->in.threads = ht_stop_threads(l->stop, &l->in.threads_n);
		if (code == HT_TIMEOUT)
			return HT_OK; /* still marked as inside */
		if (code != HT_OK)
			return code;
	}
}

enum ht_code ht_look_maps(struct ht_look *l, pid_t pid, struct ht_err *err)
{
	struct ht_target *t = l->session->target;
	enum ht_code code;

	ht_maps_fini(&l->maps);
	l->maps = (struct ht_maps){0};
	code = pid == t->pid ? ht_maps_source_read(&t->maps, &l->maps, err)
			     : ht_maps_read(pid, &l->maps, err);
	if (code != HT_OK)
		return code;
	/* a copy has locked nothing: the target's count */
	ht_vmflags_mark(&t->vmflags, &l->maps);
	if (pid == t->pid)
		ht_procfs_mappings(&l->maps, &l->session->snapshot->process);
	return HT_OK;
}

enum ht_code ht_look_rest(struct ht_look *l, int64_t deadline_ns,
			  struct ht_err *err)
{
	enum ht_code code = HT_OK;

	if (l->stop)
		code = leave_malloc(l, deadline_ns, err);
	l->session->snapshot->head.taken_at = ht_wall_ns();
	return code;
}

static enum ht_code read_roots(struct ht_look *l, struct ht_err *err)
{
	struct ht_target *t = l->session->target;
	enum ht_code code = HT_OK;

	if (t->located.n > 0)
		code = ht_locate_threads(&t->located, l->in.reader, &l->maps,
					 l->in.threads, l->in.threads_n, err);
	if (code == HT_OK)
		code = ht_roots_read(&l->in, &l->roots, err);
	return code;
}

enum ht_code ht_look_roots(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code = read_roots(l, err);

	if (code == HT_OK && ht_withheld_learn(l->session->target)) {
		ht_roots_fini(l->roots);
		l->roots = NULL;
		code = read_roots(l, err);
	}
	if (code != HT_OK)
		return code;
	l->by_caches = !l->inside_malloc && ht_roots_in_flux(l->roots) &&
		       !ht_roots_locked(l->roots);
	l->inside_malloc |= ht_roots_in_flux(l->roots);
	return HT_OK;
}

void ht_look_blame_cache(struct ht_look *l)
{
	l->inside_malloc = false;
	ht_roots_blame_cache(l->roots);
}

enum ht_code ht_look_read(struct ht_look *l, int64_t deadline_ns,
			  struct ht_err *err)
{
	enum ht_code code = ht_look_maps(l, l->session->target->pid, err);

	if (code == HT_OK)
		code = ht_look_rest(l, deadline_ns, err);
	return code == HT_OK ? ht_look_roots(l, err) : code;
}

enum ht_code ht_look_release_keeping(struct ht_look *l, struct ht_err *err)
{
	size_t n = l->in.threads_n;

	l->unstopped = calloc(n + 1, sizeof(*l->unstopped));
	if (l->unstopped && n > 0)
		memcpy(l->unstopped, l->in.threads, n * sizeof(*l->unstopped));
	ht_look_release(l);
	if (!l->unstopped)
		return ht_fail(err, HT_NOMEM, "no memory for threads");
	l->in.threads = l->unstopped;
	l->in.threads_n = n;
	return HT_OK;
}

/* One thread's caches, in its turn. */
static enum ht_code read_caches(void *ctx, const struct ht_thread_state *t,
				bool last, struct ht_err *err)
{
	const struct ht_look *l = ctx;
	struct ht_target *target = l->session->target;
	struct ht_walk_in in = l->in;
	enum ht_code code = HT_OK;

	in.threads = t;
	in.threads_n = 1;
	if (target->located.n > 0)
		code = ht_locate_threads(&target->located, target->reader,
					 &l->maps, t, 1, err);
	if (code != HT_OK)
		return code;
	return ht_roots_add_threads(&in, l->roots, last, err);
}

static void forget_caches(void *ctx)
{
	const struct ht_look *l = ctx;

	ht_roots_forget_last(l->roots);
}

/* Mappings and arenas of the running target. A look that falls into an
 * allocation is cheap to repeat. */
static enum ht_code read_arenas(struct ht_look *l, struct ht_err *err)
{
	for (unsigned k = 1;; k++) {
		enum ht_code code;

		l->attempts++;
		l->in.moving = true;
		code = ht_look_read(l, 0, err);
		if (code != HT_OK || !l->inside_malloc || k == ARENA_LOOKS)
			return code;
		ht_look_retry(l);
	}
}

enum ht_code ht_look_rolling(struct ht_look *l,
			     const struct ht_rolling_limits *limits,
			     struct ht_err *err)
{
	const struct ht_rolling_visit look = {read_caches, forget_caches, l};
	struct ht_rolling_report report = {0};
	struct ht_target *t = l->session->target;
	enum ht_code code = read_arenas(l, err);

	if (code == HT_OK && t->reader->expired) /* some may be missing */
		code = ht_fail(err, HT_FAULT, "not all arenas were read");
	if (code == HT_OK && limits->hold_ns > 0)
		code = hold(l, err);
	if (code != HT_OK)
		return code;
	code = ht_rolling_stop(t->pid, limits, t->reader, &look, &report, err);
	if (limits->hold_ns > 0)
		let_go(l, report.stuck);
	if (report.pause_us > l->pause_us)
		l->pause_us = report.pause_us;
	l->threads = report.held;
	l->missed = report.missed;
	l->spared = report.spared;
	l->roots->unread_caches = report.unread;
	l->session->must_end |= report.stuck;
	if (code != HT_OK || !ht_withheld_learn(l->session->target))
		return code;
	ht_look_retry(l);
	return ht_look_rolling(l, limits, err);
}

enum ht_code ht_look_drop(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code;

	if (!(l->session->request->flags & HT_LAST_REQUEST))
		return HT_OK;
	l->session->must_end = true;
	if (!ht_reader_is_held(l->in.reader))
		return HT_OK;
	code = ht_privilege_drop(err);
	return code == HT_OK ? ht_sandbox_close(err) : code;
}

static uint64_t graph_memory(const struct ht_look *l)
{
	return l->session->request->memory_max ?: HT_GRAPH_MEMORY_MAX;
}

static enum ht_code measure_graph(const struct ht_look *l, struct ht_err *err)
{
	const struct ht_request *r = l->session->request;
	const struct ht_graph_in in = {.located = &l->session->target->located,
				       .reader = l->in.reader,
				       .pages = l->in.pages,
				       .maps = l->in.maps,
				       .threads = l->in.threads,
				       .threads_n = l->in.threads_n,
				       .pid = l->session->target->pid,
				       .marks = &l->marks,
				       .telling = l->telling,
				       .modules = &l->session->target->modules,
				       .want = r->flags,
				       .size = r->size,
				       .memory_max = graph_memory(l),
				       .progress = l->in.progress,
				       .progress_ctx = l->in.progress_ctx};

	return ht_graph_measure(&in, l->session->snapshot, err);
}

/* Without memory size classes stay unknown. */
static void begin_round(struct ht_look *l)
{
	struct ht_target *t = l->session->target;

	l->in.chunks_max = l->session->request->chunks_max;
	if (l->session->request->slice_max == 0 ||
	    (!l->in.light && ht_roots_walk_bytes(l->roots) < REMEMBERED))
		return;
	if (!t->round)
		t->round = calloc(2, sizeof(*t->round));
	if (!t->round)
		return;
	if (l->in.light) /* a walk knows anew */
		t->round[1] = t->round[0];
	l->in.round = t->round;
	l->in.slice_max = l->session->request->slice_max;
	l->in.now_ns = ht_mono_ns();
}

void ht_look_unwalk(struct ht_look *l)
{
	ht_session_clean(l->session);
	if (l->in.round && l->in.light)
		l->in.round[0] = l->in.round[1];
}

static bool is_types_alone(const struct ht_look *l)
{
	return (l->session->request->flags & HT_WANT_GRAPH) == HT_WANT_TYPES;
}

/* Of types alone: who holds what is asked of all words. */
static void begin_telling(struct ht_look *l)
{
	const struct ht_request *r = l->session->request;
	const struct ht_telling_in in = {
		.maps = l->in.maps,
		.modules = &l->session->target->modules,
		.located = &l->session->target->located,
		.reader = l->in.reader,
		.memory_max = graph_memory(l),
		.by_arena = r->flags & HT_BY_ARENA};

	if (!is_types_alone(l) || l->in.moving)
		return;
	l->telling = ht_telling_begin(&in);
	if (!l->telling)
		return;
	l->marks.told_max = (size_t)(graph_memory(l) / TOLD_SHARE);
	l->in.teller = l->telling->teller;
}

static void end_telling(struct ht_look *l)
{
	ht_telling_end(l->telling);
	l->telling = NULL;
	l->in.teller = NULL;
}

static enum ht_code walk_once(struct ht_look *l, struct ht_err *err)
{
	bool graph = l->session->request->flags & HT_WANT_GRAPH &&
		     l->session->target->located.n > 0;
	enum ht_code code;

	/* Two threads of ours would take both of two processors from one that
	 * runs. Who holds a chunk is asked for by name, rarely, and takes
	 * seconds: both go through it, in bursts. What chunks are takes
	 * little more than the walk, and more by two than by one. */
	l->in.alone = !l->stop && (!graph || is_types_alone(l));
	l->in.light = l->session->request->flags & HT_LOOK_LIGHTLY && !graph;
	if (graph) {
		l->marks.bytes_max = graph_memory(l) / HT_GRAPH_MARKS_SHARE;
		l->in.marks = &l->marks;
		begin_telling(l);
	}
	begin_round(l);
	code = ht_walk(&l->in, l->roots, l->session->snapshot, err);
	if (code == HT_OK && graph)
		code = measure_graph(l, err);
	end_telling(l);
	return code;
}

enum ht_code ht_look_walk(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code = walk_once(l, err);

	if (code != HT_OK || !ht_withheld_learn(l->session->target))
		return code;
	ht_look_unwalk(l);
	return walk_once(l, err);
}

void ht_look_release(struct ht_look *l)
{
	struct ht_stop_report report;

	if (!l->stop)
		return;
	report = ht_stop_release(l->stop);
	let_go(l, report.stuck);
	l->stop = NULL;
	l->in.threads = NULL;
	l->in.threads_n = 0;
	note_report(l, &report);
}

void ht_look_retry(struct ht_look *l)
{
	int64_t ns = RETRY_FIRST_NS << (l->attempts < 8 ? l->attempts : 8);
	struct timespec pause = {0};

	if (ns > RETRY_LONGEST_NS)
		ns = RETRY_LONGEST_NS;
	pause.tv_nsec = ns;
	ht_look_release(l);
	forget(l);
	nanosleep(&pause, NULL);
}

void ht_look_report(const struct ht_look *l)
{
	struct ht_stop *stop = &l->session->snapshot->stop;

	stop->mode = l->session->request->mode;
	stop->look = l->in.light ? HT_LOOK_LIGHT : HT_LOOK_FULL;
	stop->pause_us = l->pause_us;
	if (l->session->target->pid != 0) {
		stop->gap_us = ht_pace_longest_us();
		if (l->pause_us > stop->gap_us)
			stop->gap_us = l->pause_us;
	}
	stop->attempts = l->attempts;
	stop->threads = l->threads;
	stop->inside_malloc = l->inside_malloc;
}
