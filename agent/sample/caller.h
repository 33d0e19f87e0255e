/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Caller: which thread of a target may call a function of malloc's for us, and
 * may not: it sleeps where it can be taken out of its system call unnoticed
 * (agent/stop/leave.h), its stack is unwound to its outermost frame and passes
 * through nothing of malloc, fork, the loader or a signal handler, it lies on
 * its own stack and has room there, no system call filter judges it, and it has
 * no shadow stack.
 */
#ifndef HT_AGENT_SAMPLE_CALLER_H
#define HT_AGENT_SAMPLE_CALLER_H

#include "agent/libc/locate.h"
#include "agent/memory/maps.h"
#include "agent/stop/call.h"
#include "agent/stop/filtered.h"
#include "agent/stop/tracee.h"
#include "link/trim.h"

struct ht_caller_in {
	pid_t pid;
	struct ht_reader *reader;
	const struct ht_maps *maps;
	const struct ht_located *located;
	uint64_t function; /* to be called with 0 */
	/* What is known of seccomp filters, or NULL. */
	const struct ht_filtered *filtered;
	int64_t tls_errno;   /* errno - thread pointer */
	int64_t patience_ns; /* for a thread that may be taken */
};

/* A thread that is in the function now. */
struct ht_caller {
	struct ht_tracee held; /* its registers, until the call ends */
	struct ht_call *call;
	uint64_t stopped_us;
	int64_t begun_ns;
	/* Without one: why, and what was said of it. */
	enum ht_trim_refusal refusal;
	char why[240];
	bool stuck; /* a thread can be let go by our end alone */
};

/* Finds a thread and begins the call. True: ret->call runs, we come before all
 * ordinary work and the guard holds, until ht_caller_end, after the call's own.
 * SIGCHLD is blocked. */
bool ht_caller_begin(const struct ht_caller_in *in, struct ht_caller *ret);
void ht_caller_end(const struct ht_caller_in *in, const struct ht_caller *c);

/* --- caller_checks.c: what may be said against a thread ------------------ */

/* HT_TRIM_NONE, or a reason, in words in why. Before it is stopped; sp: where
 * it sleeps. */
enum ht_trim_refusal ht_caller_check_asleep(const struct ht_caller_in *in,
					    DIR *tasks, pid_t tid, uint64_t sp,
					    char *why, size_t size);
/* The same of the stopped thread's stack. */
enum ht_trim_refusal ht_caller_check_frames(const struct ht_caller_in *in,
					    const struct ht_tracee *h,
					    char *why, size_t size);

#endif
