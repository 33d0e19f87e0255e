/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick of the walk: reads every resident writable private mapping of a
 * process with process_vm_readv in 64 KiB blocks and does nothing with it.
 *   readbench PID [ROUNDS]  ->  bytes seconds processor-seconds
 * (each the best of ROUNDS)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "agent/memory/maps.h"
#include "common/clock.h"

#define BLOCK ((size_t)64 << 10)

static char block[BLOCK];

static uint64_t read_mapping(pid_t pid, const struct ht_vma *v)
{
	uint64_t bytes = 0;

	for (uint64_t at = v->start; at < v->end; at += BLOCK) {
		size_t len =
			v->end - at < BLOCK ? (size_t)(v->end - at) : BLOCK;
		struct iovec local = {block, len}, there = {(void *)at, len};
		ssize_t got = process_vm_readv(pid, &local, 1, &there, 1, 0);

		if (got <= 0)
			break;
		bytes += (uint64_t)got;
	}
	return bytes;
}

/* The heaps: [heap], and anonymous mappings that are a malloc arena's size. */
static int is_heap(const struct ht_maps *m, const struct ht_vma *v)
{
	return strcmp(ht_vma_path(m, v), "[heap]") == 0 ||
	       (v->inode == 0 && v->flags == (HT_VMA_READ | HT_VMA_WRITE) &&
		v->start % (UINT64_C(64) << 20) == 0);
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	struct ht_maps maps;
	struct ht_err err;
	double best = 1e9, best_cpu = 1e9;
	uint64_t bytes = 0;

	if (ht_maps_read(pid, &maps, &err) != HT_OK) {
		fprintf(stderr, "readbench: %s\n", err.msg);
		return 1;
	}
	for (int i = 0; i < rounds; i++) {
		int64_t start = ht_mono_ns();
		int64_t cpu_start = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		double seconds, cpu;

		bytes = 0;
		for (size_t k = 0; k < maps.n; k++)
			if (is_heap(&maps, &maps.v[k]))
				bytes += read_mapping(pid, &maps.v[k]);
		seconds = (double)(ht_mono_ns() - start) / 1e9;
		best = seconds < best ? seconds : best;
		cpu = (double)(ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) -
			       cpu_start) /
		      1e9;
		best_cpu = cpu < best_cpu ? cpu : best_cpu;
	}
	printf("%" PRIu64 " %.6f %.6f\n", bytes, best, best_cpu);
	ht_maps_fini(&maps);
	return 0;
}
