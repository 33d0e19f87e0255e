/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper WHAT [N]: a process whose malloc keeps memory by one rule, then waits.
 * Prints "ready" when nothing moves any more. On SIGUSR1 it calls
 * malloc_trim(0) and prints "trimmed"; after SIGUSR2 munlockall() before that.
 *
 *   top      a thread arena whose whole content is its top, kept by a trim
 *            threshold that one freed mmapped block raised
 *   caches   N threads with full thread caches
 *   apart    N threads, each with a peak of its own time, survivors in between
 *   together the same, all peaks at one time
 *   ratchet  blocks of 512 KiB in the arena since the mmap threshold rose, most
 *            of them freed, small survivors in between
 *   locked   as small, under mlockall()
 *   part     as small, the upper half of the heap locked
 *   forked   as small, and a child that shares it
 *   merged   as ratchet, and the kernel may merge equal pages (KSM)
 *   cached_pin  24 MiB freed below one chunk that is freed, too, and waits in
 *            the thread's cache
 *   cached_large  the same, of a size that no fastbin takes
 *   held_pin the same below one that is in use
 *   fastbins a thread's blocks of 100 bytes, all freed: in fastbins, next to
 *            the top of its arena
 *   mmaps V  blocks of 512 KiB freed between survivors, with
 *            mallopt(M_MMAP_MAX, V)
 *   same     blocks of 480 bytes, 7 of 8 freed
 *   few_cached  N threads, two chunks in each list of their caches
 *   never V  the main top after 48 MiB in use, mallopt(M_TRIM_THRESHOLD, V)
 *   padded V the same with mallopt(M_TOP_PAD, V)
 *   mapped   blocks of 9000 bytes, in mappings where the threshold is so low
 *   holes    blocks of 200 bytes that stay between freed ones of 300
 *   small    blocks below 800 bytes freed between survivors, the mmap threshold
 *            raised before: no large block is in the arena
 *   dense    64 KiB freed below 12 MiB of small blocks that all stay
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67 /* Linux 6.4 */
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static pthread_barrier_t all_at_peak, done;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool one_by_one;

static void *filled(size_t bytes)
{
	void *p = malloc(bytes);

	if (!p)
		abort();
	memset(p, 1, bytes);
	__asm__ volatile("" ::"r"(p) : "memory"); /* it is asked for */
	return p;
}

/* Frees an mmapped block of that size: the mmap threshold becomes it, the trim
 * threshold twice it. */
static void raise_thresholds(size_t bytes)
{
	free(filled(bytes));
}

/* 16 MiB of blocks below 800 bytes; one of 500 stays. */
static void peak(void)
{
	enum { BLOCKS = 40000 };
	void **p = calloc(BLOCKS, sizeof(*p));

	for (size_t i = 0; p && i < BLOCKS; i++)
		p[i] = filled(40 + i * 7919 % 740);
	if (!one_by_one)
		pthread_barrier_wait(&all_at_peak);
	for (size_t i = 0; p && i < BLOCKS; i++)
		if (i % 500)
			free(p[i]);
	free(p);
}

static void *at_its_time(void *unused)
{
	if (one_by_one)
		pthread_mutex_lock(&turn);
	peak();
	if (one_by_one)
		pthread_mutex_unlock(&turn);
	pthread_barrier_wait(&done);
	pause();
	return unused;
}

static size_t a_list = 7; /* chunks cached of each size */

static void *full_cache(void *unused)
{
	void *p[7];

	for (size_t size = 24; size < 1000; size += 16) {
		for (size_t k = 0; k < a_list; k++)
			p[k] = filled(size);
		for (size_t k = 0; k < a_list; k++)
			free(p[k]);
	}
	pthread_barrier_wait(&done);
	pause();
	return unused;
}

static void *only_a_top(void *unused)
{
	enum { BLOCKS = 24000 };
	static void *p[BLOCKS];

	raise_thresholds(24 << 20);
	for (size_t i = 0; i < BLOCKS; i++)
		p[i] = filled(1500);
	for (size_t i = 0; i < BLOCKS; i++)
		free(p[i]);
	pthread_barrier_wait(&done);
	pause();
	return unused;
}

static void *only_fastbins(void *unused)
{
	enum { BLOCKS = 200000 };
	static void *p[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++)
		p[i] = filled(100);
	for (size_t i = 0; i < BLOCKS; i++)
		free(p[i]);
	pthread_barrier_wait(&done);
	pause();
	return unused;
}

/* Every eighth of them stays. */
static void large_between(size_t bytes, unsigned blocks)
{
	void **p = calloc(blocks, sizeof(*p));

	for (size_t i = 0; p && i < blocks; i++) {
		p[i] = filled(bytes);
		if (bytes > 100000)
			filled(2000);
	}
	for (size_t i = 0; p && i < blocks; i++)
		if (i % 8)
			free(p[i]);
}

