/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probe: makes a heap with something in every place malloc has, then stands
 * still, and says on request what malloc itself knows of it: malloc_info(3),
 * mallinfo(3), and what must lie in each thread's cache because it was put
 * there. Built once, against the oldest libc, and run with every other.
 *
 * Usage: probe OUT      "ready" on stdout; a byte on stdin: the figures go to
 * OUT, "done" on stdout; end of stdin: exits.
 * PROBE_UNLINK=FILE: removes a file first (its own libc, as an upgrade does).
 * PROBE_NO_BRK=1: puts a mapping in brk's way: a main arena that is not
 * contiguous.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "figures.h"

#define THREADS 3
#define GUARD	40 /* keeps neighbours from being merged; never freed */

struct part {
	size_t size;
	unsigned made, freed;
};

/* In the order in which they are freed. The first three fit a tcache. */
static const struct part parts[] = {
	{24, 64, 40},	{200, 64, 30}, {600, 32, 20},
	{3000, 20, 10}, {20000, 8, 4},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

struct work {
	long tid;
	size_t tcache_chunks, tcache_bytes;
	int heaps; /* whether to outgrow one heap */
	void *kept[PARTS][64];
};

static struct work works[THREADS + 1];
static pthread_barrier_t rest;
static char file_buffer[1 << 20]; /* a FILE that allocates nothing */

static size_t tcache_limit(void)
{
	return minor_version() >= 43 ? 16 : 7;
}

static size_t chunk_size(void *p)
{
	return malloc_usable_size(p) + sizeof(size_t);
}

/* Compilers drop what nobody looks at. */
static void *get(size_t size)
{
	void *p = malloc(size);

	if (!p)
		abort();
	memset(p, 1, size < 64 ? size : 64);
	return p;
}

static void release(struct work *w, unsigned part)
{
	for (unsigned i = 0; i < parts[part].freed; i++) {
		void *p = w->kept[part]
				 [i * (parts[part].made / parts[part].freed)];

		if (parts[part].size <= 1000 && i < tcache_limit()) {
			w->tcache_chunks++;
			w->tcache_bytes += chunk_size(p);
		}
		free(p);
	}
}

/* Takes `times` chunks of each size a tcache has, and keeps them: with enough
 * of them, no tcache and no bin has one left. */
static void drain(int times)
{
	for (size_t size = 24; size <= 1032; size += 8)
		for (int i = 0; i < times; i++)
			get(size);
}

static void fill(struct work *w)
{
	w->tid = syscall(SYS_gettid);
	for (unsigned i = 0; i < PARTS; i++)
		for (unsigned k = 0; k < parts[i].made; k++) {
			w->kept[i][k] = get(parts[i].size);
			get(GUARD);
		}
	for (int i = 0; w->heaps && i < 700; i++)
		get(100000);
	/* What was left of a heap's top is freed when the next heap begins, and
	 * may lie in the tcache: twice, for the first may begin a heap too. */
	if (w->heaps) {
		drain(2);
		drain(2);
	}
	for (unsigned i = 0; i < PARTS; i++)
		release(w, i);
	get(5000); /* sorts the unsorted chunks into their bins, splits one */
	/* Made from the top or a bin, freed past a full tcache: fastbins up to
	 * 2.42; and unsorted chunks that stay unsorted. */
	for (int i = 0; i < 9; i++)
		free(w->kept[0][40 + 2 * i]);
	free(w->kept[3][1]);
	free(w->kept[3][5]);
	free(w->kept[4][3]);
}

static void *worker(void *arg)
{
	fill(arg);
	pthread_barrier_wait(&rest);
	for (;;)
		pause();
	return NULL;
}

static void make_mmapped(void)
{
	void *p = malloc(300000), *q = malloc(1 << 20), *r = NULL;

	if (!p || !q || posix_memalign(&r, 65536, 200000) != 0)
		abort();
	p = realloc(p, 700000);
	if (!p)
		abort();
	memset(p, 1, 700000);
	memset(q, 1, 5000);
	memset(r, 1, 100);
}

static void block_brk(void)
{
	char *end = (char *)(((unsigned long)sbrk(0) + 4095) & ~4095ul);

	if (mmap(end, 4096, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != end)
		abort();
}

static void tell(FILE *out)
{
	print_figures(out);
	/* Each small segment of a main arena without brk leaves a rest, and
	 * many of those fit the main thread's tcache. */
	for (int i = getenv("PROBE_NO_BRK") ? 1 : 0; i <= THREADS; i++)
		fprintf(out, "tcache %ld %zu %zu\n", works[i].tid,
			works[i].tcache_chunks, works[i].tcache_bytes);
	fputs("end\n", out);
	fflush(out);
}

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;
	pthread_t threads[THREADS];
	char c;

	if (!out || setvbuf(out, file_buffer, _IOFBF, sizeof(file_buffer)))
		return 2;
	if (getenv("PROBE_UNLINK"))
		unlink(getenv("PROBE_UNLINK"));
	if (getenv("PROBE_NO_BRK"))
		block_brk();
	/* 2.44 has no more arenas than CPUs: threads that share one would free
	 * the rests of each other's heaps into their caches, as their race
	 * goes. */
	mallopt(M_ARENA_MAX, THREADS + 1);
	pthread_barrier_init(&rest, NULL, THREADS + 1);
	drain(120); /* what start-up left */
	make_mmapped();
	for (int i = 0; i < THREADS; i++) {
		works[i + 1].heaps = i == 0;
		pthread_create(&threads[i], NULL, worker, &works[i + 1]);
	}
	fill(&works[0]);
	pthread_barrier_wait(&rest);
	say("ready\n");
	while (read(0, &c, 1) == 1) {
		tell(out);
		say("done\n");
	}
	return 0;
}
