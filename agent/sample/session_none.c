/* SPDX-License-Identifier: Apache-2.0 */
/*
 * None, the default: no thread is stopped, traced, or touched in any other way
 * (docs/adr/0014). Where all of them sleep for as long as it takes, what was
 * read is of one instant. Else it is read as it moves: checked, read again
 * where it does not add up, and what stays uncertain is told.
 */
#include "agent/sample/look.h"

/* A target that rests is likely to rest again a moment later. */
#define REST_ATTEMPTS 3
/* A walk of the resting heap is done again where some thread woke meanwhile: no
 * longer ones are tried. */
#define REST_WALK_MS 50

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
		ht_look_within(l, HT_LOOK_FIRST_PERCENT);
		if (code == HT_OK)
			code = ht_look_read(l, 0, err);
		if (ht_look_freely(l))
			break;
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
	return ht_fail(err, HT_BUSY,
		       "some thread ran at each look, or it took too long");
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
	ht_look_within(l, HT_LOOK_FIRST_PERCENT);
	code = ht_look_walk(l, err);
	if (!ht_look_freely(l) && (code == HT_GONE || ht_look_rested(l)))
		return code;
	ht_look_unwalk(l); /* what failed may have failed of what moved */
	return ht_fail(err, HT_BUSY,
		       "some thread woke, or it was not read in time");
}

static enum ht_code read_as_it_moves(struct ht_look *l, struct ht_err *err)
{
	const struct ht_rolling_limits nobody = {0};

	l->attempts = 0;
	return ht_look_rolling_in_time(l, &nobody, err);
}

/* A heap that is too large to be walked again stood still nevertheless: what is
 * wrong in it was not caught in a change. */
static bool has_rested(void *ctx)
{
	const struct ht_look *l = ctx;

	return !l->session->target->reader->expired && ht_look_rested(l);
}

static enum ht_code walk_as_it_moves(struct ht_look *l, struct ht_err *err)
{
	l->in.moving = true;
	l->in.rested = l->watch ? has_rested : NULL;
	l->in.rested_ctx = l;
	return ht_look_walk_in_time(l, err);
}

enum ht_code ht_session_none(struct ht_session *s, struct ht_err *err)
{
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code;

	ht_look_begin(&l, s);
	code = read_at_rest(&l, err);
	if (code == HT_BUSY)
		code = read_as_it_moves(&l, err);
	if (code == HT_OK)
		code = ht_look_drop(&l, err);
	if (code != HT_OK)
		return code;
	code = l.watch ? walk_at_rest(&l, err) : HT_BUSY;
	if (code == HT_BUSY)
		code = walk_as_it_moves(&l, err);
	if (code == HT_OK)
		ht_look_report(&l);
	return code;
}
