/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/rolling.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "agent/self/guard.h"
#include "agent/self/helper.h"
#include "agent/stop/access.h"
#include "agent/stop/priority.h"
#include "agent/stop/sigchld.h"
#include "agent/stop/tasks.h"
#include "agent/stop/thread_pointer.h"
#include "agent/stop/tracee.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* Threads asked to stop that have not yet, at most. */
#define WINDOW_MAX 128
/* One that is on a processor when it is asked to stop does so within that. */
#define STOPS_WITHIN_NS (60 * HT_NS_PER_US)
#define ROUNDS		8
/* Before the next look at a thread that stood in the midst of a change: where
 * it found no processor meanwhile it stands there still. Doubled each time. */
#define MOVE_ON_NS     (5 * HT_NS_PER_MS)
#define RUNNING_ROUNDS 6 /* of those that are looked at while they run */
#define LET_GO_NS      (5 * HT_NS_PER_S)
/* How often those that stand are looked after while another is looked at. */
#define LOOK_AFTER_NS (200 * HT_NS_PER_US)
#define LISTINGS      4 /* threads that create threads: not for ever */
#define THREADS_MAX   (1u << 20)

struct turn {
	pid_t tid;
	bool done;
	bool spared; /* not to be stopped: its program might notice */
};

struct slot {
	struct ht_tracee held;
	size_t turn;
	int64_t since_ns; /* it has not been stopped longer than since then */
	bool let_go;	  /* before its turn was over: it took too long */
};

struct rolling {
	pid_t pid;
	const struct ht_rolling_limits *limits;
	const struct ht_rolling_visit *look;
	struct ht_reader *reader;
	DIR *tasks;
	struct turn *turn;
	size_t n, capacity, next, cursor;
	struct slot slot[WINDOW_MAX];
	size_t slots;
	bool raised; /* SCHED_FIFO */
	struct ht_rolling_report report;
};

/* --- which threads ------------------------------------------------------- */

/* Among the first n; each listing has the same order. */
static bool known(struct rolling *s, pid_t tid, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		size_t i = (s->cursor + k) % n;

		if (s->turn[i].tid == tid) {
			s->cursor = i + 1;
			return true;
		}
	}
	return false;
}

static bool add(struct rolling *s, pid_t tid)
{
	if (s->n == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 256;
		void *grown = reallocarray(s->turn, capacity, sizeof(*s->turn));

		if (!grown)
			return false;
		s->turn = grown;
		s->capacity = capacity;
	}
	s->turn[s->n++] = (struct turn){.tid = tid};
	return true;
}

/* Lists threads not known yet. */
static enum ht_code list(struct rolling *s, struct ht_err *err)
{
	size_t before = s->n;
	pid_t tid;

	while ((tid = ht_tasks_next(s->tasks)) != 0)
		if (!known(s, tid, before) && s->n < THREADS_MAX &&
		    !add(s, tid))
			return ht_fail(err, HT_NOMEM,
				       "no memory for %zu threads", s->n);
	return HT_OK;
}

/* --- one turn ------------------------------------------------------------ */

/* SCHED_FIFO as long as some thread stands or is about to: an ordinary task may
 * wait for a processor behind all of them. */
static void raise_priority(struct rolling *s)
{
	if (!s->raised)
		s->raised = s->limits->realtime && ht_priority_raise();
}

static void usual_priority(struct rolling *s)
{
	if (s->raised)
		ht_priority_restore();
	s->raised = false;
	/* As long as some thread is ours whatever hangs ends us, and no longer.
	 */
	if (s->slots == 0)
		ht_guard_pause();
}

/* Lets a stopped thread go, and notes how long it can have been stopped. */
static void let_go(struct rolling *s, struct slot *slot)
{
	uint64_t us;

	if (slot->held.state != HT_TRACEE_STOPPED)
		return;
	ht_tracee_release(&slot->held);
	us = (uint64_t)((ht_mono_ns() - slot->since_ns) / HT_NS_PER_US);
	if (us > s->report.pause_us)
		s->report.pause_us = us;
	s->report.held++;
	slot->let_go = true;
}

/* The same, and it has its slot no longer: unless it is about to end, for
 * nobody can wait for the process as long as one of its threads is a zombie of
 * ours. */
