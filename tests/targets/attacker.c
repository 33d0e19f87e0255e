/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attacker KIND [DIRECTORY]: a process with a usual heap of some 4 MB, whose
 * other doings are to hold, fill or mislead who looks at it:
 *   churn      mappings of thousands of files, whose names have line ends and
 *              escapes, come and go all the time (in DIRECTORY)
 *   ring       a thread bends the ring of arenas and back, without a pause
 *   heaps      an arena of ten thousand heaps that are none
 *   ring-long  ... of as many arenas
 *   sparse     40 TB that nobody may touch, 16 TB that is not there, and a
 *              chunk of its own that is looked for in them
 *   fifo       its program was replaced by a FIFO
 *   storm      its memory is given back, protected and taken again
 *   threads    300 threads, command line and names of escapes
 *   deep       a list of a million chunks
 *   circle     ... in a circle
 *   lists      bins that lead through all chunks and come back
 *   undumpable may not be looked at but by root
 * Prints "ready", ends with its input.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enemy.h"

#define HEAP_MAX ((uintptr_t)64 << 20)
#define TB	 ((size_t)1 << 40)
#define FILES	 3000
#define HEAPS	 10000
#define NODES	 1000000
#define ESCAPES	 "\n\033[31m\033]0;t\a\r\x7f<0>boom\\012 (deleted)"

static char *of_thread; /* a block in the second thread's arena */

static uintptr_t *words(void *p)
{
	return known_to_nobody(p);
}

static uintptr_t *heap_of(char *p)
{
	return words(p - (uintptr_t)p % HEAP_MAX);
}

static uintptr_t *next_arena(void)
{
	uintptr_t *arena = words((void *)heap_of(of_thread)[0]);

	/* behind bins and binmap the first word that leads into libc */
	for (int i = 260; i < 290; i++)
		if (arena[i] >> 40 == (uintptr_t)(void *)&fopen >> 40 &&
		    arena[i] - (uintptr_t)arena > HEAP_MAX)
			return &arena[i];
	abort();
}

static void *map(size_t size, int may)
{
	void *p = mmap(NULL, size, may,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

/* --- without a pause ----------------------------------------------------- */

static void *churn(void *unused)
{
	char path[4096];

	for (unsigned i = 0;; i = (i + 1) % FILES) {
		int fd;
		char *p;

		snprintf(path, sizeof(path), "%s/%u%s", directory, i, ESCAPES);
		fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
		if (fd < 0 || ftruncate(fd, 8192) < 0)
			abort();
		p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
			 0);
		close(fd);
		if (p == MAP_FAILED)
			abort();
		p[0] = 1;
		if (i % 4)
			munmap(p, 8192);
		unlink(path);
		if (i % 1024 == 1023)
			usleep(1000);
	}
	return unused;
}

static void *bend(void *unused)
{
	uintptr_t *next = next_arena(), was = *next;
	const uintptr_t wild[] = {0, 0x4141414141414140, (uintptr_t)next & ~7,
				  (uintptr_t)heap_of(of_thread)};

	for (unsigned i = 0;; i++) {
		__atomic_store_n(next, wild[i % 4], __ATOMIC_RELAXED);
		__atomic_store_n(next, was, __ATOMIC_RELAXED);
	}
	return unused;
}

static void *storm(void *unused)
{
	const size_t size = 64 << 20;
	char *p = map(size, PROT_READ | PROT_WRITE);

	for (unsigned i = 0;; i++) {
		memset(p, 1, size / 16);
		mprotect(p + size / 4, size / 4, i % 2 ? PROT_NONE : PROT_READ);
		madvise(p, size, MADV_DONTNEED);
		p = mremap(p, size, size, 0);
	}
	return unused;
}

static void run(void *(*what)(void *))
{
	pthread_t t;

	if (pthread_create(&t, NULL, what, NULL) != 0)
		abort();
}

/* --- once ---------------------------------------------------------------- */

static void take_heaps(void)
{
	char *all = map((HEAPS + 1) * HEAP_MAX, PROT_NONE);
	uintptr_t *newest = heap_of(of_thread), before = 0;

	all += HEAP_MAX - (uintptr_t)all % HEAP_MAX;
	for (int i = 0; i < HEAPS; i++) {
		uintptr_t *heap = words(all + (size_t)i * HEAP_MAX);

		mprotect(heap, 4096, PROT_READ | PROT_WRITE);
		heap[0] = newest[0];
		heap[1] = before;
		heap[2] = heap[3] = 4096;
		before = (uintptr_t)heap;
	}
	newest[1] = before;
	known_to_nobody(NULL);
}

/* Copies of a real one, each leads to the next, and the last home. */
static void take_arenas(void)
{
	uintptr_t *arena = words((void *)heap_of(of_thread)[0]);
	uintptr_t *next = next_arena(), home = *next;
	size_t at = (size_t)(next - arena);
	char *all = map(HEAPS * (size_t)4096, PROT_READ | PROT_WRITE);

	for (int i = 0; i < HEAPS; i++) {
		uintptr_t *copy = words(all + (size_t)i * 4096 + 48);

		memcpy(copy, arena, 2200);
		copy[at] = i + 1 < HEAPS ? (uintptr_t)(copy + 512) : home;
	}
	*next = (uintptr_t)(all + 48);
	known_to_nobody(NULL);
}

static void take_sparse(void)
{
	uintptr_t *mapped = malloc(1 << 20);

	map(40 * TB, PROT_NONE);
	map(16 * TB, PROT_READ | PROT_WRITE);
	words(mapped)[-1] = 0x4141414141414140; /* its size */
	known_to_nobody(NULL);
}

static void take_fifo(void)
{
	char path[4096] = "";

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0 ||
	    unlink(path) < 0 || mkfifo(path, 0755) < 0)
		abort();
}

