/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole exact walk of a stopped process, everything included:
 *   walk_bench PID [ROUNDS] -> system bytes, chunks, best seconds, peak KiB,
 *   least processor seconds
 * The peak is this process's own and includes reading libc's debug file.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/lib/look.h"

static int look_once(pid_t pid, double *best, double *best_cpu,
		     struct ht_totals *ret)
{
	struct ht_look how = {0};
	struct ht_snapshot s;
	struct ht_err err;
	enum ht_code code = ht_look(pid, &how, &s, &err);

	if (code == HT_OK)
		code = ht_snapshot_check(&s, &err);
	if (code != HT_OK) {
		fprintf(stderr, "walk_bench: %s\n", err.msg);
		return -1;
	}
	*ret = s.totals;
	if ((double)how.walk_ns / 1e9 < *best)
		*best = (double)how.walk_ns / 1e9;
	if ((double)how.cpu_ns / 1e9 < *best_cpu)
		*best_cpu = (double)how.cpu_ns / 1e9;
	ht_snapshot_fini(&s);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	struct ht_totals t = {0};
	struct rusage usage;
	double best = 1e9, best_cpu = 1e9;

	for (int i = 0; i < rounds; i++)
		if (look_once(pid, &best, &best_cpu, &t) < 0)
			return 1;
	getrusage(RUSAGE_SELF, &usage);
	printf("%" PRIu64 " %" PRIu64 " %.6f %ld %.6f\n", t.system,
	       t.in_use_chunks + t.tcache_chunks + t.fastbin_chunks +
		       t.binned_chunks,
	       best, usage.ru_maxrss, best_cpu);
	return 0;
}