static void leave(struct rolling *s, struct slot *slot)
{
	let_go(s, slot);
	if (slot->held.state != HT_TRACEE_SEIZED)
		*slot = s->slot[--s->slots];
}

/* Those that have stood for as long as they may. */
static void let_go_overdue(struct rolling *s)
{
	for (size_t i = 0; i < s->slots; i++) {
		struct slot *slot = &s->slot[i];
		int64_t now = ht_mono_ns();

		if (!ht_tracee_collect(&slot->held))
			slot->since_ns = now;
		else if (now - slot->since_ns >= s->limits->hold_ns)
			let_go(s, slot);
	}
}

/* The last look does not count: the thread did not stand still all the time. */
static void take_back(struct rolling *s, struct turn *turn)
{
	if (turn->done)
		s->look->forget(s->look->ctx);
	turn->done = false;
}

/* What the helper does: read. */
struct look_job {
	struct rolling *s;
	struct ht_thread_state t;
	bool last;
	enum ht_code code;
	struct ht_err err;
};

static void do_look(void *ctx)
{
	struct look_job *job = ctx;
	struct rolling *s = job->s;

	if (!job->t.registers) {
		job->t.thread_pointer =
			ht_thread_pointer(job->t.tid, s->reader);
		job->t.registers = job->t.thread_pointer != 0;
	}
	job->code = s->look->look(s->look->ctx, &job->t, job->last, &job->err);
}

/* Reads a thread's own. A read waits as long as the target's mappings are
 * locked, and who holds the lock may wait for a processor behind hundreds of
 * threads (a second was seen). So the helper reads, and we see to it that
 * nobody stands meanwhile. Where nobody can there is nothing to see to. */
static enum ht_code look_at(struct rolling *s, struct turn *turn,
			    struct ht_thread_state t, bool last,
			    struct ht_err *err)
{
	struct look_job job = {.s = s, .t = t, .last = last};

	if (s->slots == 0 || !ht_helper_run(do_look, &job))
		do_look(&job);
	else
		while (!ht_helper_wait_for(LOOK_AFTER_NS)) {
			let_go_overdue(s);
			ht_guard_beat();
		}
	turn->done = job.code == HT_OK;
	if (s->reader->expired)
		take_back(s, turn);
	if (job.code == HT_OK || job.code == HT_BUSY)
		return HT_OK;
	*err = job.err;
	return job.code;
}

/* A watched thread: what was read counts if it slept all the time. */
static enum ht_code look_at_sleeper(struct rolling *s, struct turn *turn,
				    const struct ht_tracee *h,
				    struct ht_err *err)
{
	enum ht_code code = look_at(
		s, turn, ht_tracee_registers(h, s->reader->word), false, err);

	if (code == HT_OK && ht_tracee_woke(h, s->tasks))
		take_back(s, turn);
	return code;
}

/* A thread that has stopped. */
static enum ht_code look_at_held(struct rolling *s, struct slot *slot,
				 struct ht_err *err)
{
	struct turn *turn = &s->turn[slot->turn];
	const int64_t whole = s->reader->deadline_ns; /* the look's */
	enum ht_code code;

	ht_reader_limit_sooner(s->reader, slot->since_ns + s->limits->hold_ns);
	code = look_at(s, turn,
		       ht_tracee_registers(&slot->held, s->reader->word), false,
		       err);
	ht_reader_limit(s->reader, whole);
	if (slot->let_go)
		take_back(s, turn);
	return code;
}

static bool stops_soon(struct slot *slot)
{
	int64_t limit = slot->since_ns + STOPS_WITHIN_NS;

	while (!ht_tracee_collect(&slot->held)) {
		int64_t now = ht_mono_ns();

		if (now >= limit)
			return false;
		slot->since_ns = now;
	}
	return true;
}

/* A thread that was asked to stop, and did not at once, waits for a processor:
 * it will not run an instruction of its program before it stops, so what is
 * read of it is of one instant. Unless it stops meanwhile: then it may have
 * run. */
static enum ht_code look_at_waiting(struct rolling *s, struct slot *slot,
				    struct ht_err *err)
{
	struct turn *turn = &s->turn[slot->turn];
	const struct ht_thread_state t = {.tid = turn->tid};
	enum ht_code code = look_at(s, turn, t, false, err);
	int64_t now = ht_mono_ns();

