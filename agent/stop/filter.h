/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter: what a seccomp filter will say of system calls that nobody made yet.
 * Pure: a program and a call.
 */
#ifndef HT_AGENT_STOP_FILTER_H
#define HT_AGENT_STOP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_FILTER_MAX 4096 /* instructions; the kernel takes no more */

struct ht_filter_call {
	const char *name;
	long nr;
	unsigned
		known; /* bit i: arg[i] is what it will be; others may be any */
	uint64_t arg[6];
};

/* Whether the filter lets the call through without a trace, whatever those of
 * its arguments that are not known, and from wherever it is made. False also
 * where that takes too long to find out. */
bool ht_filter_allows(const struct sock_filter *program, size_t n,
		      const struct ht_filter_call *call);

#endif
