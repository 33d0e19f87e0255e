/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: which code is the first to write to a page, by the kernel's own count
 * of page faults. It stops no thread and changes nothing in the process, and
 * asks for no right where perf_event_paranoid is 2 or less.
 */
#ifndef HT_PROBE_FAULTS_H
#define HT_PROBE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "link/probe.h"

struct ht_faults_thread {
	pid_t tid;
	int fd;
	uint8_t *ring; /* mapped: a page of counters, then data */
};

struct ht_faults {
	pid_t pid;
	struct ht_faults_thread thread[HT_PROBE_THREADS];
	size_t n;
	int64_t since_ns; /* of the last window's end */
};

/* Whether the kernel lets us look at the process's main thread. HT_DENIED,
 * HT_UNSUPPORTED: why not. */
enum ht_code ht_faults_begin(pid_t pid, struct ht_faults *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* What was seen since the last one; say: takes a sample, false: never more.
 * done: filled but for its code and error. */
enum ht_code
ht_faults_window(struct ht_faults *g, const struct ht_probe_window *q,
		 bool (*say)(const struct ht_probe_sample *s, bool open),
		 struct ht_probe_done *done, struct ht_err *err) HT_MUST_CHECK;

#endif
