/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: which code is the first to write to a page, by the kernel's own count
 * of page faults. It stops no thread and changes nothing in the process, and
 * asks for no right where perf_event_paranoid is 2 or less.
 *
 * A stack is taken of each fault of a thread that has few, and of every so
 * many-th of one that has more than its ring has room for: as many as are right
 * for the busiest of its latest windows. A sample stands for all faults of its
 * window that have none, so that their sum is what the kernel counted.
 */
#ifndef HT_PROBE_FAULTS_H
#define HT_PROBE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "link/probe.h"

#define HT_FAULTS_PEAKS 16

struct ht_faults_thread {
	pid_t tid;
	int fd;
	uint8_t *ring;	  /* mapped: a page of counters, then data */
	uint64_t count;	  /* faults so far */
	uint64_t period;  /* every so many-th is taken */
	uint64_t before;  /* the period of the window before */
	uint64_t carried; /* faults that no sample stands for yet */
	uint64_t peak[HT_FAULTS_PEAKS]; /* faults of the latest windows, as if
					   each was of one length */
	unsigned windows;
};

struct ht_faults {
	pid_t pid;
	struct ht_faults_thread thread[HT_PROBE_THREADS];
	size_t n;
	int64_t since_ns; /* of the last window's end */
	bool paused;	  /* nothing is seen since then */
};

/* Whether the kernel lets us look at the process's main thread. HT_DENIED,
 * HT_UNSUPPORTED: why not. */
enum ht_code ht_faults_begin(pid_t pid, struct ht_faults *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* The period for a thread whose latest windows had so many faults; now: the one
 * that it has. Pure. */
uint64_t ht_faults_period(const uint64_t peak[HT_FAULTS_PEAKS], uint64_t now);
/* What was seen since the last one; with a time of 0 nothing is from now on,
 * until the next one. say: takes a sample, false: never more.
 * done: filled but for its code and error. */
enum ht_code
ht_faults_window(struct ht_faults *g, const struct ht_probe_window *q,
		 bool (*say)(const struct ht_probe_sample *s, bool open),
		 struct ht_probe_done *done, struct ht_err *err) HT_MUST_CHECK;

#endif
