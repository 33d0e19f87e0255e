/* SPDX-License-Identifier: Apache-2.0 */
/* The time limit of a look: what is not reached by then is told as such. */
#include <inttypes.h>

#include "agent/sample/look.h"
#include "agent/self/guard.h"
#include "common/clock.h"

/* Of what is left of it; the rest is for pages, and to tell it. */
#define WALK_PERCENT 75
/* Of a graph there is little left to tell when all of it is read. */
#define GRAPH_PERCENT 90
#define LATE_ATTEMPTS 3

void ht_look_within(struct ht_look *l, int64_t percent)
{
	const int64_t until = ht_guard_until_ns(), now = ht_mono_ns();

	ht_reader_limit(l->in.reader,
			until ? now + (until - now) / 100 * percent : 0);
}

bool ht_look_freely(struct ht_look *l)
{
	bool expired = l->in.reader->expired;

	ht_reader_limit(l->in.reader, 0);
	return expired;
}

int64_t ht_look_sooner(const struct ht_look *l, int64_t deadline_ns)
{
	const int64_t limit = l->in.reader->deadline_ns;

	return limit && limit < deadline_ns ? limit : deadline_ns;
}

enum ht_code ht_look_too_late(const struct ht_look *l, struct ht_err *err)
{
	return ht_fail(
		err, HT_TIMEOUT,
		"process %d: what its malloc begins with was not read in time",
		(int)l->session->target->pid);
}

static enum ht_code rolling_once(struct ht_look *l,
				 const struct ht_rolling_limits *limits,
				 struct ht_err *err)
{
	struct ht_rolling_limits mine = *limits;
	enum ht_code code;

	ht_look_within(l, HT_LOOK_ROOTS_PERCENT);
	mine.until_ns = ht_look_sooner(l, limits->until_ns);
	code = ht_look_rolling(l, &mine, err);
	if (code == HT_OK)
		code = ht_look_stacks(l, err);
	l->late = ht_look_freely(l);
	return code;
}

enum ht_code ht_look_rolling_in_time(struct ht_look *l,
				     const struct ht_rolling_limits *limits,
				     struct ht_err *err)
{
	enum ht_code code;

	for (int i = 0; i < LATE_ATTEMPTS; i++) {
		ht_look_retry(l);
		code = rolling_once(l, limits, err);
		if (code != HT_FAULT || !l->late)
			return code;
	}
	return ht_look_too_late(l, err);
}

static void warn_late(const struct ht_look *l)
{
	ht_snapshot_warn(
		l->session->snapshot,
		"the time limit (%" PRIu64
		" ms) was nearly over before all was read: what was not is among the uncertain bytes",
		l->session->request->timeout_ms);
}

/* What was not read breaks chains: what lives would look leaked. */
static enum ht_code refuse_late(const struct ht_look *l, struct ht_err *err)
{
	return ht_fail(
		err, HT_TIMEOUT,
		"process %d: what its chunks are to each other was not all read within the time limit (%" PRIu64
		" ms), and a part of it says nothing",
		(int)l->session->target->pid, l->session->request->timeout_ms);
}

enum ht_code ht_look_walk_in_time(struct ht_look *l, struct ht_err *err)
{
	const bool graph = l->session->request->flags & HT_WANT_GRAPH;
	bool expired;
	enum ht_code code;

	ht_look_within(l, graph ? GRAPH_PERCENT : WALK_PERCENT);
	code = ht_look_walk(l, err);
	expired = ht_look_freely(l);
	if (graph && (code == HT_OK || code == HT_FAULT) && expired)
		return refuse_late(l, err);
	if (code == HT_FAULT && expired)
		return ht_look_too_late(l, err);
	if (code == HT_OK && (expired || l->late))
		warn_late(l);
	return code;
}
