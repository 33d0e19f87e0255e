/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick of the walk: reads every resident page of a process's heaps
 * with process_vm_readv, 256 KiB a call as the walk does, by as many threads,
 * and does nothing with it. Pages that were never touched stay so. readbench
 * PID [ROUNDS [THREADS]]  ->  bytes seconds processor-seconds (each the best of
 * ROUNDS; two threads)
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "agent/memory/maps.h"
#include "agent/memory/pages.h"
#include "common/clock.h"

#define BLOCK	((size_t)256 << 10)
#define PIECES	64
#define THREADS 8

/* Resident pages that lie side by side. */
struct run {
	uint64_t start, end;
};

static struct run *runs;
static size_t runs_n;
static uint64_t bytes_all;
static pid_t pid;

/* What one thread reads: its share of the bytes. */
struct part {
	uint64_t from, to; /* counted through all runs */
	uint64_t bytes;	   /* read */
};

static uint64_t read_pieces(char *block, const struct iovec *there, size_t n,
			    size_t len)
{
	struct iovec here = {block, len};
	ssize_t got = n ? process_vm_readv(pid, &here, 1, there, n, 0) : 0;

	return got > 0 ? (uint64_t)got : 0;
}

static void *read_part(void *ctx)
{
	struct part *p = ctx;
	char *block = aligned_alloc(4096, BLOCK);
	struct iovec there[PIECES];
	uint64_t at = 0;
	size_t n = 0, len = 0;

	p->bytes = 0;
	for (size_t i = 0; block && i < runs_n; i++) {
		uint64_t size = runs[i].end - runs[i].start, from, to;

		from = p->from > at ? p->from - at : 0;
		to = p->to - at < size ? p->to - at : size;
		at += size;
		if (at - size >= p->to)
			break;
		while (from < to) {
			size_t some = to - from < BLOCK - len
					      ? (size_t)(to - from)
					      : BLOCK - len;

			there[n++] = (struct iovec){
				(void *)(runs[i].start + from), some};
			len += some;
			from += some;
			if (len < BLOCK && n < PIECES)
				continue;
			p->bytes += read_pieces(block, there, n, len);
			n = len = 0;
		}
	}
	p->bytes += read_pieces(block, there, n, len);
	free(block);
	return NULL;
}

/* The heaps: [heap], and anonymous mappings that are a malloc arena's size. */
static int is_heap(const struct ht_maps *m, const struct ht_vma *v)
{
	return strcmp(ht_vma_path(m, v), "[heap]") == 0 ||
	       (v->inode == 0 && v->flags == (HT_VMA_READ | HT_VMA_WRITE) &&
		v->start % (UINT64_C(64) << 20) == 0);
}

static int add_page(uint64_t at)
{
	if (runs_n && runs[runs_n - 1].end == at) {
		runs[runs_n - 1].end += 4096;
	} else {
		if ((runs_n & (runs_n - 1)) == 0) {
			struct run *more = reallocarray(runs, runs_n * 2 + 1,
							sizeof(*runs));

			if (!more)
				return -1;
			runs = more;
		}
		runs[runs_n++] = (struct run){at, at + 4096};
	}
	bytes_all += 4096;
	return 0;
}

static int add_resident(struct ht_pages_source *source, const struct ht_vma *v)
{
	struct ht_pages pages;
	int failed = 0;

	if (ht_pages_get(source, v->start, v->end, &pages, NULL) != HT_OK)
		return -1;
	for (uint64_t at = v->start; !failed && at < v->end; at += 4096)
		if (ht_pages_state(&pages, at) == HT_PAGE_PRESENT)
			failed = add_page(at);
	ht_pages_fini(&pages);
	return failed;
}

static int find_runs(struct ht_err *err)
{
	struct ht_pages_source source;
	struct ht_maps maps;
	int failed = 0;

	if (ht_maps_read(pid, &maps, err) != HT_OK)
		return -1;
	if (ht_pages_source_open(pid, &source, err) != HT_OK) {
		ht_maps_fini(&maps);
		return -1;
	}
	for (size_t k = 0; !failed && k < maps.n; k++)
		if (is_heap(&maps, &maps.v[k]))
			failed = add_resident(&source, &maps.v[k]);
	ht_pages_source_close(&source);
	ht_maps_fini(&maps);
	return failed;
}

/* All of it once; returns the bytes. */
static uint64_t read_all(unsigned threads)
{
	struct part part[THREADS] = {0};
	pthread_t thread[THREADS];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < threads; i++) {
		part[i].from = bytes_all / threads * i;
		part[i].to = i + 1 < threads ? bytes_all / threads * (i + 1)
					     : bytes_all;
		if (pthread_create(&thread[i], NULL, read_part, &part[i]))
			exit(1);
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		bytes += part[i].bytes;
	}
	return bytes;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 3;
	unsigned threads = argc > 3 ? (unsigned)atoi(argv[3]) : 2;
	double best = 1e9, best_cpu = 1e9;
	struct ht_err err = {0};
	uint64_t bytes = 0;

	pid = argc > 1 ? atoi(argv[1]) : 0;
	if (threads < 1 || threads > THREADS || find_runs(&err)) {
		fprintf(stderr, "readbench: %s\n", err.msg);
		return 1;
	}
	for (int i = 0; i < rounds; i++) {
		int64_t start = ht_mono_ns();
		int64_t cpu_start = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		double seconds, cpu;

		bytes = read_all(threads);
		seconds = (double)(ht_mono_ns() - start) / 1e9;
		best = seconds < best ? seconds : best;
		cpu = (double)(ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) -
			       cpu_start) /
		      1e9;
		best_cpu = cpu < best_cpu ? cpu : best_cpu;
	}
	if (bytes != bytes_all)
		fprintf(stderr, "readbench: %" PRIu64 " of %" PRIu64 " bytes\n",
			bytes, bytes_all);
	printf("%" PRIu64 " %.6f %.6f\n", bytes, best, best_cpu);
	free(runs);
	return 0;
}
