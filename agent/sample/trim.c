/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/trim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/arch/arch.h"
#include "agent/sample/caller.h"
#include "agent/self/freezer.h"
#include "agent/self/guard.h"
#include "agent/stop/access.h"
#include "agent/stop/frozen.h"
#include "agent/stop/sigchld.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* A thread with a time limit is waited for until it has just begun to sleep. */
#define PATIENCE_NS (5 * HT_NS_PER_S)
/* Of what is free and locked. */
#define LOCKED_SHARE 16
/* An arena that is locked at each of so many looks is held by somebody who does
 * not go on. */
#define LOCK_LOOKS    50
#define LOCK_EVERY_NS HT_NS_PER_MS
/* Between two looks at the thread in the call. */
#define WAIT_FIRST_NS (30 * HT_NS_PER_US)
#define WAIT_MAX_NS   (10 * HT_NS_PER_MS)
#define END_WITHIN_NS (5 * HT_NS_PER_S)
/* Before the whole request is over. */
#define RESERVE_MS 2000

__attribute__((format(printf, 3, 4))) static void
refuse(struct ht_trim *t, enum ht_trim_refusal refusal, const char *fmt, ...)
{
	va_list args;

	t->refusal = refusal;
	va_start(args, fmt);
	vsnprintf(t->why, sizeof(t->why), fmt, args);
	va_end(args);
}

/* --- what the snapshot says against it ----------------------------------- */

static void refuse_by_malloc(const struct ht_session *s, struct ht_trim *t)
{
	const struct ht_target *target = s->target;
	const struct ht_malloc *m = &target->located.malloc[0];

	if (target->reader->word != 8)
		refuse(t, HT_TRIM_I386,
		       "process %d is a 32-bit program: no call can be put into those yet",
		       (int)target->pid);
	else if (target->located.n == 0)
		refuse(t, HT_TRIM_ALLOCATOR,
		       "process %d does not use glibc's malloc (%s)",
		       (int)target->pid, s->snapshot->libc.allocator);
	else if (m->trim == 0 || m->trim < m->text_start ||
		 m->trim >= m->text_end)
		refuse(t, HT_TRIM_SYMBOL,
		       "malloc_trim was not found in process %d: no symbol tells where it is (a static program without a symbol table)",
		       (int)target->pid);
	else if (m->tls_errno == HT_TLS_UNKNOWN)
		refuse(t, HT_TRIM_SYMBOL,
		       "where errno is in process %d was not found: it could not be put back",
		       (int)target->pid);
}

static void refuse_by_bytes(const struct ht_session *s, struct ht_trim *t)
{
	uint64_t locked = ht_snapshot_cause(s->snapshot, HT_CAUSE_LOCKED);

	if (t->bytes == HT_UNKNOWN)
		refuse(t, HT_TRIM_UNKNOWN,
		       "what it would return is not known (see the warnings)");
	else if (locked != HT_UNKNOWN && t->bytes < locked / LOCKED_SHARE)
		refuse(t, HT_TRIM_LOCKED,
		       "it would return next to nothing: %" PRIu64
		       " bytes are locked in memory, or of the huge page pool",
		       locked);
	else if (t->bytes < HT_PAGE_SIZE)
		refuse(t, HT_TRIM_NOTHING, "it would return nothing");
}

static void refuse_by_hold(const struct ht_session *s, struct ht_trim *t)
{
	if (t->hold_us == HT_UNKNOWN)
		refuse(t, HT_TRIM_UNKNOWN,
		       "how long it would take is not known");
	else if (t->hold_us > s->request->max_hold_us)
		refuse(t, HT_TRIM_HOLD,
		       "it would hold the lock of an arena for about %" PRIu64
		       " us, more than the %" PRIu64 " us of --max-hold",
		       t->hold_us, s->request->max_hold_us);
}

void ht_trim_look(const struct ht_session *s, struct ht_trim *t)
{
	const struct ht_snapshot *snap = s->snapshot;

	ht_trim_init(t);
	ht_trim_measure(&t->cost);
	ht_trim_forecast(snap, t);
	refuse_by_malloc(s, t);
	if (t->refusal == HT_TRIM_NONE && snap->findings.n > 0)
		refuse(t, HT_TRIM_DAMAGED,
		       "the heap does not add up (%s at 0x%" PRIx64
		       "): malloc_trim goes through it and would abort the process",
		       snap->findings.v[0].code, snap->findings.v[0].address);
	if (t->refusal == HT_TRIM_NONE)
		refuse_by_bytes(s, t);
	if (t->refusal == HT_TRIM_NONE)
		refuse_by_hold(s, t);
}

/* --- arenas that stay locked --------------------------------------------- */

static bool is_locked(const struct ht_session *s, uint64_t arena)
{
	const struct ht_malloc *m = &s->target->located.malloc[0];
	uint32_t mutex = 0;

	return ht_reader_u32(s->target->reader,
			     arena + m->layout.at[HT_P_ARENA_MUTEX].offset,
			     &mutex, NULL) == HT_OK &&
	       mutex != 0;
}

/* Whoever holds its lock is asleep, inside fork, or stopped by a debugger: the
 * call would wait for it, and the thread that makes it with it. */
static void refuse_locked(const struct ht_session *s, struct ht_trim *t)
{
	const struct timespec pause = {.tv_nsec = LOCK_EVERY_NS};
	const struct ht_snapshot *snap = s->snapshot;

	for (size_t i = 0; i < snap->arenas.n; i++) {
		uint64_t at = snap->arenas.v[i].address;
		int looks = 0;

		while (looks < LOCK_LOOKS && is_locked(s, at)) {
			looks++;
			nanosleep(&pause, NULL);
		}
		if (looks < LOCK_LOOKS)
			continue;
		refuse(t, HT_TRIM_ARENA_LOCKED,
		       "arena %" PRIu64
		       " is locked and stays so: a thread is inside malloc or fork and does not go on",
		       snap->arenas.v[i].index);
		return;
	}
}

