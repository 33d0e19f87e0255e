/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/stop.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "agent/self/guard.h"
#include "agent/stop/access.h"
#include "agent/stop/inject.h"
#include "agent/stop/priority.h"
#include "agent/stop/sigchld.h"
#include "agent/stop/tasks.h"
#include "agent/stop/tracee.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* How long a thread that did not stop in time is waited for when letting go. */
#define LET_GO_NS (5 * HT_NS_PER_S)

struct ht_stopped {
	pid_t pid;
	DIR *tasks;
	struct ht_reader *reader; /* borrowed */
	struct ht_tracee *held;
	struct ht_thread_state *threads;
	size_t n, capacity;
	size_t described;      /* of them, in threads */
	size_t collected;      /* all before this one have stopped */
	int64_t first_ns;      /* first interrupt; 0: none yet */
	int64_t last_ns;       /* all that were held then were let go */
	int64_t late_ns;       /* the longest that one which came later was */
	size_t woken;	       /* at the fork */
	bool forked;	       /* and let go */
	bool stuck;	       /* a thread can be let go by our end alone */
	bool realtime, raised; /* SCHED_FIFO: allowed, in effect */
	enum ht_tracee_watch watch;
	sigset_t old_mask;
};

/* --- waiting ------------------------------------------------------------- */

/* Threads stop about in the order in which they were asked to. To look at all
 * of them whenever one stops would cost the square of their number: a look ends
 * at the n-th that still runs. True when none does. */
#define LOOK_AT_FEW 8
#define LOOK_AT_ALL SIZE_MAX
static bool collect(struct ht_stopped *s, size_t most_running)
{
	size_t running = 0;

	for (size_t i = s->collected; i < s->n && running < most_running; i++)
		if (!ht_tracee_collect(&s->held[i]))
			running++;
		else if (running == 0)
			s->collected = i + 1;
	return running == 0;
}

static size_t count(const struct ht_stopped *s, enum ht_tracee_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->held[i].state == state;
	return n;
}

static enum ht_code collect_all(struct ht_stopped *s, int64_t deadline_ns,
				struct ht_err *err)
{
	for (;;) {
		bool all = collect(s, LOOK_AT_FEW);

		if (ht_mono_ns() >= deadline_ns)
			return ht_fail(
				err, HT_TIMEOUT,
				"process %d: %zu of %zu threads did not stop in time",
				(int)s->pid, count(s, HT_TRACEE_SEIZED), s->n);
		if (all)
			return HT_OK;
		ht_sigchld_wait(deadline_ns);
	}
}

/* --- finding threads ----------------------------------------------------- */

static bool known(const struct ht_stopped *s, pid_t tid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->held[i].tid == tid && s->held[i].state != HT_TRACEE_GONE)
			return true;
	return false;
}

static struct ht_tracee *add(struct ht_stopped *s)
{
	if (s->n == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 64;
		void *grown = reallocarray(s->held, capacity, sizeof(*s->held));

		if (!grown)
			return NULL;
		s->held = grown;
		s->capacity = capacity;
	}
	return &s->held[s->n++];
}

/* Seizes or watches every thread not known yet; ret_whole: there was none, and
 * the listing was whole. One that was just ending may have cut it short; only a
 * main thread that ended before the others stays listed. */
static enum ht_code find_new(struct ht_stopped *s,
			     const struct ht_stop_limits *l, bool *ret_whole,
			     struct ht_err *err)
{
	/* Counted first: one that ends later cannot hide one left out. */
	size_t there = ht_tasks_count(s->tasks);
	size_t before = s->n, listed = 0, ending = 0;
	pid_t tid;

	while ((tid = ht_tasks_next(s->tasks)) != 0) {
		struct ht_tracee *h;
		enum ht_code code;

		listed++;
		ht_guard_beat(); /* this may take long, but hangs nowhere */
		if (known(s, tid))
			continue;
		h = add(s);
		if (!h)
			return ht_fail(err, HT_NOMEM,
				       "no memory for %zu threads", s->n);
		code = ht_tracee_begin(h, s->tasks, tid, s->reader->word,
				       l->watch, err);
		if (code != HT_OK)
			return code;
		ht_tracee_find_pointer(h, s->reader);
		if (h->state == HT_TRACEE_GONE) {
			ending += tid != s->pid;
			s->n--;
		}
	}
	*ret_whole = s->n == before && ending == 0 && listed >= there;
	return HT_OK;
}

