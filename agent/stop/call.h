/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call: one held thread calls one function of its own program, and never knows.
 *
 * The thread is given, by the same chain of signal frames as in inject.h,
 *
 *   the call (all signals blocked) -> errno as it was -> a moment's sleep, in
 * which it is given all that it had by us -> or, without us, its own registers
 * as they were
 *
 * and runs on at once: nothing is stopped while the function works. Should we
 * die at any moment, it finishes, and the thread comes back to where it was.
 */
#ifndef HT_AGENT_STOP_CALL_H
#define HT_AGENT_STOP_CALL_H

#include "agent/memory/reader.h"
#include "agent/stop/inject.h"

struct ht_call; /* opaque; owned by the caller, freed by ht_call_end */

/* Bytes below a thread's sp that must be its stack: the frames and what the
 * function may use. */
#define HT_CALL_FUNCTION_ROOM 16384u
size_t ht_call_room(void);

struct ht_call_what {
	uint64_t function; /* called with 0 */
	uint64_t errno_at; /* the thread's errno */
};

/* Starts the call in the held thread tid, which then runs, still traced.
 * regs: as it was stopped (borrowed until the end). SIGCHLD is blocked.
 * HT_REFUSED: nothing was changed, it is still held. HT_GONE: it ended. */
enum ht_code ht_call_begin(pid_t tid, const struct ht_regs *regs,
			   const struct ht_call_what *what,
			   const struct ht_inject_code *code,
			   struct ht_reader *reader, struct ht_call **ret,
			   struct ht_err *err) HT_MUST_CHECK;

/* Whether the function has returned. False: it is at work. */
bool ht_call_returned(struct ht_call *c);
/* Whether the thread was last seen to exist. */
bool ht_call_alive(const struct ht_call *c);

/* Lets the thread go: one that has returned stands where it was, with all that
 * it had; one that has not goes on, and comes home by itself. Never leaves it
 * stopped. HT_OK: it was given back by us. HT_BUSY: it comes home, or has come
 * home, by itself. HT_GONE: it ended. HT_TIMEOUT: it did not stop within the
 * deadline: only our end lets it go. */
enum ht_code ht_call_end(struct ht_call *c, int64_t deadline_ns,
			 struct ht_err *err) HT_MUST_CHECK;

#endif
