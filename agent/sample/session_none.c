/* SPDX-License-Identifier: Apache-2.0 */
/*
 * None, the default: no thread is stopped, traced, or touched in any other way
 * (docs/adr/0014). Where all of them sleep for as long as it takes, what was
 * read is of one instant. Else it is read as it moves: checked, read again
 * where it does not add up, and what stays uncertain is told.
 */
#include <inttypes.h>

#include "agent/sample/look.h"
#include "agent/self/guard.h"
#include "common/clock.h"

/* A target that rests is likely to rest again a moment later. */
#define REST_ATTEMPTS 3
/* A walk of the resting heap is done again where some thread woke meanwhile: no
 * longer ones are tried. */
#define REST_WALK_MS 50
/* Of what is left of the time limit when they begin. */
#define ROOTS_PERCENT 50
#define WALK_PERCENT  75
#define LATE_ATTEMPTS 3

/* The roots of one instant. HT_BUSY: some thread ran each time. Caches that do
 * not add up at any of them, while every thread slept elsewhere, are damaged.
 */
static enum ht_code read_at_rest(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code = HT_BUSY;
	int odd = 0;

	for (int i = 0; i < REST_ATTEMPTS; i++) {
		if (i > 0)
			ht_look_retry(l);
		code = ht_look_watch(l, err);
		if (code == HT_OK)
			code = ht_look_read(l, 0, err);
		if (code == HT_OK && ht_look_rested(l)) {
			odd += l->by_caches;
			if (odd == REST_ATTEMPTS)
				ht_look_blame_cache(l);
			if (!l->inside_malloc)
				return HT_OK;
		}
		if (code == HT_GONE || code == HT_NOMEM)
			return code;
	}
	return ht_fail(err, HT_BUSY, "some thread ran at each look");
}

/* HT_BUSY: the heap is too large, or some thread woke: what was walked into the
 * snapshot is taken out again, the roots remain. */
static enum ht_code walk_at_rest(struct ht_look *l, struct ht_err *err)
{
	struct ht_session *s = l->session;
	uint64_t ms = ht_roots_walk_bytes(l->roots) / s->target->bytes_per_ms;
	enum ht_code code;

	if (ms > REST_WALK_MS)
		return ht_fail(err, HT_BUSY, "the heap is large");
	code = ht_look_walk(l, err);
	if (code == HT_GONE || ht_look_rested(l))
		return code;
	ht_look_unwalk(l); /* what failed may have failed of what moved */
	return ht_fail(err, HT_BUSY, "some thread woke");
}

/* Reads in so many percent of what is left of the time limit, where there is
 * one: where a machine has too much to do, a part that is told in time is worth
 * more than nothing. */
static void read_within(const struct ht_look *l, int64_t percent)
{
	struct ht_reader *reader = l->session->target->reader;
	const int64_t until = ht_guard_until_ns(), now = ht_mono_ns();

	reader->expired = false;
	reader->deadline_ns = until ? now + (until - now) / 100 * percent : 0;
}

/* Returns whether the time was up. */
static bool read_freely(const struct ht_look *l)
{
	struct ht_reader *reader = l->session->target->reader;
	bool expired = reader->expired;

	reader->expired = false;
	reader->deadline_ns = 0;
	return expired;
}

/* What the rest hangs on was not read. */
static enum ht_code too_late(const struct ht_look *l, struct ht_err *err)
{
	return ht_fail(
		err, HT_TIMEOUT,
		"process %d: what its malloc begins with was not read in time",
		(int)l->session->target->pid);
}

static void warn_late(const struct ht_look *l)
{
	ht_snapshot_warn(
		l->session->snapshot,
		"the time limit (%" PRIu64
		" ms) was nearly over before all was read: what was not is among the uncertain bytes",
		l->session->request->timeout_ms);
}

/* Without what arenas begin with there is nothing to tell: where the time was
 * up before it was read it is asked for again, in a part of what is left. */
static enum ht_code read_as_it_moves(struct ht_look *l, bool *late,
				     struct ht_err *err)
{
	const struct ht_rolling_limits nobody = {0};
	bool expired = false;
	enum ht_code code;

	for (int i = 0; i < LATE_ATTEMPTS; i++) {
		ht_look_retry(l);
		l->attempts = 0;
		read_within(l, ROOTS_PERCENT);
		code = ht_look_rolling(l, &nobody, err);
		expired = read_freely(l);
		*late |= expired;
		if (code != HT_FAULT || !expired)
			break;
	}
	if (code == HT_FAULT && expired)
		return too_late(l, err);
	return code == HT_OK ? ht_look_stacks(l, err) : code;
}

/* A heap that is too large to be walked again stood still nevertheless: what is
 * wrong in it was not caught in a change. */
static bool has_rested(void *ctx)
{
	const struct ht_look *l = ctx;

	return !l->session->target->reader->expired && ht_look_rested(l);
}

static enum ht_code walk_as_it_moves(struct ht_look *l, bool late,
				     struct ht_err *err)
{
	bool expired;
	enum ht_code code;

	l->in.moving = true;
	l->in.rested = l->watch ? has_rested : NULL;
	l->in.rested_ctx = l;
	read_within(l, WALK_PERCENT);
	code = ht_look_walk(l, err);
	expired = read_freely(l);
	if (code == HT_FAULT && expired)
		return too_late(l, err);
	if (code == HT_OK && (late || expired))
		warn_late(l);
	return code;
}

enum ht_code ht_session_none(struct ht_session *s, struct ht_err *err)
{
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code;
	bool late = false;

	ht_look_begin(&l, s);
	code = read_at_rest(&l, err);
	if (code == HT_BUSY)
		code = read_as_it_moves(&l, &late, err);
	if (code == HT_OK)
		code = ht_look_drop(&l, err);
	if (code != HT_OK)
		return code;
	code = l.watch ? walk_at_rest(&l, err) : HT_BUSY;
	if (code == HT_BUSY)
		code = walk_as_it_moves(&l, late, err);
	if (code == HT_OK)
		ht_look_report(&l);
	return code;
}
