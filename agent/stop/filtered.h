/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filtered: of which threads it is known that their seccomp filters let certain
 * calls through: the filters were read, and asked (filter.h). Only the kernel
 * knows them: it gives them out to CAP_SYS_ADMIN, of a thread that is stopped,
 * to a process without a filter of its own. What it thinks of a thread is
 * found out once; one filter more, and it is not known any longer.
 */
#ifndef HT_AGENT_STOP_FILTERED_H
#define HT_AGENT_STOP_FILTERED_H

#include <dirent.h>
#include <sys/types.h>

#include "agent/stop/filter.h"

#define HT_FILTERED_MAX 8

struct ht_filtered {
	struct {
		pid_t tid;
		long filters; /* that it has */
	} v[HT_FILTERED_MAX]; /* threads whose filters allow all calls */
	size_t n;
	char why[200]; /* why another one is not among them; "": none is */
};

/* Reads the filters of threads that sleep where a stop does not make them enter
 * another call than they are in; each is stopped for some microseconds. Before
 * the sandbox. */
void ht_filtered_read(pid_t pid, const struct ht_filter_call *calls, size_t n,
		      struct ht_filtered *ret);
bool ht_filtered_allows(const struct ht_filtered *f, DIR *tasks, pid_t tid);

#endif
