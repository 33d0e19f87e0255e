/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trimgap MIB: a heap of so many MiB of blocks, 63 of 64 freed, and a thread
 * that allocates from the same arena all the time and notes its longest gap.
 * Obeys lines on its standard input, waiting for them in read(2):
 *
 *   own     calls malloc_trim(0); prints its microseconds
 *   cpu     prints the thread's processor time since the last time,
 * microseconds gap     prints the longest gap since the last time, microseconds
 *   refill  builds the heap anew; prints "ready"
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 2000u

static _Atomic uint64_t longest_ns;
static char **block;
static size_t blocks;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Too large for the thread's cache: each takes the arena's lock. */
static void *allocate(void *arg)
{
	uint64_t before = now_ns();

	for (;;) {
		const struct timespec rest = {.tv_nsec = 50000};
		uint64_t now;

		for (int i = 0; i < 20; i++) {
			void *volatile p = malloc(BLOCK + 64);

			free(p);
		}
		now = now_ns();
		if (now - before > longest_ns)
			longest_ns = now - before;
		nanosleep(&rest, NULL);
		before = now_ns();
	}
	return arg;
}

static void fill(void)
{
	for (size_t i = 0; i < blocks; i++) {
		if (!block[i])
			block[i] = malloc(BLOCK);
		if (!block[i])
			abort();
		memset(block[i], 1, BLOCK);
	}
	for (size_t i = 0; i < blocks; i++) {
		if (i % 64 == 0)
			continue;
		free(block[i]);
		block[i] = NULL;
	}
}

static void obey(const char *line)
{
	uint64_t from = now_ns();

	if (strncmp(line, "own", 3) == 0) {
		malloc_trim(0);
		dprintf(STDOUT_FILENO, "%llu\n",
			(unsigned long long)(now_ns() - from) / 1000);
	} else if (strncmp(line, "cpu", 3) == 0) {
		static uint64_t last_ns;
		uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		dprintf(STDOUT_FILENO, "%llu\n",
			(unsigned long long)(cpu_ns - last_ns) / 1000);
		last_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	} else if (strncmp(line, "gap", 3) == 0) {
		dprintf(STDOUT_FILENO, "%llu\n",
			(unsigned long long)longest_ns / 1000);
		longest_ns = 0;
	} else {
		fill();
		dprintf(STDOUT_FILENO, "ready\n");
	}
}

int main(int argc, char **argv)
{
	char line[64];
	pthread_t t;
	ssize_t n;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	blocks =
		(argc > 1 ? strtoul(argv[1], NULL, 10) : 100) * 1048576 / BLOCK;
	block = calloc(blocks, sizeof(*block));
	if (!block || pthread_create(&t, NULL, allocate, NULL) != 0)
		return 1;
	obey("refill");
	while ((n = read(STDIN_FILENO, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		obey(line);
	}
	return 0;
}