/* --- the call ------------------------------------------------------------ */

static uint64_t rss_of(pid_t pid)
{
	HT_AUTO_FILE FILE *f = NULL;
	uint64_t pages = 0;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*u %" SCNu64, &pages) != 1)
		return HT_UNKNOWN;
	return pages * HT_PAGE_SIZE;
}

static void tell(const struct ht_session *s, const struct ht_trim *t)
{
	uint64_t now = rss_of(s->target->pid);

	if (s->progress && now != HT_UNKNOWN && t->rss_before != HT_UNKNOWN)
		s->progress(s->progress_ctx,
			    t->rss_before > now ? t->rss_before - now : 0,
			    t->bytes);
}

/* A sixteenth of what it has taken so far: looks cost the thread little, and
 * what it took is known to as much. */
static int64_t next_look(int64_t so_far_ns)
{
	int64_t ns = so_far_ns / 16;

	return ns < WAIT_FIRST_NS ? WAIT_FIRST_NS
				  : (ns > WAIT_MAX_NS ? WAIT_MAX_NS : ns);
}

/* Until the function has returned, or the request is nearly over. */
static bool wait_for_return(struct ht_session *s, struct ht_trim *t,
			    struct ht_caller *c)
{
	int64_t until =
		c->begun_ns +
		((int64_t)s->request->timeout_ms - RESERVE_MS) * HT_NS_PER_MS;
	struct timespec moment = {.tv_nsec = WAIT_FIRST_NS};

	while (!ht_call_returned(c->call)) {
		if (ht_mono_ns() >= until)
			return false;
		nanosleep(&moment, NULL);
		moment.tv_nsec = next_look(ht_mono_ns() - c->begun_ns);
		ht_guard_beat();
		tell(s, t);
	}
	return true;
}

static void finish(struct ht_session *s, struct ht_trim *t, struct ht_caller *c)
{
	bool returned = wait_for_return(s, t, c);
	int64_t now = ht_mono_ns();
	struct ht_err err;
	enum ht_code code;

	t->done = 1;
	t->thread = (uint64_t)c->held.tid;
	if (returned && ht_call_alive(c->call)) {
		t->took_us = (uint64_t)((now - c->begun_ns) / HT_NS_PER_US);
		t->rss_after = rss_of(s->target->pid);
	}
	code = ht_call_end(c->call, now + END_WITHIN_NS, &err);
	c->stuck |= code == HT_TIMEOUT;
	t->stopped_us =
		c->stopped_us + (uint64_t)((ht_mono_ns() - now) / HT_NS_PER_US);
}

static void call(struct ht_session *s, const struct ht_maps *maps,
		 struct ht_trim *t)
{
	const struct ht_target *target = s->target;
	const struct ht_caller_in in = {
		.pid = target->pid,
		.reader = target->reader,
		.maps = maps,
		.located = &target->located,
		.filtered = &target->filtered,
		.function = target->located.malloc[0].trim,
		.tls_errno = target->located.malloc[0].tls_errno,
		.patience_ns = PATIENCE_NS,
	};
	struct ht_caller c;

	t->rss_before = rss_of(target->pid);
	if (ht_caller_begin(&in, &c)) {
		finish(s, t, &c);
		ht_caller_end(&in, &c);
	} else {
		refuse(t, c.refusal, "%s", c.why);
	}
	s->must_end |= c.stuck;
}

void ht_trim_call(struct ht_session *s, struct ht_trim *t)
{
	struct ht_maps maps = {0};
	struct ht_err err;
	sigset_t old;

	if (t->refusal == HT_TRIM_NONE &&
	    ht_access_check_stop(s->target->pid, &err) != HT_OK)
		refuse(t,
		       err.code == HT_TRACED ? HT_TRIM_TRACED : HT_TRIM_SYSTEM,
		       "%s", err.msg);
	if (t->refusal == HT_TRIM_NONE &&
	    ht_frozen_check_run(s->target->pid, &err) != HT_OK)
		refuse(t, HT_TRIM_SYSTEM, "%s", err.msg);
	if (t->refusal == HT_TRIM_NONE)
		refuse_locked(s, t);
	if (t->refusal != HT_TRIM_NONE)
		return;
	if (ht_maps_read(s->target->pid, &maps, &err) != HT_OK ||
	    ht_freezer_check(&err) != HT_OK) {
		refuse(t, HT_TRIM_SYSTEM, "%s", err.msg);
		ht_maps_fini(&maps);
		return;
	}
	ht_sigchld_block(&old);
	call(s, &maps, t);
	sigprocmask(SIG_SETMASK, &old, NULL);
	ht_maps_fini(&maps);
}

/* --- the answer ---------------------------------------------------------- */

enum ht_code ht_session_trim(struct ht_session *s, struct ht_trim *ret,
			     struct ht_err *err)
{
	const struct ht_request *asked = s->request;
	struct ht_request first = *asked;
	bool now = asked->flags & HT_TRIM_NOW;
	enum ht_code code;

	first.flags |= HT_WANT_BINS; /* what is held for how long */
	if (now)
		first.flags &= ~(uint64_t)HT_LAST_REQUEST;
	s->request = &first;
	code = ht_session_sample(s, err);
	if (code == HT_OK)
		ht_trim_look(s, ret);
	if (code == HT_OK && now)
		ht_trim_call(s, ret);
	s->request = asked;
	if (code != HT_OK || !now || !ret->done)
		return code;
	ht_snapshot_fini(s->snapshot);
	ht_snapshot_init(s->snapshot);
	return ht_session_sample(s, err);
}
