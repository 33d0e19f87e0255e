/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/caller.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "agent/self/guard.h"
#include "agent/stop/leave.h"
#include "agent/stop/priority.h"
#include "agent/stop/restart.h"
#include "agent/stop/sigchld.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define LOOK_EVERY_NS	 (HT_NS_PER_MS / 2)
#define FRESH_NS	 (3 * HT_NS_PER_MS) /* between two looks, at most */
#define STOP_WITHIN_NS	 (100 * HT_NS_PER_MS)
#define LET_GO_WITHIN_NS (5 * HT_NS_PER_S)
/* Threads that are known from one look to the next; of more, the first. */
#define SLEEPERS_MAX 256
/* Stops of threads that turn out not to fit. */
#define TRIES_MAX  64
#define TRIES_EACH 3

struct sleeper {
	pid_t tid;
	uint64_t runs; /* at the last look */
	enum ht_leave leave;
	bool mended;	/* its EINTR has to be mended: after all others */
	unsigned tries; /* to take it */
	bool fresh;	/* it fell asleep between the last two looks */
	struct ht_sleep sleep;
};

struct search {
	const struct ht_caller_in *in;
	struct ht_caller *ret;
	DIR *tasks;
	struct sleeper v[SLEEPERS_MAX];
	size_t n, tries, asleep, stopped, threads;
	int64_t looked_ns;
};

/* The first reason that was met stays: it is of a thread that could be left. */
static void refuse(struct search *s, enum ht_trim_refusal refusal,
		   const char *why)
{
	if (s->ret->refusal != HT_TRIM_NONE)
		return;
	s->ret->refusal = refusal;
	snprintf(s->ret->why, sizeof(s->ret->why), "%s", why);
}

/* --- one thread ---------------------------------------------------------- */

static bool wait_for_stop(struct search *s, struct ht_tracee *h,
			  int64_t within_ns)
{
	int64_t deadline = ht_mono_ns() + within_ns;
	bool done;

	while (!(done = ht_tracee_collect(h)) && ht_mono_ns() < deadline)
		ht_sigchld_wait_briefly();
	(void)s;
	return done;
}

/* One that did not come in time is let go when it comes. */
static void release(struct search *s, struct ht_tracee *h)
{
	if (h->state == HT_TRACEE_SEIZED)
		wait_for_stop(s, h, LET_GO_WITHIN_NS);
	s->ret->stuck |= h->state == HT_TRACEE_SEIZED;
	ht_tracee_release(h);
}

/* Stopped where it slept, and in the same call. */
static bool is_where_it_slept(const struct ht_tracee *h,
			      const struct ht_sleep *sleep)
{
	const int64_t result = ht_regs_result(&h->regs);

	return h->state == HT_TRACEE_STOPPED && h->signal == 0 &&
	       ht_regs_word(&h->regs) == 8 &&
	       ht_regs_call(&h->regs) == sleep->nr &&
	       ht_regs_sp(&h->regs) == sleep->sp && result <= -HT_ERESTARTSYS &&
	       result >= -HT_ERESTART_RESTARTBLOCK && result != -515;
}

/* Entered anew like all others: see leave.h. */
static void forget_restart_block(struct ht_tracee *h)
{
	if (ht_regs_result(&h->regs) == -HT_ERESTART_RESTARTBLOCK)
		ht_regs_set_result(&h->regs, -HT_ERESTARTNOHAND);
}

/* True: it is in the function. Else it is let go, as it was. */
static bool take_stopped(struct search *s, const struct sleeper *k,
			 const struct ht_inject_code *code)
{
	struct ht_tracee *h = &s->ret->held;
	const struct ht_call_what what = {
		.function = s->in->function,
		.errno_at = ht_regs_thread_pointer(&h->regs, 8) +
			    (uint64_t)s->in->tls_errno,
	};
	enum ht_trim_refusal refusal;
	struct ht_err err;
	char why[200] = "";

	if (!is_where_it_slept(h, &k->sleep))
		return false;
	refusal = ht_caller_check_frames(s->in, h, why, sizeof(why));
	if (refusal != HT_TRIM_NONE) {
		refuse(s, refusal, why);
		return false;
	}
	forget_restart_block(h);
	if (ht_call_begin(h->tid, &h->regs, &what, code, s->in->reader,
			  &s->ret->call, &err) != HT_OK) {
		refuse(s, HT_TRIM_STACK, err.msg);
		return false;
	}
	return true;
}