static void threads(void *(*run)(void *), unsigned n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_barrier_init(&done, NULL, n + 1);
	pthread_barrier_init(&all_at_peak, NULL, n);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&thread, &attr, run, NULL))
			abort();
	pthread_barrier_wait(&done);
}

static void ratchet(void)
{
	raise_thresholds(8 << 20);
	large_between(512 << 10, 64);
}

static void small_blocks(void)
{
	one_by_one = true;
	raise_thresholds(8 << 20);
	for (unsigned i = 0; i < 4; i++)
		peak();
}

/* 24 MiB of free blocks below the last chunk. */
static void pin(bool cached, size_t size)
{
	enum { BLOCKS = 12000 };
	static void *p[BLOCKS];
	void *last;

	for (size_t i = 0; i < BLOCKS; i++)
		p[i] = filled(2000);
	last = filled(size);
	for (size_t i = 0; i < BLOCKS; i++)
		free(p[i]);
	if (cached)
		free(last);
}

/* 48 MiB of the main arena, all freed: what is left is its top. */
static void main_top(int parameter, int value)
{
	enum { BLOCKS = 500 };
	void *p[BLOCKS];

	mallopt(parameter, value);
	for (size_t i = 0; i < BLOCKS; i++)
		p[i] = filled(100000);
	for (size_t i = 0; i < BLOCKS; i++)
		free(p[i]);
}

static void mapped(void)
{
	for (unsigned i = 0; i < 4000; i++)
		filled(9000);
}

static void holes(void)
{
	enum { BLOCKS = 100000 };
	static void *p[BLOCKS];

	for (size_t i = 0; i < BLOCKS; i++) {
		filled(200);
		p[i] = filled(300);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		free(p[i]);
}

static void lock_upper_half(void)
{
	char *end = sbrk(0), *middle = end - (8 << 20);

	middle -= (uintptr_t)middle % 4096;
	if (mlock(middle, (size_t)(end - middle)))
		abort();
}

/* Obeys SIGUSR1 and SIGUSR2, without end. */
static void serve(void)
{
	static char said[64]; /* stdio's own buffer would be malloc's */
	sigset_t obeyed;
	int got;

	setvbuf(stdout, said, _IOFBF, sizeof(said));
	sigemptyset(&obeyed);
	sigaddset(&obeyed, SIGUSR1);
	sigaddset(&obeyed, SIGUSR2);
	sigprocmask(SIG_BLOCK, &obeyed, NULL);
	puts("ready");
	fflush(stdout);
	while (sigwait(&obeyed, &got) == 0) {
		if (got == SIGUSR2)
			munlockall();
		malloc_trim(0);
		puts("trimmed");
		fflush(stdout);
	}
}

static void dense(void)
{
	enum { BLOCKS = 60000 };
	void *below = filled(64 << 10);

	for (size_t i = 0; i < BLOCKS; i++)
		filled(200);
	free(below);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int value = argc > 2 ? atoi(argv[2]) : 1;
	unsigned n = (unsigned)value;

	if (strcmp(what, "merged") == 0 &&
	    prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		return 3;
	one_by_one = strcmp(what, "apart") == 0;
	a_list = strcmp(what, "few_cached") == 0 ? 2 : 7;
	if (strcmp(what, "top") == 0)
		threads(only_a_top, 1);
	else if (strcmp(what, "caches") == 0 || strcmp(what, "few_cached") == 0)
		threads(full_cache, n);
	else if (strcmp(what, "dense") == 0)
		dense();
	else if (strcmp(what, "never") == 0)
		main_top(M_TRIM_THRESHOLD, value);
	else if (strcmp(what, "padded") == 0)
		main_top(M_TOP_PAD, value);
	else if (strcmp(what, "fastbins") == 0)
		threads(only_fastbins, 1);
	else if (strcmp(what, "mmaps") == 0) {
		mallopt(M_MMAP_MAX, value);
		large_between(512 << 10, 64);
	} else if (strcmp(what, "same") == 0)
		large_between(480, 120000);
	else if (strcmp(what, "mapped") == 0)
		mapped();
	else if (strcmp(what, "holes") == 0)
		holes();
	else if (strcmp(what, "apart") == 0 || strcmp(what, "together") == 0)
		threads(at_its_time, n);
	else if (strcmp(what, "ratchet") == 0 || strcmp(what, "merged") == 0)
		ratchet();
	else if (strcmp(what, "cached_pin") == 0 ||
		 strcmp(what, "held_pin") == 0)
		pin(what[0] == 'c', 40);
	else if (strcmp(what, "cached_large") == 0)
		pin(true, 500);
	else if (strcmp(what, "small") == 0 || strcmp(what, "locked") == 0 ||
		 strcmp(what, "part") == 0 || strcmp(what, "forked") == 0)
		small_blocks();
	else
		return 2;
	if (strcmp(what, "locked") == 0 && mlockall(MCL_CURRENT))
		return 3;
	if (strcmp(what, "part") == 0)
		lock_upper_half();
	if (strcmp(what, "forked") == 0 && fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	serve();
}
