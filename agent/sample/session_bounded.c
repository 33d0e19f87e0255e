/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded: never stopped for longer than max_pause_us, whatever the heap's
 * size.
 *
 * A rehearsal without a stop tells how long the roots take to read. If that
 * fits the budget, one stop reads them in one instant, and walks the heaps as
 * well if they fit what is left. If it does not, because the threads are many,
 * they stand still one after the other (rolling.h). All else is read with the
 * target running, and checked.
 */
#include <stdio.h>
#include <string.h>

#include "agent/sample/look.h"
#include "agent/self/guard.h"
#include "common/clock.h"

/* Tenths of the budget: stopping is given up after the first, reading must be
 * over by the second and is cut off by the third, the rest is for letting go.
 */
#define STOP_TENTHS 4
#define READ_TENTHS 7
#define CUT_TENTHS  8
/* All stops of one sample together, in budgets: the next may be a second later,
 * and the target must not lose more than a hundredth of its time. */
#define BUDGETS_IN_ALL 4
/* A thread's part of a stop beside its caches: whether it is in malloc. */
#define THREAD_NS (6 * HT_NS_PER_US)
/* All turns together; threads that had none by then are read as they run. */
#define TURNS_WITHIN_NS (2 * HT_NS_PER_S)
/* A read that hangs in the kernel cannot be cut off: then the agent ends. Far
 * above what a crowded machine takes from us. */
#define HANG_NS (200 * HT_NS_PER_MS)

struct bounded {
	struct ht_look look;
	bool late;	  /* the rehearsal: no stop would do */
	bool walked;	  /* within the stop */
	bool settled;	  /* the roots are of one instant */
	int64_t roots_ns; /* the rehearsal's */
	char why[256];	  /* no stop was possible; or "" */
};

static int64_t tenths(const struct ht_session *s, int n)
{
	return (int64_t)s->request->max_pause_us * HT_NS_PER_US * n / 10;
}

/* Reads the roots without a stop. Takes processor time: in the stop nobody else
 * gets our processor. */
static enum ht_code rehearse(struct bounded *b, struct ht_err *err)
{
	int64_t begin;
	enum ht_code code;

	ht_look_within(&b->look, HT_LOOK_FIRST_PERCENT);
	code = ht_look_unstopped(&b->look, err);
	begin = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (code == HT_OK)
		code = ht_look_read(&b->look, 0, err);
	b->roots_ns = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
	b->late = ht_look_freely(&b->look);
	return code == HT_FAULT && b->late ? HT_OK : code;
}

/* Whether the heaps can be walked before READ_TENTHS are over. */
static bool walk_fits(const struct ht_look *l, int64_t stopped_at_ns)
{
	const struct ht_target *t = l->session->target;
	int64_t left =
		stopped_at_ns + tenths(l->session, READ_TENTHS) - ht_mono_ns();
	uint64_t need_ms = ht_roots_walk_bytes(l->roots) / t->bytes_per_ms;

	return left > 0 && need_ms < (uint64_t)(left / HT_NS_PER_MS);
}

/* The slowest walk so far counts: the budget is a promise. */
static void learn_speed(struct ht_target *t, uint64_t bytes, int64_t ns)
{
	uint64_t speed = bytes * (uint64_t)HT_NS_PER_MS / (uint64_t)(ns + 1);

	if (bytes >= 1 << 20 && speed > 0 && speed < t->bytes_per_ms)
		t->bytes_per_ms = speed;
}

typedef enum ht_code walk_fn(struct ht_look *l, struct ht_err *err);

static enum ht_code walk(struct ht_look *l, walk_fn *how, struct ht_err *err)
{
	uint64_t bytes = ht_roots_walk_bytes(l->roots);
	int64_t begin = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	enum ht_code code = how(l, err);

	learn_speed(l->session->target, bytes,
		    ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin);
	return code;
}

/* --- all at once --------------------------------------------------------- */

static enum ht_code read_and_walk(struct bounded *b, int64_t begin_ns,
				  struct ht_err *err)
{
	struct ht_look *l = &b->look;
	enum ht_code code = ht_look_read(
		l, begin_ns + tenths(l->session, STOP_TENTHS), err);

	if (code != HT_OK || l->inside_malloc || !walk_fits(l, begin_ns))
		return code;
	ht_session_clean(l->session);
	b->walked = true;
	return walk(l, ht_look_walk, err);
}

/* One stop. HT_OK and the roots of one instant, or inside_malloc; HT_TIMEOUT:
 * the threads did not stop within their share of the budget. */
static enum ht_code stop_once(struct bounded *b, struct ht_err *err)
{
	struct ht_session *s = b->look.session;
	struct ht_reader *reader = s->target->reader;
	int64_t begin = ht_mono_ns();
	const struct ht_stop_limits limits = {
		.deadline_ns = begin + tenths(s, STOP_TENTHS),
		.realtime = true,
		.watch = HT_WATCH_SLEEPERS,
	};
	enum ht_code code;