static void *rest(void *unused)
{
	prctl(PR_SET_NAME, "a\n\033[2J\a<0>");
	free(malloc(100));
	for (;;)
		pause();
	return unused;
}

static void take_threads(char **argv)
{
	memset(argv[0], '\033', strlen(argv[0]));
	argv[0][0] = '\n';
	prctl(PR_SET_NAME, "x\n<0>\033[31m\ay");
	for (int i = 0; i < 300; i++)
		run(rest);
}

static void take_deep(void)
{
	void **last = NULL, **first = NULL;

	for (int i = 0; i < NODES; i++) {
		void **node = malloc(40);

		*node = last;
		first = i ? first : node;
		last = node;
	}
	if (is("circle"))
		*first = last;
	*(void ***)malloc(5000) = known_to_nobody(last);
}

/* Every chunk in use says that it is free, and leads to the one before. */
static void take_lists(void)
{
	uintptr_t before = 0;

	for (int i = 0; i < 200000; i++) {
		uintptr_t *p = words(malloc(1500));

		p[0] = before ? before : (uintptr_t)(p - 2);
		p[1] = (uintptr_t)(p - 2);
		before = (uintptr_t)(p - 2);
		p[-1] &= ~(uintptr_t)1;
	}
}

static void take(char **argv)
{
	if (is("churn"))
		run(churn);
	else if (is("ring"))
		run(bend);
	else if (is("storm"))
		for (int i = 0; i < 2; i++)
			run(storm);
	else if (is("heaps"))
		take_heaps();
	else if (is("ring-long"))
		take_arenas();
	else if (is("sparse"))
		take_sparse();
	else if (is("fifo"))
		take_fifo();
	else if (is("threads"))
		take_threads(argv);
	else if (is("deep") || is("circle"))
		take_deep();
	else if (is("lists"))
		take_lists();
	else if (is("undumpable"))
		prctl(PR_SET_DUMPABLE, 0);
}

static void *second(void *started)
{
	for (int i = 0; i < 100; i++)
		of_thread = memset(malloc(20000), 1, 20000);
	pthread_barrier_wait(started);
	return rest(NULL);
}

int main(int argc, char **argv)
{
	int status = enemy_begin(argc, argv, 10000, second, take);

	return status ? status : enemy_stay();
}
