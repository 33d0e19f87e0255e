/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flux THREADS KIND...: a heap of some 8 MB that stays, and for each KIND
 * THREADS threads that change a heap's shape without a pause. Prints
 * "ready LOW HIGH", the least and the most bytes that are in use at any time,
 * and ends with its input. KIND mcheck, the first, has mcheck(3) check the
 * blocks of the others, of one thread. What the threads write is checked by
 * themselves; who finds another one's bytes aborts.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEADY	     8000
#define FOREIGN	     100 /* pieces of brk; a light look cannot tell them */
#define FOREIGN_SIZE 40000

extern char **environ;

static _Atomic unsigned begun;
static size_t steady_bytes;

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

/* A block that knows who wrote it. */
static void sign(void *p, size_t size)
{
	if (!p)
		abort();
	memset(p, (int)(size & 0xff), size < 64 ? size : 64);
	((unsigned char *)p)[size - 1] = (unsigned char)size;
}

static void check(const void *p, size_t size)
{
	const unsigned char *b = p;

	if (b[size - 1] != (unsigned char)size ||
	    (size > 1 && b[0] != (unsigned char)size))
		abort();
}

/* Blocks that are made, changed and given back in any order. */
struct slots {
	size_t n, size[48];
	void *at[48];
};

static void change(struct slots *s, uint64_t *seed, size_t most)
{
	size_t i = next_random(seed) % 48;
	size_t size = 1 + next_random(seed) % most;

	if (s->at[i])
		check(s->at[i], s->size[i]);
	if (next_random(seed) % 4 == 0) {
		free(s->at[i]);
		s->at[i] = NULL;
		return;
	}
	s->at[i] = realloc(s->at[i], size);
	s->size[i] = size;
	sign(s->at[i], size);
}

static void drop(struct slots *s)
{
	for (size_t i = 0; i < 48; i++)
		free(s->at[i]);
	*s = (struct slots){0};
}

static void some(size_t most, uint64_t *seed, unsigned rounds)
{
	struct slots s = {0};

	for (unsigned i = 0; i < rounds; i++)
		change(&s, seed, most);
	drop(&s);
}

/* realloc() of all sizes, within tops, bins and caches. */
static void do_realloc(uint64_t *seed)
{
	some(3000, seed, 5000);
	some(60000, seed, 300);
}

/* Chunks with a mapping each, which mremap() moves, and back into the heap. */
static void do_mremap(uint64_t *seed)
{
	some(700000, seed, 200);
}

/* A thread of its own that fills its arena and its cache, and ends. */
static void *live(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg;

	some(2000, &seed, 600);
	some(100000, &seed, 60);
	return NULL;
}

static void do_arenas(uint64_t *seed)
{
	pthread_t t[4];
	unsigned n = 0;

	for (; n < 4; n++)
		if (pthread_create(&t[n], NULL, live,
				   (void *)(uintptr_t)(next_random(seed) | 1)))
			break;
	while (n > 0)
		pthread_join(t[--n], NULL);
}

/* The program moves brk itself: malloc's own pieces are no longer one. sbrk()
 * is not for two at once: one thread alone, and in the main arena. */
static void do_brk(uint64_t *seed)
{
	static _Atomic unsigned taken;

	if (atomic_fetch_add(&taken, 1) < FOREIGN)
		sbrk((intptr_t)(next_random(seed) % FOREIGN_SIZE));
	some(120000, seed, 100);
}

/* A top that is used up and given back. */
static void do_top(uint64_t *seed)
{
	void *p[24];

	for (int i = 0; i < 24; i++)
		p[i] = malloc(20000 + next_random(seed) % 100000);
	for (int i = 23; i >= 0; i--)
		free(p[i]);
}

static void do_trim(uint64_t *seed)
{
	some(2000, seed, 200);
	malloc_trim(next_random(seed) % 100000);
}