static void interrupt(struct ht_stopped *s, struct ht_tracee *h)
{
	if (h->state != HT_TRACEE_SEIZED)
		return;
	if (s->first_ns == 0) {
		/* Not earlier: whoever shares our processor stands still, too.
		 */
		s->raised = s->realtime && ht_priority_raise();
		s->first_ns = ht_mono_ns();
	}
	ht_tracee_interrupt(h);
}

static void interrupt_all(struct ht_stopped *s, bool mended_too)
{
	s->collected = 0;
	for (size_t i = 0; i < s->n; i++)
		if (mended_too || !s->held[i].repair)
			interrupt(s, &s->held[i]);
}

/* Threads whose EINTR must be mended are interrupted when all others stand, a
 * few at a time: should we end, these few would see it, and no others. */
#define MENDED_AT_ONCE 4
static enum ht_code interrupt_mended(struct ht_stopped *s, int64_t deadline_ns,
				     struct ht_err *err)
{
	enum ht_code code = HT_OK;
	size_t asked = 0;

	for (size_t i = 0; code == HT_OK && i < s->n; i++) {
		struct ht_tracee *h = &s->held[i];

		if (!h->repair || h->state != HT_TRACEE_SEIZED)
			continue;
		interrupt(s, h);
		if (++asked % MENDED_AT_ONCE)
			continue;
		s->collected = 0;
		code = collect_all(s, deadline_ns, err);
	}
	s->collected = 0;
	return code == HT_OK ? collect_all(s, deadline_ns, err) : code;
}

/* Threads are created only by threads that run: once a look finds none new
 * after all known ones were stopped, there are no more. */
static enum ht_code stop_threads(struct ht_stopped *s,
				 const struct ht_stop_limits *l,
				 struct ht_err *err)
{
	enum ht_code code = HT_OK;
	bool whole = false;

	while (code == HT_OK && !whole) {
		code = find_new(s, l, &whole, err);
		if (code == HT_OK && !whole) {
			interrupt_all(s, false);
			code = collect_all(s, l->deadline_ns, err);
			if (code == HT_OK)
				code = interrupt_mended(s, l->deadline_ns, err);
		}
	}
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < s->n; i++)
		if (s->held[i].state != HT_TRACEE_GONE)
			return HT_OK;
	return ht_fail(err, HT_GONE, "process %d ended", (int)s->pid);
}

/* --- what was found ------------------------------------------------------ */

static enum ht_code describe(struct ht_stopped *s, struct ht_err *err)
{
	size_t n = 0;

	s->threads = calloc(s->n, sizeof(*s->threads));
	if (!s->threads)
		return ht_fail(err, HT_NOMEM, "no memory for %zu threads",
			       s->n);
	for (size_t i = 0; i < s->n; i++)
		if (s->held[i].state != HT_TRACEE_GONE)
			s->held[n++] = s->held[i];
	s->n = s->described = n;
	for (size_t i = 0; i < n; i++)
		s->threads[i] =
			ht_tracee_registers(&s->held[i], s->reader->word);
	return HT_OK;
}

/* Of so many: a process of thousands would take more descriptors than we may
 * have. */
#define COUNTERS_MAX 256

static void hold_counters(struct ht_stopped *s)
{
	size_t n = s->n < COUNTERS_MAX ? s->n : COUNTERS_MAX;

	for (size_t i = 0; i < n; i++)
		ht_tracee_hold_counter(&s->held[i], s->tasks);
}

/* --- the whole ----------------------------------------------------------- */

static enum ht_code stop_all(struct ht_stopped *s,
			     const struct ht_stop_limits *limits,
			     struct ht_reader *reader, struct ht_err *err)
{
	/* Where all threads sleep none is seized, and no refusal would tell. */
	enum ht_code code = ht_access_check_stop(s->pid, err);

	if (code == HT_OK)
		code = ht_access_check_naps(s->pid, err);
	if (code == HT_OK)
		code = ht_tasks_open(s->pid, &s->tasks, err);
	if (code != HT_OK)
		return code;
	s->reader = reader;
	s->realtime = limits->realtime;
	s->watch = limits->watch;
	code = stop_threads(s, limits, err);
	return code == HT_OK ? describe(s, err) : code;
}

enum ht_code ht_stop_all(pid_t pid, const struct ht_stop_limits *limits,
			 struct ht_reader *reader, struct ht_stopped **ret,
			 struct ht_stop_report *ret_report, struct ht_err *err)
{
	struct ht_stopped *s = calloc(1, sizeof(*s));
	struct ht_stop_report report;
	enum ht_code code;