static bool stop_and_take(struct search *s, struct sleeper *k,
			  const struct ht_inject_code *code)
{
	struct ht_tracee *h = &s->ret->held;
	int64_t from;
	struct ht_err err;
	bool begun;

	/* Its filter, if it has one, was asked: ht_caller_check_asleep. */
	if (ht_tracee_seize_filtered(h, s->tasks, k->tid, &err) != HT_OK) {
		refuse(s, HT_TRIM_SYSTEM, err.msg);
		return false;
	}
	if (h->state == HT_TRACEE_GONE)
		return false;
	s->tries++;
	k->tries++;
	from = ht_mono_ns();
	ht_tracee_interrupt(h);
	begun = wait_for_stop(s, h, STOP_WITHIN_NS) && take_stopped(s, k, code);
	s->ret->begun_ns = ht_mono_ns();
	if (!begun)
		release(s, h);
	s->ret->stopped_us = (uint64_t)((ht_mono_ns() - from) / HT_NS_PER_US);
	return begun;
}

/* From before it is seized until it is let go nothing comes before us, and
 * should we be stopped ourselves, we end. */
static bool take(struct search *s, struct sleeper *k,
		 const struct ht_inject_code *code)
{
	struct ht_err err;
	bool begun;

	if (ht_guard_hold(&err) != HT_OK) {
		refuse(s, HT_TRIM_SYSTEM, err.msg);
		return false;
	}
	ht_priority_raise();
	s->in->reader->beat = ht_guard_beat;
	begun = stop_and_take(s, k, code);
	if (!begun)
		ht_caller_end(s->in, s->ret);
	return begun;
}

/* --- all threads --------------------------------------------------------- */

static struct sleeper *known(struct search *s, pid_t tid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].tid == tid)
			return &s->v[i];
	if (s->n == SLEEPERS_MAX)
		return NULL;
	s->v[s->n] = (struct sleeper){.tid = tid, .runs = HT_RUNS_UNKNOWN};
	return &s->v[s->n++];
}

/* A parent in vfork: its child uses the same memory. */
static bool lends_memory(const struct ht_sleep *sleep)
{
	return ht_vfork_call(sleep->nr, 8) != HT_VFORK_NOT;
}

static void look_at(struct search *s, pid_t tid, bool in_time)
{
	uint64_t runs = ht_task_runs(s->tasks, tid);
	struct sleeper *k = known(s, tid);
	char state;

	s->threads++;
	if (!k || runs == HT_RUNS_UNKNOWN)
		return;
	k->leave = HT_LEAVE_NEVER;
	state = ht_task_state(s->tasks, tid);
	s->stopped += state == 'T' || state == 't';
	k->fresh = in_time && k->runs != HT_RUNS_UNKNOWN && k->runs != runs;
	k->runs = runs;
	if (state != 'S' || !ht_task_asleep(s->tasks, tid, &k->sleep))
		return;
	s->asleep++;
	k->leave = ht_leave(&k->sleep, s->tasks, tid);
	k->mended = ht_restart_needs_repair(&k->sleep, 8);
}

static bool look(struct search *s)
{
	int64_t now = ht_mono_ns();
	bool in_time = now - s->looked_ns <= FRESH_NS;
	pid_t tid;

	s->looked_ns = now;
	s->asleep = s->stopped = s->threads = 0;
	for (size_t i = 0; i < s->n; i++)
		s->v[i].leave = HT_LEAVE_NEVER;
	while ((tid = ht_tasks_next(s->tasks)) != 0)
		look_at(s, tid, in_time);
	for (size_t i = 0; i < s->n; i++)
		if (lends_memory(&s->v[i].sleep) &&
		    ht_task_state(s->tasks, s->v[i].tid) == 'D')
			return false;
	return true;
}

