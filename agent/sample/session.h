/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session: one sample of one target, in the mode that was asked for. Each mode
 * is a file (session_exact.c ...) with one function over the same few steps,
 * which look.h has: stop, read the roots, walk, let go.
 */
#ifndef HT_AGENT_SAMPLE_SESSION_H
#define HT_AGENT_SAMPLE_SESSION_H

#include "agent/memory/procfs.h"
#include "agent/sample/target.h"
#include "link/request.h"
#include "schema/snapshot.h"

struct ht_session {
	struct ht_target *target; /* opened and located */
	const struct ht_request *request;
	struct ht_snapshot *snapshot; /* initialised, empty */
	/* For slow walks; or NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	/* Bytes that madvise does not return (vmflags.h), and whether it is
	 * known where they are. */
	uint64_t refusing;
	bool refusing_known;
	bool stopped; /* a stop signal held it before any stop of ours */
	struct ht_limits_unread unread;
	bool must_end; /* set: a thread could not be let go, or privileges are
			  gone: the process has to end after the answer */
};

/* Fills the snapshot. On an error nothing is held and nothing else is left. */
enum ht_code ht_session_sample(struct ht_session *s,
			       struct ht_err *err) HT_MUST_CHECK;

/* Whether PSS may be read: no process waits for it for longer than a stop may
 * last, unless it was asked for all the same. */
bool ht_session_may_roll_up(const struct ht_session *s);

/* Whether 8 bytes a page may be read of what a trim would return: some 25 ms a
 * GiB, for which no thread is to stand still, unless details are asked for. */
bool ht_session_may_read_private(const struct ht_session *s);

/* Takes out of the snapshot what a walk put in, for another one. */
void ht_session_clean(struct ht_session *s);

/* Fills snapshot.unknown, and a warning for each row but where there is one
 * already. Opens nothing. */
void ht_session_note_unknown(const struct ht_session *s);

/* The modes, for session.c's table. */
enum ht_code ht_session_exact(struct ht_session *s, struct ht_err *err);
enum ht_code ht_session_bounded(struct ht_session *s, struct ht_err *err);
enum ht_code ht_session_none(struct ht_session *s, struct ht_err *err);
enum ht_code ht_session_snapshot(struct ht_session *s, struct ht_err *err);
enum ht_code ht_session_core(struct ht_session *s, struct ht_err *err);

#endif