	if (!s)
		return ht_fail(err, HT_NOMEM, "no memory to stop process %d",
			       (int)pid);
	s->pid = pid;
	ht_sigchld_block(&s->old_mask);
	code = stop_all(s, limits, reader, err);
	if (code == HT_OK) {
		hold_counters(s);
		*ret = s;
		return HT_OK;
	}
	report = ht_stop_release(s);
	if (ret_report)
		*ret_report = report;
	return code;
}

static bool grow_threads(struct ht_stopped *s)
{
	void *grown = reallocarray(s->threads, s->n, sizeof(*s->threads));

	if (!grown)
		return false;
	s->threads = grown;
	s->described = s->n;
	return true;
}

enum ht_code ht_stop_nudge(struct ht_stopped *s, const bool *which,
			   int64_t run_ns, int64_t deadline_ns,
			   struct ht_err *err)
{
	const struct ht_stop_limits limits = {.deadline_ns = deadline_ns,
					      .realtime = s->realtime,
					      .watch = s->watch};
	const struct timespec moment = {.tv_nsec = run_ns};
	size_t before = s->n;
	enum ht_code code;

	for (size_t i = 0; i < before; i++)
		if (which[i])
			ht_tracee_run(&s->held[i]);
	nanosleep(&moment, NULL);
	interrupt_all(s, true);
	code = collect_all(s, deadline_ns, err);
	if (code == HT_OK) /* threads that they have created meanwhile */
		code = stop_threads(s, &limits, err);
	/* In every case: some may stand although others came too late. */
	if (!grow_threads(s) && code == HT_OK)
		code = ht_fail(err, HT_NOMEM, "no memory for %zu threads",
			       s->n);
	for (size_t i = 0; i < s->described; i++)
		if (i >= before || which[i])
			s->threads[i] = ht_tracee_registers(&s->held[i],
							    s->reader->word);
	return code;
}

/* A parent in vfork sleeps in one of these until its child has let go of the
 * memory that they share. */
static bool in_vfork(const struct ht_stopped *s, const struct ht_tracee *h)
{
	enum ht_vfork which = ht_vfork_call(h->sleep.nr, 8);
	uint64_t flags = 0;

	if (h->state != HT_TRACEE_WATCHED)
		return false;
	if (which == HT_VFORK_CLONE)
		flags = h->sleep.arg[0];
	else if (which == HT_VFORK_CLONE3 &&
		 ht_reader_read(s->reader, h->sleep.arg[0], &flags,
				sizeof(flags), NULL) != HT_OK)
		return true;
	return which == HT_VFORK || flags & CLONE_VFORK;
}

/* Only the fork itself must see every thread at rest: those that ran before and
 * sleep again are watched anew. */
static enum ht_code ready_to_fork(struct ht_stopped *s, struct ht_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		struct ht_tracee *h = &s->held[i];

		if (!ht_tracee_watch_anew(h, s->tasks))
			return ht_fail(
				err, HT_BUSY,
				"process %d: thread %d, which must not be interrupted, runs",
				(int)s->pid, (int)h->tid);
		if (in_vfork(s, h))
			return ht_fail(
				err, HT_REFUSED,
				"process %d: thread %d is in vfork, its child uses the same memory",
				(int)s->pid, (int)h->tid);
	}
	return HT_OK;
}

static void release_stopped(struct ht_stopped *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->held[i].state == HT_TRACEE_STOPPED)
			ht_tracee_release(&s->held[i]);
}

static void let_others_go(void *ctx)
{
	struct ht_stopped *s = ctx;

	s->woken = ht_stop_woken(s);
	release_stopped(s);
	s->last_ns = ht_mono_ns();
}

static enum ht_code fork_by(struct ht_stopped *s, struct ht_tracee *h,
			    const struct ht_inject_code *code_found,
			    int64_t soon_ns, pid_t *ret_copy,
			    struct ht_err *err)
{
	const struct ht_inject_limits limits = {
		.soon_ns = soon_ns,
		.deadline_ns = soon_ns + LET_GO_NS,
		.let_others_go = let_others_go,
		.ctx = s,
	};
	enum ht_code code;

	/* It runs and is no longer ours, or is about to stop again. */
	h->state = HT_TRACEE_SEIZED;
	h->asked = true;
	code = ht_inject_fork(h->tid, &h->regs, code_found, &limits, s->reader,
			      ret_copy, err);
	if (code == HT_OK)
		h->state = HT_TRACEE_GONE;
	if (code == HT_REFUSED)
		h->state = HT_TRACEE_STOPPED;
	s->stuck |= code == HT_TIMEOUT;
	return code;
}

/* Threads that slept come first: they find a processor sooner than those that
 * have just had one. */