	if (ht_tracee_collect(&slot->held))
		take_back(s, turn);
	else
		slot->since_ns = now;
	return code;
}

/* --- the window ---------------------------------------------------------- */

/* The thread of this slot has stopped, or ended. */
static enum ht_code end_turn(struct rolling *s, struct slot *slot,
			     struct ht_err *err)
{
	struct turn *turn = &s->turn[slot->turn];
	enum ht_code code = HT_OK;

	if (slot->held.state == HT_TRACEE_STOPPED && !turn->done)
		code = look_at_held(s, slot, err);
	else if (slot->held.state != HT_TRACEE_STOPPED && !slot->let_go)
		turn->done = true; /* it ended */
	leave(s, slot);
	if (s->slots == 0)
		usual_priority(s);
	return code;
}

static enum ht_code begin_turn(struct rolling *s, size_t i, struct ht_err *err)
{
	struct slot *slot = &s->slot[s->slots];
	enum ht_code code;

	*slot = (struct slot){.turn = i};
	ht_guard_resume(); /* who is seized stands at its next signal */
	code = ht_tracee_begin(&slot->held, s->tasks, s->turn[i].tid,
			       s->reader->word, HT_WATCH_SLEEPERS, err);
	if (s->slots == 0 && slot->held.state != HT_TRACEE_SEIZED)
		ht_guard_pause();
	s->turn[i].spared = code == HT_REFUSED;
	if (code == HT_REFUSED)
		return HT_OK;
	if (code != HT_OK)
		return code;
	if (slot->held.state == HT_TRACEE_GONE)
		s->turn[i].done = true;
	else if (slot->held.state == HT_TRACEE_WATCHED)
		return look_at_sleeper(s, &s->turn[i], &slot->held, err);
	if (slot->held.state != HT_TRACEE_SEIZED)
		return HT_OK;
	s->slots++;
	raise_priority(s);
	slot->since_ns = ht_mono_ns();
	ht_tracee_interrupt(&slot->held);
	if (stops_soon(slot))
		return end_turn(s, slot, err);
	return look_at_waiting(s, slot, err);
}

/* Takes note of those that have stopped. The one that did so first; NULL: none
 * has. */
static struct slot *first_stopped(struct rolling *s)
{
	struct slot *first = NULL;

	for (size_t i = 0; i < s->slots; i++) {
		struct slot *slot = &s->slot[i];
		int64_t now = ht_mono_ns();

		if (!ht_tracee_collect(&slot->held))
			slot->since_ns = now;
		else if (!first || slot->since_ns < first->since_ns)
			first = slot;
	}
	return first;
}

static bool awaits_turn(const struct turn *t)
{
	return !t->done && !t->spared;
}

/* The next thread whose turn has not come, or not succeeded; n: none. */
static size_t next_turn(struct rolling *s)
{
	for (; s->next < s->n; s->next++)
		if (awaits_turn(&s->turn[s->next]))
			return s->next++;
	return s->n;
}

/* One turn for each thread listed that had none so far. */
static enum ht_code take_round(struct rolling *s, struct ht_err *err)
{
	enum ht_code code = HT_OK;
	struct slot *slot;

	s->next = 0;
	while (code == HT_OK && ht_mono_ns() < s->limits->until_ns) {
		ht_guard_beat();
		slot = first_stopped(s);
		if (slot) {
			code = end_turn(s, slot, err);
		} else if (s->slots < WINDOW_MAX) {
			size_t i = next_turn(s);

			if (i < s->n)
				code = begin_turn(s, i, err);
			else if (s->slots == 0)
				break;
		}
		/* Whoever shares our processor stands still when we do not
		 * sleep. */
		if (!slot && s->slots > 0)
			ht_sigchld_wait_briefly();
	}
	return code;
}

/* --- all of them --------------------------------------------------------- */

/* Those asked to stop can be let go only once they have. */
static void empty_window(struct rolling *s)
{
	int64_t limit = ht_mono_ns() + LET_GO_NS;

	while (s->slots > 0) {
		struct slot *slot = first_stopped(s);

		if (slot) {
			leave(s, slot);
		} else if (ht_mono_ns() >= limit) {
			s->report.stuck = true;
			return;
		} else {
			ht_sigchld_wait_briefly();
		}
	}
}

