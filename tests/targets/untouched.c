/* SPDX-License-Identifier: Apache-2.0 */
/*
 * untouched [swapped]: heaps of which most pages were never touched: what
 * malloc gave out in brk, in a thread's arena and in mappings, holes and tops,
 * a gap that somebody else's sbrk left, and reserves of its own. Thread caches
 * are full. With "swapped" a part that was touched is paged out, too. Prints
 * "ready", then all its threads sleep.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE 60000
#define PAGES 512

static pthread_barrier_t ready;

/* Keeps every pointer from being optimised away. */
static void *volatile kept;

static void *take(size_t size)
{
	void *p = malloc(size);

	if (!p)
		_exit(1);
	kept = p;
	return p;
}

static void fill_caches(void)
{
	static __thread void *p[64][8];

	for (size_t bin = 0; bin < 64; bin++)
		for (size_t i = 0; i < 7; i++)
			p[bin][i] = take(16 * bin + 24);
	for (size_t bin = 0; bin < 64; bin++)
		for (size_t i = 0; i < 7; i++)
			free(p[bin][i]);
}

/* Chunks with untouched insides; every third is given back: a hole. */
static void make_heap(size_t chunks)
{
	void *p[1000];

	fill_caches();
	for (size_t i = 0; i < chunks; i++)
		p[i] = take(LARGE);
	for (size_t i = 0; i < chunks; i += 3)
		free(p[i]);
}

static void *in_thread(void *unused)
{
	(void)unused;
	make_heap(100);
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
}

/* Pages in memory, some of which then go to the swap. */
static void make_swapped(void)
{
	size_t size = PAGES * 4096;
	char *own = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p[40];

	for (size_t i = 0; i < 40; i++) {
		p[i] = take(LARGE);
		memset(p[i], 'x', LARGE);
	}
	memset(own, 'x', size);
	for (size_t i = 0; i < 40; i += 2)
		madvise((char *)(((size_t)p[i] + 4095) & ~(size_t)4095),
			LARGE & ~(size_t)4095, MADV_PAGEOUT);
	madvise(own, size / 2, MADV_PAGEOUT);
}

int main(int argc, char **argv)
{
	pthread_t t[2];

	mallopt(M_TOP_PAD, 1 << 20);
	pthread_barrier_init(&ready, NULL, 3);
	make_heap(100);
	kept = sbrk(5000);
	make_heap(200);
	for (size_t i = 0; i < 10; i++)
		take((size_t)1 << 20);
	kept = memalign(1 << 16, 1 << 20);
	kept = mmap(NULL, (size_t)64 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (argc > 1 && strcmp(argv[1], "swapped") == 0)
		make_swapped();
	for (size_t i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, in_thread, NULL) != 0)
			return 1;
	pthread_barrier_wait(&ready);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