	b->walked = false;
	/* threads are described by reads, too */
	ht_reader_limit(reader, begin + tenths(s, CUT_TENTHS));
	code = ht_look_stop(&b->look, &limits, err);
	if (code == HT_OK) {
		ht_guard_shorten(HANG_NS);
		code = read_and_walk(b, begin, err);
		ht_guard_restore();
	}
	ht_look_release(&b->look);
	if (reader->expired)
		code = ht_fail(err, HT_TIMEOUT,
			       "process %d: reading did not end in time",
			       (int)s->target->pid);
	ht_reader_limit(reader, 0);
	return code;
}

/* How many threads can be stopped at once is learned by trying; that it failed
 * once is not for ever. */
static void learn_at_once(struct ht_target *t, size_t runnable, bool in_time)
{
	if (!in_time)
		t->at_once = runnable / 2;
	else if (t->at_once < 4096)
		t->at_once += 1 + t->at_once / 8;
}

/* Stops until what was read is of one instant, as long as all pauses together
 * stay small. */
static void settle(struct bounded *b, struct ht_err *err)
{
	struct ht_look *l = &b->look;
	struct ht_session *s = l->session;
	uint64_t paused_us = 0, budget_us = s->request->max_pause_us;
	size_t runnable = l->runnable;

	l->attempts = 0; /* stops are counted, not the rehearsal */
	while (l->attempts < s->request->attempts &&
	       paused_us < (BUDGETS_IN_ALL - 1) * budget_us) {
		enum ht_code code;

		ht_look_retry(l);
		code = stop_once(b, err);
		paused_us += l->last_pause_us;
		if (code == HT_TIMEOUT)
			learn_at_once(s->target, runnable, false);
		b->settled =
			code == HT_OK && !l->inside_malloc && l->woken == 0;
		if (b->settled || (code != HT_OK && code != HT_FAULT))
			return;
	}
}

/* Whether a stop of all threads for the roots keeps the budget. */
static bool fits(const struct bounded *b)
{
	const struct ht_look *l = &b->look;
	int64_t ns = b->roots_ns + (int64_t)l->in.threads_n * THREAD_NS;

	return !b->late && l->runnable <= l->session->target->at_once &&
	       ns < tenths(l->session, READ_TENTHS - STOP_TENTHS);
}

/* --- one after the other ------------------------------------------------- */

static enum ht_code in_turn(struct bounded *b, struct ht_err *err)
{
	struct ht_session *s = b->look.session;
	const struct ht_rolling_limits limits = {
		.hold_ns = tenths(s, READ_TENTHS),
		.until_ns = ht_mono_ns() + TURNS_WITHIN_NS,
		.realtime = true,
	};
	const struct ht_rolling_limits nobody = {0};
	enum ht_code code;

	learn_at_once(s->target, 0, true);
	code = ht_look_rolling_in_time(&b->look, &limits, err);
	if (code != HT_TRACED && code != HT_DENIED && code != HT_REFUSED)
		return code;
	snprintf(b->why, sizeof(b->why), "%s", err->msg);
	return ht_look_rolling_in_time(&b->look, &nobody, err);
}

/* Who stood knows where they were no longer. */
static enum ht_code find_stacks(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code;

	ht_look_within(l, HT_LOOK_ROOTS_PERCENT);
	code = ht_look_stacks(l, err);
	l->late |= ht_look_freely(l);
	return code;
}

static void warn(const struct bounded *b)
{
	const struct ht_look *l = &b->look;
	struct ht_snapshot *snapshot = l->session->snapshot;

	if (b->why[0])
		ht_snapshot_warn(snapshot, "not stopped: %s", b->why);
	else if (l->missed)
		ht_snapshot_warn(
			snapshot,
			"%zu threads did not stop in time: their caches were read while they ran, or not",
			l->missed);
	if (l->spared)
		ht_snapshot_warn(
			snapshot,
			"%zu threads were not stopped, they have a seccomp filter: their caches were read while they ran, or not",
			l->spared);
}

static void end(struct bounded *b)
{
	ht_look_end(&b->look);
}

enum ht_code ht_session_bounded(struct ht_session *s, struct ht_err *err)
{
	HT_CLEANUP(end) struct bounded b = {0};
	struct ht_look *l = &b.look;
	enum ht_code code;

	ht_look_begin(l, s);
	code = rehearse(&b, err);
	if (code != HT_OK)
		return code;
	if (fits(&b))
		settle(&b, err);
	if (!b.settled)
		code = in_turn(&b, err);
	if (code == HT_OK && !(b.walked && b.settled))
		code = find_stacks(l, err);
	if (code == HT_OK)
		code = ht_look_drop(l, err);
	if (code == HT_OK && !(b.walked && b.settled)) {
		ht_session_clean(s);
		l->in.moving = true;
		code = walk(l, ht_look_walk_in_time, err);
	}
	if (code != HT_OK)
		return code;
	warn(&b);
	ht_look_report(l);
	return HT_OK;
}
