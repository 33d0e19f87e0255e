/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perf: a breakpoint on the return of one function of one process, as an event
 * of perf: what kernels have that know no links of uprobes (Linux 5.15 to 6.5).
 * Where it stands is decided by memory, not by thread: one event sees all
 * threads of the process, and no other process.
 */
#ifndef HT_PROBE_PERF_H
#define HT_PROBE_PERF_H

#include <stdint.h>
#include <sys/types.h>

struct ht_perf_event {
	uint32_t type; /* by what number this kernel calls them; 0: has none */
	int program;
	const char *path;
	uint64_t offset, cookie;
	pid_t pid; /* 0: our own */
};
/* Opens it; the program runs from then on. ret: two descriptors; the breakpoint
 * goes when both are closed. -1 with errno. */
int ht_perf_open(const struct ht_perf_event *e, int ret[2]);

#endif
