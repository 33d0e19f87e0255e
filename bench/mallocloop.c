/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mallocloop WORK [OPERATIONS]: allocates and frees for ever, of each operation
 * so many words of other work ("pages": each is the first to write to a page of
 * the heap, and does nothing else), and answers each line of its standard input
 * with two numbers: operations so far, and its processor time in nanoseconds.
 * With OPERATIONS it does so many, says the same once, and ends.
 * mallocloop trap: what a breakpoint costs on this machine, with the signal
 * that the kernel makes of it, in microseconds: a hypervisor may multiply it.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define SLOTS 1024u
#define PAGE  4096u
#define PAGES 512u

static _Atomic uint64_t operations;
static uint64_t words[4096];

static void say(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	printf("%" PRIu64 " %" PRIu64 "\n", operations,
	       (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
	fflush(stdout);
}

static void *answer(void *arg)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin))
		say();
	exit(0);
	return arg;
}

/* Given back as malloc does it, by the kernel. */
static void touch(uint64_t most)
{
	char *p = malloc((PAGES + 1) * PAGE), *first;

	if (!p)
		exit(1);
	first = p + PAGE - (uintptr_t)p % PAGE;
	while (operations < most) {
		for (size_t i = 0; i < PAGES; i++)
			*(volatile char *)(first + i * PAGE) = 1;
		madvise(first, PAGES * PAGE, MADV_DONTNEED);
		atomic_fetch_add_explicit(&operations, PAGES,
					  memory_order_relaxed);
	}
	say();
	exit(0);
}

#define TRAPS 20000

static void pass(int signal)
{
	(void)signal;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The least of some, so that what else runs does not count. */
static int trap(void)
{
	uint64_t least = UINT64_MAX;

	signal(SIGTRAP, pass);
	for (int round = 0; round < 10; round++) {
		uint64_t since = now_ns();

		for (int i = 0; i < TRAPS / 10; i++)
			__asm__ volatile("int3");
		since = now_ns() - since;
		if (since < least)
			least = since;
	}
	printf("%.2f\n", (double)least / (TRAPS / 10) / 1000);
	return 0;
}

int main(int argc, char **argv)
{
	bool pages = argc > 1 && strcmp(argv[1], "pages") == 0;
	size_t work = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	uint64_t most = argc > 2 ? strtoull(argv[2], NULL, 0) : UINT64_MAX;
	static void *slot[SLOTS];
	uint32_t chance = 1;
	pthread_t thread;

	if (argc > 1 && strcmp(argv[1], "trap") == 0)
		return trap();
	if (argc < 3 && pthread_create(&thread, NULL, answer, NULL) != 0)
		return 1;
	if (pages)
		touch(most);
	while (operations < most) {
		void **s;

		chance = chance * 1664525u + 1013904223u;
		s = &slot[chance >> 16 & (SLOTS - 1)];
		free(*s);
		*s = malloc(16 + (chance >> 8 & 1023));
		if (!*s)
			return 1;
		memset(*s, 1, 16);
		for (size_t i = 0; i < work; i++)
			words[i & 4095] += words[(i * 7) & 4095] + 1;
		atomic_fetch_add_explicit(&operations, 1, memory_order_relaxed);
	}
	say();
	return 0;
}