static bool may_be_taken(const struct sleeper *k, bool mended)
{
	if (k->mended != mended || k->tries >= TRIES_EACH)
		return false;
	return k->leave == HT_LEAVE_NOW ||
	       (k->leave == HT_LEAVE_FRESH && k->fresh);
}

/* Whether one of them was taken. */
static bool take_any(struct search *s, bool mended,
		     const struct ht_inject_code *code)
{
	for (size_t i = 0; i < s->n && s->tries < TRIES_MAX; i++) {
		struct sleeper *k = &s->v[i];
		enum ht_trim_refusal refusal;
		char why[200] = "";

		if (!may_be_taken(k, mended))
			continue;
		refusal = ht_caller_check_asleep(s->in, s->tasks, k->tid,
						 k->sleep.sp, why, sizeof(why));
		k->tries += refusal != HT_TRIM_NONE;
		if (refusal != HT_TRIM_NONE)
			refuse(s, refusal, why);
		else if (ht_task_runs(s->tasks, k->tid) == k->runs &&
			 take(s, k, code))
			return true;
		if (s->ret->stuck)
			return false;
	}
	return false;
}

static bool knows_filters(const struct ht_caller_in *in)
{
	return in->filtered && in->filtered->n > 0;
}

/* Whether to look again may bring anything: a thread with a time limit comes by
 * the moment in which it can be left. */
static bool is_hopeful(const struct search *s)
{
	if (s->threads > 0 && s->stopped == s->threads)
		return false;
	return s->tries < TRIES_MAX && !s->ret->stuck &&
	       (s->ret->refusal != HT_TRIM_SECCOMP || knows_filters(s->in)) &&
	       s->ret->refusal != HT_TRIM_SHADOW_STACK;
}

static void explain_none(struct search *s)
{
	char why[200];

	if (s->threads > 0 && s->stopped == s->threads) {
		snprintf(why, sizeof(why),
			 "process %d is stopped: no thread would go on",
			 (int)s->in->pid);
		refuse(s, HT_TRIM_STOPPED, why);
	}
	snprintf(
		why, sizeof(why),
		"none of the %zu threads of process %d slept where it could be taken out of its system call unnoticed, within %.1f s",
		s->threads, (int)s->in->pid,
		(double)s->in->patience_ns / (double)HT_NS_PER_S);
	refuse(s, HT_TRIM_NO_SLEEPER, why);
}

static void search(struct search *s, const struct ht_inject_code *code)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_NS};
	int64_t until = ht_mono_ns() + s->in->patience_ns;

	do {
		if (!look(s)) {
			refuse(s, HT_TRIM_FORK,
			       "a thread is in vfork, its child uses the same memory");
			return;
		}
		if (take_any(s, false, code) || take_any(s, true, code))
			return;
		nanosleep(&pause, NULL);
	} while (is_hopeful(s) && ht_mono_ns() < until);
	explain_none(s);
}

bool ht_caller_begin(const struct ht_caller_in *in, struct ht_caller *ret)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	HT_AUTO_FREE struct search *s = calloc(1, sizeof(*s));
	struct ht_inject_code code;
	struct ht_err err;

	*ret = (struct ht_caller){.refusal = HT_TRIM_NONE};
	if (!s) {
		ret->refusal = HT_TRIM_SYSTEM;
		return false;
	}
	s->in = in;
	s->ret = ret;
	if (ht_inject_find(in->maps, in->reader, &code, &err) != HT_OK ||
	    ht_tasks_open(in->pid, &tasks, &err) != HT_OK) {
		refuse(s, HT_TRIM_SYSTEM, err.msg);
		return false;
	}
	s->tasks = tasks;
	search(s, &code);
	return ret->call != NULL;
}

void ht_caller_end(const struct ht_caller_in *in, const struct ht_caller *c)
{
	in->reader->beat = NULL;
	if (!c->stuck)
		ht_guard_release();
	ht_priority_restore();
}
