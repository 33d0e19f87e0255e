/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extremes OUT KIND N: heaps of unusual size and shape, at rest.
 *   threads N   N threads, each with chunks in its cache
 *   arenas N    N thread arenas, each with a bin of every kind
 *   heaps N     one arena of N heaps or more
 *   returned N  N MiB, most of them freed and given back by malloc_trim
 *   swapped N   the same, then paged out as far as there is swap
 *   guards N    N threads with guard pages inside their stacks
 * Speaks as the matrix's probe does: "ready" on stdout; a byte on stdin: what
 * malloc itself says goes to OUT, "done" on stdout; end of stdin: exits.
 * CFLAGS: -Wno-deprecated-declarations
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../matrix/figures.h"

#define THREADS_MAX 2048
#define CACHED	    5 /* below every release's tcache_count */
#define CACHED_SIZE 600
#define GUARD	    40 /* keeps neighbours from being merged; never freed */
#define STACK	    (256 << 10)
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

struct work {
	long tid;
	size_t chunks, bytes; /* put into this thread's cache, and left there */
	void *kept[64];
};

static struct work works[THREADS_MAX];
static unsigned works_n;
static pthread_barrier_t rest;
static char file_buffer[4 << 20]; /* a FILE that allocates nothing */

static void *get(size_t size)
{
	void *p = malloc(size);

	if (!p)
		abort();
	memset(p, 1, size < 64 ? size : 64);
	return p;
}

/* The last chunks freed of a size that nothing else here uses. */
static void fill_cache(struct work *w)
{
	void *p[CACHED];

	w->tid = syscall(SYS_gettid);
	for (int i = 0; i < CACHED; i++)
		p[i] = get(CACHED_SIZE);
	for (int i = 0; i < CACHED; i++) {
		w->chunks++;
		w->bytes += malloc_usable_size(p[i]) + sizeof(size_t);
		free(p[i]);
	}
}

/* Small, large and unsorted chunks, each between two in use. */
static void fill_bins(struct work *w)
{
	for (unsigned i = 0; i < 64; i++) {
		w->kept[i] = get(1100 + 200 * (i % 16));
		get(GUARD);
	}
	for (unsigned i = 0; i < 64; i += 3)
		free(w->kept[i]);
	get(6000); /* sorts them */
	free(w->kept[1]);
}

static void *cached_only(void *work)
{
	fill_cache(work);
	pthread_barrier_wait(&rest);
	for (;;)
		pause();
}

static void *every_bin(void *work)
{
	fill_bins(work);
	return cached_only(work);
}

/* Two chunks to a heap, hardly touched: address space, not memory. */
static void *many_heaps(void *heaps)
{
	size_t half = sizeof(long) == 8 ? 32u << 20 : 512u << 10;

	for (uintptr_t i = 0; i < 2 * (uintptr_t)heaps; i++)
		get(half - 0x4000 - i % 7 * 64);
	return cached_only(&works[0]);
}

static void start(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	if (pthread_create(&thread, &attr, run, arg) != 0)
		abort();
	pthread_attr_destroy(&attr);
}

static void start_all(unsigned n, void *(*run)(void *))
{
	works_n = n;
	pthread_barrier_init(&rest, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		start(run, &works[i]);
	pthread_barrier_wait(&rest);
}

/* Few threads to an arena: when a heap of 1 MiB (i386) is full, what is left of
 * its top goes into the cache of the thread that happened to ask. */
#define THREADS_AN_ARENA 16

static void make_threads(unsigned n)
{
	mallopt(M_ARENA_MAX, (int)(n / THREADS_AN_ARENA) + 1);
	start_all(n, cached_only);
}

static void make_arenas(unsigned n)
{
	mallopt(M_ARENA_MAX, (int)n + 1);
	start_all(n, every_bin);
}

/* What was left of each full heap's top is freed, and much of that lies in the
 * thread's cache: its content is nobody's to predict, so works_n stays 0. */
static void make_heaps(unsigned n)
{
	mallopt(M_MMAP_THRESHOLD, sizeof(long) == 8 ? 32 << 20 : 512 << 10);
	pthread_barrier_init(&rest, NULL, 2);
	start(many_heaps, (void *)(uintptr_t)n);
	pthread_barrier_wait(&rest);
}

static void make_returned(unsigned mib)
{
	size_t n = (size_t)mib << 8; /* blocks of 4 KiB */
	void **block = mmap(NULL, n * sizeof(*block), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		abort();
	for (size_t i = 0; i < n; i++)
		memset(block[i] = get(4096 - sizeof(long)), 7, 4000);
	for (size_t i = 0; i < n; i++)
		if (i % 32)
			free(block[i]);
	malloc_trim(0);
	for (size_t i = 1; i < 32; i++) /* some of it is used again */
		memset(get(30000), 3, 30000);
}

static void make_swapped(unsigned mib)
{
	char *end, *base = sbrk(0);

	make_returned(mib);
	end = sbrk(0);
	base = (char *)(((uintptr_t)base + 4095) & ~(uintptr_t)4095);
	if (madvise(base, (size_t)(end - base), MADV_PAGEOUT) != 0)
		abort();
}

/* A page of its own stack that must not be touched: what 2.42's stacks have at
 * their end, in the middle. */
static void *guarded(void *work)
{
	char deep[4 * 4096];
	char *page = (char *)(((uintptr_t)deep + 4095) & ~(uintptr_t)4095);

	memset(deep, 1, sizeof(deep));
	if (madvise(page, 4096, MADV_GUARD_INSTALL) != 0)
		_exit(3);
	return every_bin(work);
}

static void make_guards(unsigned n)
{
	mallopt(M_ARENA_MAX, (int)n + 1);
	start_all(n, guarded);
}

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

static void tell(FILE *out)
{
	print_figures(out);
	for (unsigned i = 0; i < works_n; i++)
		fprintf(out, "tcache %ld %zu %zu\n", works[i].tid,
			works[i].chunks, works[i].bytes);
	fputs("end\n", out);
	fflush(out);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(unsigned n);
	} kinds[] = {{"threads", make_threads}, {"arenas", make_arenas},
		     {"heaps", make_heaps},	{"returned", make_returned},
		     {"swapped", make_swapped}, {"guards", make_guards}};
	FILE *out = argc == 4 ? fopen(argv[1], "w") : NULL;
	unsigned n = out ? (unsigned)atoi(argv[3]) : 0;
	char c;

	if (!out || n == 0 || n > THREADS_MAX ||
	    setvbuf(out, file_buffer, _IOFBF, sizeof(file_buffer)))
		return 2;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[2], kinds[i].name) == 0)
			kinds[i].make(n);
	say("ready\n");
	while (read(0, &c, 1) == 1) {
		tell(out);
		say("done\n");
	}
	return 0;
}
