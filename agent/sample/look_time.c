/* SPDX-License-Identifier: Apache-2.0 */
/* The time limit of a look: what is not reached by then is told as such. */
#include <inttypes.h>

#include "agent/sample/look.h"
#include "agent/self/guard.h"
#include "common/clock.h"

/* Of what is left of it; the rest is for pages, and to tell it. */
#define WALK_PERCENT 75

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

enum ht_code ht_look_too_late(const struct ht_look *l, struct ht_err *err)
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

enum ht_code ht_look_walk_in_time(struct ht_look *l, struct ht_err *err)
{
	bool expired;
	enum ht_code code;

	if (l->session->request->flags & HT_WANT_GRAPH)
		return ht_look_walk(l, err);
	ht_look_within(l, WALK_PERCENT);
	code = ht_look_walk(l, err);
	expired = ht_look_freely(l);
	if (code == HT_FAULT && expired)
		return ht_look_too_late(l, err);
	if (code == HT_OK && (expired || l->late))
		warn_late(l);
	return code;
}
