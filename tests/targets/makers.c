/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CFLAGS: -fomit-frame-pointer
 *
 * Makers: programs that allocate in known places. makers KIND [THREADS]: prints
 * "ready" and goes on for ever. What stays for good is asked for by culprit()
 * and by nobody else; the kinds steady and queue have none.
 *
 *   leak     one chunk in 101 of busy churn
 *   rare     one in 1001
 *   wrapper  through xmalloc(), which all others use, too
 *   growing  buffers that grow by realloc
 *   cleared  chunks that nobody writes to, by calloc
 *   aligned  by posix_memalign and aligned_alloc
 *   slow     ten a second, and hardly anything else
 *   steady   a cache: as much is freed as is put in, at random
 *   queue    what came first goes first
 *   forking  as leak, and a child a second allocates and ends
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_INLINED __attribute__((noinline, noclone))
#define KEEP	    __asm__ volatile("" : : : "memory")
#define SLOTS	    4096
#define BATCH	    100
#define BUFFERS	    64

struct node {
	struct node *next;
	uint64_t id;
	char text[184];
};

static struct node *registry;
static __thread void *slot[SLOTS];
static __thread uint64_t state = 88172645463325252u;

static uint64_t dice(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static NOT_INLINED void *xmalloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		abort();
	KEEP;
	return p;
}

static void keep(struct node *n, uint64_t id)
{
	n->id = id;
	n->next = __atomic_load_n(&registry, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&registry, &n->next, n, 0,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static NOT_INLINED void culprit(const char *kind, uint64_t id)
{
	static char *buffer[BUFFERS];
	static size_t size[BUFFERS];
	void *p = NULL;

	if (strcmp(kind, "wrapper") == 0) {
		keep(xmalloc(sizeof(struct node)), id);
	} else if (strcmp(kind, "growing") == 0) {
		size_t i = id % BUFFERS;

		size[i] += 512;
		buffer[i] = realloc(buffer[i], size[i]);
		memset(buffer[i] + size[i] - 512, 'x', 512);
	} else if (strcmp(kind, "cleared") == 0) {
		p = calloc(1, sizeof(struct node));
	} else if (strcmp(kind, "aligned") == 0) {
		if (id % 2 && posix_memalign(&p, 64, 1024) == 0)
			memset(p, (int)id, 1024);
		else if ((p = aligned_alloc(64, 1024)))
			memset(p, (int)id, 1024);
	} else {
		keep(malloc(sizeof(struct node)), id);
	}
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* As much is taken as is given back: at random, or the oldest first. */
static NOT_INLINED void churn(const char *kind, uint64_t id)
{
	size_t i = strcmp(kind, "queue") == 0 ? id % SLOTS : dice() % SLOTS;
	uint64_t *p;

	free(slot[i]);
	p = strcmp(kind, "wrapper") == 0 ? xmalloc(64 + dice() % 256)
					 : malloc(64 + dice() % 256);
	p[0] = id;
	p[1] = dice();
	slot[i] = p;
	KEEP;
}

static NOT_INLINED void handle(const char *kind, uint64_t id)
{
	int none = !strcmp(kind, "steady") || !strcmp(kind, "queue");
	int slow = !strcmp(kind, "slow");
	uint64_t every = !strcmp(kind, "rare") ? 10 : 1;

	for (int i = 0; i < BATCH && !slow; i++)
		churn(kind, id * BATCH + (uint64_t)i);
	if (!none && id % every == 0)
		culprit(kind, id);
	KEEP;
}

static void child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (uint64_t i = 0; i < 10; i++)
			handle("leak", i);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		abort();
}

static void *serve(void *kind)
{
	for (uint64_t id = 1;; id++) {
		handle(kind, id);
		if (!strcmp(kind, "forking") && id % 200 == 0)
			child();
		usleep(strcmp(kind, "slow") ? 2000 : 100000);
	}
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t t;

	if (argc < 2)
		return 2;
	for (int i = 0; i < SLOTS; i++) /* the cache is full from the start */
		churn(argv[1], (uint64_t)i);
	for (int i = 1; i < threads; i++)
		if (pthread_create(&t, NULL, serve, argv[1]) != 0)
			return 1;
	puts("ready");
	fflush(stdout);
	serve(argv[1]);
}
