/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trim: malloc_trim(0), called by a thread of the target itself, between two
 * looks at it (docs/adr/0022). Nothing is stopped but that one thread, for as
 * long as it takes to give it other registers; whatever becomes of us, the call
 * finishes and the thread comes back to where it was.
 */
#ifndef HT_AGENT_SAMPLE_TRIM_H
#define HT_AGENT_SAMPLE_TRIM_H

#include "agent/sample/session.h"
#include "link/trim.h"

/* What it costs on this machine: measured on pages of our own, 1 to 10 ms. */
void ht_trim_measure(struct ht_trim_cost *ret);

/* What the seccomp filters of the target's threads say of the calls that would
 * be made: before the sandbox. */
void ht_trim_read_filters(struct ht_target *t);

/* The forecast for a session's snapshot, and the first reason against the call
 * that the snapshot knows. */
void ht_trim_look(const struct ht_session *s, struct ht_trim *ret);

/* Has it called, unless there is a reason against it: ret->refusal. ret: from
 * ht_trim_look() of this moment. Must be called before privileges are dropped.
 */
void ht_trim_call(struct ht_session *s, struct ht_trim *ret);

/* One answer to a request with HT_TRIM or HT_TRIM_NOW: as ht_session_sample(),
 * with the forecast, or with what came of the call in between. */
enum ht_code ht_session_trim(struct ht_session *s, struct ht_trim *ret,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