static bool any_awaits_turn(const struct rolling *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (awaits_turn(&s->turn[i]))
			return true;
	return false;
}

static bool undone(const struct rolling *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->turn[i].done)
			return true;
	return false;
}

static void let_them_move_on(unsigned round)
{
	const struct timespec moment = {.tv_nsec = MOVE_ON_NS};

	for (unsigned i = 0; i < 1u << round; i++) {
		nanosleep(&moment, NULL);
		ht_guard_beat();
	}
}

static enum ht_code take_turns(struct rolling *s, struct ht_err *err)
{
	enum ht_code code = list(s, err);
	size_t listings = 1;

	for (unsigned round = 0; code == HT_OK && round < ROUNDS; round++) {
		size_t before = s->n;

		code = take_round(s, err);
		if (code == HT_OK && listings++ < LISTINGS)
			code = list(s, err);
		if (s->n == before && !any_awaits_turn(s))
			break;
		if (s->slots == 0 && ht_mono_ns() < s->limits->until_ns)
			let_them_move_on(round);
	}
	return code;
}

/* Looks at one while it runs. If it ends meanwhile nothing is known of it, and
 * nothing is to be known. */
static enum ht_code look_at_running(struct rolling *s, struct turn *turn,
				    bool last, struct ht_err *err)
{
	const struct ht_thread_state t = {.tid = turn->tid};
	enum ht_code code = HT_OK;

	if (ht_task_state(s->tasks, turn->tid) != 0)
		code = look_at(s, turn, t, last, err);
	if (code == HT_OK && ht_task_state(s->tasks, turn->tid) == 0) {
		take_back(s, turn);
		turn->done = true;
	}
	return code;
}

static enum ht_code look_at_missed(struct rolling *s, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < s->n; i++) {
		s->report.missed += awaits_turn(&s->turn[i]);
		s->report.spared += !s->turn[i].done && s->turn[i].spared;
	}
	for (unsigned round = 0;
	     undone(s) && round < RUNNING_ROUNDS && !s->reader->expired;
	     round++) {
		bool last = round == RUNNING_ROUNDS - 1;

		for (size_t i = 0;
		     code == HT_OK && i < s->n && !s->reader->expired; i++)
			if (!s->turn[i].done)
				code = look_at_running(s, &s->turn[i], last,
						       err);
		if (code != HT_OK)
			return code;
		if (undone(s) && !last)
			let_them_move_on(round);
	}
	for (size_t i = 0; i < s->n; i++)
		s->report.unread += !s->turn[i].done;
	return code;
}

/* With SIGCHLD blocked: that is what tells of a thread that has stopped. */
static enum ht_code take_held_turns(struct rolling *s, struct ht_err *err)
{
	enum ht_code code = ht_access_check_stop(s->pid, err);
	sigset_t old;

	if (code != HT_OK)
		return code;
	ht_sigchld_block(&old);
	ht_guard_pause(); /* until the first is seized */
	code = take_turns(s, err);
	empty_window(s);
	usual_priority(s);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return code;
}

enum ht_code ht_rolling_stop(pid_t pid, const struct ht_rolling_limits *limits,
			     struct ht_reader *reader,
			     const struct ht_rolling_visit *look,
			     struct ht_rolling_report *ret, struct ht_err *err)
{
	HT_AUTO_FREE struct rolling *s = calloc(1, sizeof(*s));
	enum ht_code code;

	*ret = (struct ht_rolling_report){0};
	if (!s)
		return ht_fail(err, HT_NOMEM, "no memory for threads");
	*s = (struct rolling){
		.pid = pid, .limits = limits, .look = look, .reader = reader};
	code = limits->hold_ns > 0 ? ht_access_check_naps(pid, err) : HT_OK;
	if (code == HT_OK)
		code = ht_tasks_open(pid, &s->tasks, err);
	if (code != HT_OK)
		return code;
	code = limits->hold_ns > 0 ? take_held_turns(s, err) : list(s, err);
	if (code == HT_OK)
		code = look_at_missed(s, err);
	closedir(s->tasks);
	free(s->turn);
	*ret = s->report;
	return code;
}
