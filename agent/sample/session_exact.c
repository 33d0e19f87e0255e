/* SPDX-License-Identifier: Apache-2.0 */
/* Exact: the whole walk in one stop, however long it takes. */
#include <inttypes.h>

#include "agent/sample/look.h"
#include "agent/stop/frozen.h"
#include "common/clock.h"

/* A stop that takes longer is given up: the threads that came are let go. */
#define STOP_WITHIN_NS HT_NS_PER_S
/* How long threads may be nudged out of malloc within one stop. */
#define LEAVE_MALLOC_NS (200 * HT_NS_PER_MS)

static enum ht_code stop_and_read(struct ht_look *l, struct ht_err *err)
{
	const struct ht_stop_limits limits = {
		.deadline_ns = ht_look_sooner(l, ht_mono_ns() + STOP_WITHIN_NS),
		.realtime = true,
	};
	enum ht_code code = ht_look_stop(l, &limits, err);

	if (code != HT_OK)
		return code;
	return ht_look_read(
		l, ht_look_sooner(l, ht_mono_ns() + LEAVE_MALLOC_NS), err);
}

/* The same while there is time. Nobody stands for what will not be read. */
static enum ht_code stop_in_time(struct ht_look *l, struct ht_err *err)
{
	struct ht_reader *reader = l->in.reader;
	enum ht_code code;

	if (ht_reader_is_late(reader))
		return ht_look_too_late(l, err);
	code = stop_and_read(l, err);
	if (reader->expired && (code == HT_OK || code == HT_FAULT))
		code = ht_look_too_late(l, err);
	return code;
}

/* A look without a stop: file caches and page tables are warm when it counts.
 */
static enum ht_code rehearse(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code;

	ht_look_within(l, HT_LOOK_FIRST_PERCENT);
	code = ht_look_unstopped(l, err);
	if (code == HT_OK)
		code = ht_look_read(l, 0, err);
	ht_look_freely(l);
	ht_look_retry(l);
	l->attempts = 0;
	/* What moved meanwhile does not matter, an end does. */
	return code == HT_GONE ? code : HT_OK;
}

/* The target is held and at rest, or the attempts are used up. Caches that do
 * not add up at any of them, with every thread elsewhere, are damaged. */
static enum ht_code settle(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	while (code == HT_OK) {
		code = stop_in_time(l, err);
		if (code != HT_OK || !l->inside_malloc)
			break;
		if (l->attempts >= l->session->request->attempts &&
		    l->by_caches) {
			ht_look_blame_cache(l);
			break;
		}
		if (l->attempts >= l->session->request->attempts)
			return ht_fail(
				err, HT_BUSY,
				"process %d: some thread was inside malloc at each of %d stops",
				(int)l->session->target->pid, (int)l->attempts);
		ht_look_release(l);
		/* Then the thread never leaves malloc. */
		code = ht_frozen_check_run(l->session->target->pid, err);
		ht_look_retry(l);
	}
	return code;
}

static enum ht_code settle_in_time(struct ht_look *l, struct ht_err *err)
{
	enum ht_code code = rehearse(l, err);

	ht_look_within(l, HT_LOOK_ROOTS_PERCENT);
	if (code == HT_OK)
		code = settle(l, err);
	ht_look_freely(l);
	return code;
}

/* Threads that were only watched woke and ran: the walk is not of one instant.
 * What does not add up is uncertain then, as in the modes that do not stop, and
 * no damage. */
static void doubt(struct ht_snapshot *s, size_t woken)
{
	ht_snapshot_warn(
		s,
		"%zu threads woke from system calls that must not be interrupted and ran during the walk",
		woken);
	if (s->findings.n > 0)
		ht_snapshot_warn(
			s,
			"%zu places that did not add up may be theirs, the first at 0x%" PRIx64
			": %s",
			s->findings.n, s->findings.v[0].address,
			s->findings.v[0].text);
	ht_snapshot_cut(s, HT_RECORD_finding, 0);
}

enum ht_code ht_session_exact(struct ht_session *s, struct ht_err *err)
{
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code;

	ht_look_begin(&l, s);
	code = settle_in_time(&l, err);
	if (code == HT_OK)
		code = ht_look_drop(&l, err);
	if (code == HT_OK) {
		ht_stop_lower_priority(l.stop);
		code = ht_look_walk_in_time(&l, err);
	}
	ht_look_release(&l);
	if (code != HT_OK)
		return code;
	ht_look_report(&l);
	if (l.woken)
		doubt(s->snapshot, l.woken);
	return HT_OK;
}