static void do_fork(uint64_t *seed)
{
	pid_t pid;

	some(2000, seed, 200);
	pid = fork();
	if (pid == 0) {
		some(2000, seed, 10);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void do_exec(uint64_t *seed)
{
	char *argv[] = {"true", NULL};
	pid_t pid;

	some(2000, seed, 200);
	if (posix_spawnp(&pid, "true", NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

/* What is a mapping of its own now was in the heap before, and again. */
static void do_threshold(uint64_t *seed)
{
	mallopt(M_MMAP_THRESHOLD, (int)(4096 << next_random(seed) % 8));
	some(200000, seed, 60);
}

static void do_memalign(uint64_t *seed)
{
	void *p[16];

	for (int i = 0; i < 16; i++) {
		size_t align = (size_t)16 << next_random(seed) % 10;

		if (posix_memalign(&p[i], align,
				   1 + next_random(seed) % 200000))
			abort();
	}
	for (int i = 0; i < 16; i += 2)
		free(p[i]);
	for (int i = 1; i < 16; i += 2)
		free(p[i]);
}

/* Mappings around the heap that come and go, and cut the table of them. */
static void do_maps(uint64_t *seed)
{
	size_t size = 4096 * (1 + next_random(seed) % 64);
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	p[size - 1] = 1;
	mprotect(p, size / 2 & ~(size_t)4095, PROT_NONE);
	some(300000, seed, 20);
	munmap(p, size);
}

static const struct {
	const char *name;
	void (*run)(uint64_t *seed);
	size_t most; /* bytes in use at once, a thread */
} kinds[] = {
	{"realloc", do_realloc, 48 * 60100},
	{"mremap", do_mremap, 49 * 704600},
	{"arenas", do_arenas, 4 * 48 * 100100 + 8192},
	{"brk", do_brk, 48 * 120100 + FOREIGN *FOREIGN_SIZE},
	{"top", do_top, 24 * 124200},
	{"trim", do_trim, 48 * 2100},
	{"fork", do_fork, 48 * 2100},
	{"exec", do_exec, 48 * 2100 + 65536},
	{"threshold", do_threshold, 48 * 204200},
	{"memalign", do_memalign, 16 * 212500},
	{"maps", do_maps, 48 * 304200},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static void *work(void *arg)
{
	uint64_t seed = 0x9e3779b97f4a7c15u * (atomic_fetch_add(&begun, 1) + 1);
	size_t kind = (size_t)(uintptr_t)arg;

	for (;;)
		kinds[kind].run(&seed);
	return NULL;
}

static void make_steady(void)
{
	static void *steady[STEADY];
	uint64_t seed = 1;

	for (int i = 0; i < STEADY; i++) {
		steady[i] = malloc(16 + next_random(&seed) % 2000);
		memset(steady[i], 1, 16);
	}
	for (int i = 0; i < STEADY; i += 7) {
		free(steady[i]);
		steady[i] = NULL;
	}
	for (int i = 0; i < STEADY; i++)
		if (steady[i])
			steady_bytes += malloc_usable_size(steady[i]) + 8;
}

static size_t begin(const char *name, unsigned threads)
{
	for (size_t k = 0; k < KINDS; k++) {
		if (strcmp(name, kinds[k].name) != 0)
			continue;
		for (unsigned i = 0; i < threads; i++) {
			pthread_t t;

			if (pthread_create(&t, NULL, work,
					   (void *)(uintptr_t)k))
				abort();
		}
		return threads * kinds[k].most;
	}
	abort();
}

static unsigned threads_for(const char *kind, unsigned wanted)
{
	if (strcmp(kind, "brk") != 0)
		return wanted;
	mallopt(M_ARENA_MAX, 1);
	return 1;
}

/* Before the first malloc(). Of the library that is preloaded: what libc itself
 * has of that name does nothing. */
static int begin_mcheck(void)
{
	int (*mcheck)(void (*)(int)) = (int (*)(void (*)(int)))dlvsym(
		RTLD_DEFAULT, "mcheck", "GLIBC_2.2.5");

	return mcheck && mcheck(NULL) == 0;
}

int main(int argc, char **argv)
{
	size_t most = 1 << 20; /* stdio, thread blocks, checks */
	unsigned threads;
	char line[8];

	/* Full speed, but not at the cost of who measures. */
	if (argc < 3 || nice(19) < 0)
		return 2;
	threads = (unsigned)atoi(argv[1]);
	if (strcmp(argv[2], "mcheck") == 0) {
		if (!begin_mcheck())
			return 3;
		argv++;
		argc--;
	}
	make_steady();
	for (int i = 2; i < argc; i++)
		most += begin(argv[i], threads_for(argv[i], threads));
	dprintf(STDOUT_FILENO, "ready %zu %zu\n", steady_bytes,
		steady_bytes + most);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
