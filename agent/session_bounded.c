/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded: never stopped for longer than max_pause_us, whatever the heap's
 * size.
 *
 * A rehearsal without a stop tells how long the roots take to read. If that
 * fits the budget, one stop reads them in one instant, and walks the heaps as
 * well if they fit what is left. All else is read with the target running, and
 * checked.
 */
#include "agent/look.h"
#include "common/clock.h"

/* Tenths of the budget: stopping is given up after the first, reading must be
 * over by the second, the rest is for letting go. */
#define STOP_TENTHS 4
#define READ_TENTHS 7

static int64_t tenths(const struct ht_session *s, int n)
{
	return (int64_t)s->request->max_pause_us * HT_NS_PER_US * n / 10;
}

/* Reads the roots without a stop. ret_ns: processor time that it took: in the
 * stop nobody else gets our processor. */
static enum ht_code rehearse(struct ht_look *l, int64_t *ret_ns,
			     struct ht_err *err)
{
	enum ht_code code = ht_look_unstopped(l, err);
	int64_t begin = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (code == HT_OK)
		code = ht_look_read(l, 0, err);
	*ret_ns = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
	return code;
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

static enum ht_code walk(struct ht_look *l, struct ht_err *err)
{
	uint64_t bytes = ht_roots_walk_bytes(l->roots);
	int64_t begin = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	enum ht_code code = ht_look_walk(l, err);

	learn_speed(l->session->target, bytes,
		    ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin);
	return code;
}

/* One stop. HT_OK and l->roots of one instant, or l->inside_malloc; HT_TIMEOUT:
 * the threads did not stop within their share of the budget. */
static enum ht_code stop_once(struct ht_look *l, bool *ret_walked,
			      struct ht_err *err)
{
	int64_t begin = ht_mono_ns();
	const struct ht_stop_limits limits = {
		.deadline_ns = begin + tenths(l->session, STOP_TENTHS),
		.realtime = true,
		.watch_sleepers = true,
	};
	enum ht_code code = ht_look_stop(l, &limits, err);

	*ret_walked = false;
	if (code == HT_OK)
		code = ht_look_read(l, begin + tenths(l->session, STOP_TENTHS),
				    err);
	if (code == HT_OK && !l->inside_malloc && walk_fits(l, begin)) {
		ht_session_clean(l->session);
		code = walk(l, err);
		*ret_walked = true;
	}
	ht_look_release(l);
	return code;
}

/* Stops until what was read is of one instant. False: it never was; the last
 * rehearsal has to do. */
static bool settle(struct ht_look *l, bool *ret_walked, struct ht_err *err)
{
	l->attempts = 0; /* stops are counted, not the rehearsal */
	while (l->attempts < l->session->request->attempts) {
		enum ht_code code;

		ht_look_retry(l);
		code = stop_once(l, ret_walked, err);
		if (code == HT_TIMEOUT)
			return false;
		if (code == HT_OK && !l->inside_malloc && l->woken == 0)
			return true;
		if (code != HT_OK && code != HT_FAULT)
			return false;
	}
	return false;
}

/* Whether a stop for the roots keeps the budget. */
static bool fits(const struct ht_session *s, int64_t roots_ns)
{
	return roots_ns < tenths(s, READ_TENTHS - STOP_TENTHS);
}

enum ht_code ht_session_bounded(struct ht_session *s, struct ht_err *err)
{
	HT_AUTO_LOOK struct ht_look l;
	bool walked = false, settled = false;
	int64_t took_ns, rehearsed_ns;
	enum ht_code code;

	ht_look_begin(&l, s);
	code = rehearse(&l, &took_ns, err);
	if (code != HT_OK)
		return code;
	rehearsed_ns = took_ns;
	if (fits(s, rehearsed_ns))
		settled = settle(&l, &walked, err);
	/* A walk in a stop that did not settle is not to be believed. */
	walked = walked && settled;
	if (!settled) {
		ht_look_retry(&l);
		code = rehearse(&l, &took_ns, err);
	}
	if (code == HT_OK)
		code = ht_look_drop(&l, err);
	if (code == HT_OK && !walked) {
		ht_session_clean(s);
		l.in.moving = true;
		code = walk(&l, err);
	}
	if (code != HT_OK)
		return code;
	if (!fits(s, rehearsed_ns))
		ht_snapshot_warn(s->snapshot,
				 "not stopped: reading the arenas alone would "
				 "take %lld us",
				 (long long)(rehearsed_ns / HT_NS_PER_US));
	ht_look_report(&l);
	return HT_OK;
}