static enum ht_code fork_by_any(struct ht_stopped *s,
				const struct ht_inject_code *code_found,
				int64_t soon_ns, pid_t *ret_copy,
				struct ht_err *err)
{
	bool tried = false;

	for (size_t k = 0; k < 2 * s->n; k++) {
		struct ht_tracee *h = &s->held[k % s->n];
		bool slept = ht_regs_call(&h->regs) >= 0;
		enum ht_code code;

		if (h->state != HT_TRACEE_STOPPED || h->signal != 0 ||
		    slept != (k < s->n) || !ht_inject_usable(&h->regs))
			continue;
		code = fork_by(s, h, code_found, soon_ns, ret_copy, err);
		if (code != HT_REFUSED)
			return code;
		tried = true;
	}
	if (tried) /* err says what is in the way of the last */
		return HT_REFUSED;
	return ht_fail(
		err, HT_REFUSED,
		"process %d: each of its threads sleeps in a system call that cannot be left and entered again unnoticed; mode bounded needs no stop for those",
		(int)s->pid);
}

enum ht_code ht_stop_fork(struct ht_stopped *s,
			  const struct ht_inject_code *code_found,
			  int64_t soon_ns, pid_t *ret_copy, struct ht_err *err)
{
	enum ht_code code = ready_to_fork(s, err);
	pid_t copy;

	if (code == HT_OK)
		code = fork_by_any(s, code_found, soon_ns, &copy, err);
	if (code != HT_OK)
		return code;
	s->forked = true;
	code = ht_inject_take(copy, ht_mono_ns() + LET_GO_NS, err);
	if (code == HT_OK)
		*ret_copy = copy;
	return code;
}

const struct ht_thread_state *ht_stop_threads(const struct ht_stopped *s,
					      size_t *ret_n)
{
	*ret_n = s->described;
	return s->threads;
}

size_t ht_stop_held(const struct ht_stopped *s)
{
	return count(s, HT_TRACEE_STOPPED);
}

size_t ht_stop_woken(struct ht_stopped *s)
{
	size_t woken = 0;

	for (size_t i = 0; i < s->n; i++)
		woken += ht_tracee_woke(&s->held[i], s->tasks);
	return woken;
}

void ht_stop_lower_priority(const struct ht_stopped *s)
{
	if (s->raised)
		ht_priority_hold();
}

/* Lets those go that were too late for the deadline. looked_ns: when they were
 * last seen to run: none has been stopped for longer than since then. */
static void release_late(struct ht_stopped *s, int64_t looked_ns)
{
	size_t before = count(s, HT_TRACEE_STOPPED);
	int64_t held_ns;

	release_stopped(s);
	held_ns = ht_mono_ns() - looked_ns;
	if (before > 0 && held_ns > s->late_ns)
		s->late_ns = held_ns;
}

/* A seized thread can be let go only from a stop: those that were too late are
 * let go as they arrive. False: one did not arrive. */
static bool release_all(struct ht_stopped *s)
{
	int64_t limit = ht_mono_ns() + LET_GO_NS, looked_ns;
	bool all;

	release_stopped(s);
	looked_ns = ht_mono_ns();
	if (!s->forked)
		s->last_ns = looked_ns;
	interrupt_all(s, true);
	for (;;) {
		int64_t now = ht_mono_ns();

		all = collect(s, LOOK_AT_ALL);
		release_late(s, looked_ns);
		looked_ns = now;
		if ((all && count(s, HT_TRACEE_SEIZED) == 0) || now >= limit)
			return all;
		ht_sigchld_wait_briefly();
	}
}

static uint64_t pause_us(const struct ht_stopped *s)
{
	int64_t ns = s->first_ns ? s->last_ns - s->first_ns : 0;

	return (uint64_t)((ns > s->late_ns ? ns : s->late_ns) / HT_NS_PER_US);
}

struct ht_stop_report ht_stop_release(struct ht_stopped *s)
{
	struct ht_stop_report report = {0};

	if (!s)
		return report;
	if (s->raised)
		ht_priority_raise();
	report.woken = s->woken;
	if (s->tasks && !s->forked)
		report.woken = ht_stop_woken(s);
	report.stuck = !release_all(s) || s->stuck;
	report.pause_us = pause_us(s);
	if (s->raised)
		ht_priority_restore();
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	for (size_t i = 0; i < s->n; i++)
		ht_tracee_unwatch(&s->held[i]);
	if (s->tasks)
		closedir(s->tasks);
	free(s->held);
	free(s->threads);
	free(s);
	return report;
}
