/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/filtered.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "agent/self/guard.h"
#include "agent/stop/leave.h"
#include "agent/stop/priority.h"
#include "agent/stop/restart.h"
#include "agent/stop/sigchld.h"
#include "agent/stop/tracee.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define STOPS_MAX     (2 * HT_FILTERED_MAX) /* of threads, to read theirs */
#define PROGRAMS_MAX  32		    /* filters of one thread */
#define STOP_WITHIN   (100 * HT_NS_PER_MS)
#define LET_GO_WITHIN (5 * HT_NS_PER_S)

struct program {
	struct sock_filter *v;
	long n;
};

struct reading {
	struct ht_filtered *ret;
	DIR *tasks;
	const struct ht_filter_call *calls;
	size_t n;
	struct program program[PROGRAMS_MAX];
	long programs;
	bool any;	/* of its threads has a filter */
	unsigned stops; /* so far */
};

/* The first that is said stays. */
__attribute__((format(printf, 2, 3))) static void say(struct ht_filtered *f,
						      const char *fmt, ...)
{
	va_list args;

	if (f->why[0])
		return;
	va_start(args, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, args);
	va_end(args);
}

/* --- of a stopped thread ------------------------------------------------- */

static void forget(struct reading *r)
{
	for (long i = 0; i < r->programs; i++)
		free(r->program[i].v);
	r->programs = 0;
}

static bool read_one(struct program *p, pid_t tid, long i)
{
	p->n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, NULL);
	if (p->n <= 0 || p->n > HT_FILTER_MAX)
		return false;
	p->v = calloc((size_t)p->n, sizeof(*p->v));
	return p->v &&
	       ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)i, p->v) == p->n;
}

/* All of them; none is left out. */
static bool read_all(struct reading *r, pid_t tid)
{
	while (r->programs < PROGRAMS_MAX) {
		struct program *p = &r->program[r->programs];

		*p = (struct program){0};
		errno = 0;
		if (!read_one(p, tid, r->programs)) {
			bool end = errno == ENOENT && r->programs > 0;
			int why = errno;

			free(p->v);
			if (!end)
				say(r->ret,
				    "thread %d has a seccomp filter that cannot be read (%s): that takes CAP_SYS_ADMIN, and no filter over heaptide itself",
				    (int)tid, strerror(why ? why : EINVAL));
			return end;
		}
		r->programs++;
	}
	say(r->ret, "thread %d has more than %d seccomp filters", (int)tid,
	    PROGRAMS_MAX);
	return false;
}

static bool hold(struct reading *r, struct ht_tracee *h, pid_t tid)
{
	int64_t until = ht_mono_ns() + STOP_WITHIN;

	if (ht_tracee_seize_filtered(h, r->tasks, tid, NULL) != HT_OK ||
	    h->state == HT_TRACEE_GONE)
		return false;
	ht_tracee_interrupt(h);
	while (!ht_tracee_collect(h) && ht_mono_ns() < until)
		ht_sigchld_wait_briefly();
	return true;
}

static void let_go(struct ht_tracee *h)
{
	int64_t until = ht_mono_ns() + LET_GO_WITHIN;

	do {
		while (!ht_tracee_collect(h) && ht_mono_ns() < until)
			ht_sigchld_wait_briefly();
		ht_tracee_release(h);
	} while (h->state == HT_TRACEE_SEIZED && ht_mono_ns() < until);
}

/* It fell asleep in another call after we looked, a moment ago: begun anew its
 * limit is what it was, and the filter is not asked for restart_syscall(2). */
static void enter_anew(struct ht_tracee *h)
{
	if (h->state != HT_TRACEE_STOPPED ||
	    ht_regs_result(&h->regs) != -HT_ERESTART_RESTARTBLOCK)
		return;
	ht_regs_set_result(&h->regs, -HT_ERESTARTNOHAND);
	ht_regs_write(h->tid, &h->regs);
}

static bool read_held(struct reading *r, pid_t tid)
{
	struct ht_tracee h;
	bool whole = false;

	if (ht_guard_hold(NULL) != HT_OK)
		return false;
	ht_priority_raise();
	if (hold(r, &h, tid)) {
		enter_anew(&h);
		whole = h.state == HT_TRACEE_STOPPED && read_all(r, tid);
		let_go(&h);
	}
	ht_priority_restore();
	ht_guard_release();
	return whole;
}

/* --- of a thread that may be stopped ------------------------------------- */

/* Whether an interrupt has it enter the very call again that it is in, which
 * its filter let through: not restart_syscall(2), which it may not. */
static bool is_entered_anew(const struct ht_sleep *sleep)
{
	switch (sleep->nr) {
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
		return false;
	case SYS_futex:
		return ((int)sleep->arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT &&
		       sleep->arg[3] == 0;
	default:
		return !ht_call_is_sleep(sleep->nr);
	}
}

static const char *forbidden(const struct reading *r)
{
	for (size_t c = 0; c < r->n; c++)
		for (long i = 0; i < r->programs; i++)
			if (!ht_filter_allows(r->program[i].v,
					      (size_t)r->program[i].n,
					      &r->calls[c]))
				return r->calls[c].name;
	return NULL;
}

static void look_at(struct reading *r, pid_t tid, bool repaired)
{
	struct ht_filtered *f = r->ret;
	struct ht_sleep sleep;
	const char *name;

	if (r->stops == STOPS_MAX || !ht_task_filtered(r->tasks, tid))
		return;
	r->any = true;
	if (f->n == HT_FILTERED_MAX || !ht_task_asleep(r->tasks, tid, &sleep) ||
	    ht_restart_needs_repair(&sleep, 8) != repaired ||
	    ht_leave(&sleep, r->tasks, tid) != HT_LEAVE_NOW ||
	    !is_entered_anew(&sleep))
		return;
	r->stops++;
	name = read_held(r, tid) ? forbidden(r) : "";
	if (!name && ht_task_filters(r->tasks, tid) == r->programs) {
		f->v[f->n].tid = tid;
		f->v[f->n++].filters = r->programs;
	} else if (name && name[0]) {
		say(f, "thread %d has a seccomp filter that does not allow %s",
		    (int)tid, name);
	}
	forget(r);
}

void ht_filtered_read(pid_t pid, const struct ht_filter_call *calls, size_t n,
		      struct ht_filtered *ret)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	struct reading r = {.ret = ret, .calls = calls, .n = n};
	sigset_t old;
	pid_t tid;

	*ret = (struct ht_filtered){0};
	if (ht_tasks_open(pid, &tasks, NULL) != HT_OK)
		return;
	r.tasks = tasks;
	ht_sigchld_block(&old);
	for (int repaired = 0; repaired < 2 && (!repaired || r.any); repaired++)
		while ((tid = ht_tasks_next(tasks)) != 0)
			look_at(&r, tid, repaired);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

bool ht_filtered_allows(const struct ht_filtered *f, DIR *tasks, pid_t tid)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].tid == tid)
			return ht_task_filters(tasks, tid) == f->v[i].filters;
	return false;
}
