/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CFLAGS: -fomit-frame-pointer
 *
 * Makers: programs that allocate in known places. makers KIND [THREADS]: prints
 * "ready" and goes on for ever; makers paced RATE EVERY. What stays for good is
 * asked for by culprit() and by nobody else; the kinds steady and queue have
 * none.
 *
 *   leak     one chunk in 101 of busy churn
 *   rare     one in 1001
 *   wrapper  through xmalloc(), which all others use, too
 *   growing  buffers that grow by realloc
 *   begun    the same, and when they are large they stay, and others begin
 *   regrown  the same, but each is given back when it is large, and begins anew
 *   cleared  chunks that nobody writes to, by calloc
 *   aligned  by posix_memalign and aligned_alloc
 *   slow     ten a second, and hardly anything else
 *   second   one a second, beside a little churn
 *   pool     one in 101 of what the threads of a pool do; others give it back
 *   paced    RATE chunks a second, at even times, of which one in EVERY stays
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
#include <time.h>
#include <unistd.h>

#define NOT_INLINED __attribute__((noinline, noclone))
#define KEEP	    __asm__ volatile("" : : : "memory")
#define SLOTS	    4096
#define FEW	    64
#define BATCH	    100
#define BUFFERS	    64
#define LARGE	    8192 /* of a buffer that is then given back */
#define SMALL	    2048 /* of one that is then left */

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
	static void *left;
	void *p = NULL;

	if (strcmp(kind, "regrown") == 0 && size[id % BUFFERS] >= LARGE) {
		free(buffer[id % BUFFERS]);
		buffer[id % BUFFERS] = NULL;
		size[id % BUFFERS] = 0;
	}
	if (strcmp(kind, "begun") == 0 && size[id % BUFFERS] >= SMALL) {
		*(void **)buffer[id % BUFFERS] = left;
		left = buffer[id % BUFFERS];
		buffer[id % BUFFERS] = NULL;
		size[id % BUFFERS] = 0;
	}
	if (strcmp(kind, "wrapper") == 0) {
		keep(xmalloc(sizeof(struct node)), id);
	} else if (strstr(kind, "grow") || strcmp(kind, "begun") == 0) {
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
	size_t slots = strcmp(kind, "second") == 0 ? FEW : SLOTS;
	size_t i = strcmp(kind, "queue") == 0 ? id % SLOTS : dice() % slots;
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

/* --- a pool: its threads do jobs, main frees what they made --------------- */

#define JOBS 64

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, done;
	uint64_t job[JOBS];
	void *result[JOBS];
	unsigned waiting, ready;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
	  .more = PTHREAD_COND_INITIALIZER,
	  .done = PTHREAD_COND_INITIALIZER};

static NOT_INLINED void *job(uint64_t id)
{
	uint64_t *p = malloc(64 + dice() % 256);

	p[0] = id;
	p[1] = dice();
	if (id % 101 == 0)
		culprit("pool", id);
	KEEP;
	return p;
}

static void *work(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		uint64_t id;
		void *p;

		while (pool.waiting == 0)
			pthread_cond_wait(&pool.more, &pool.lock);
		id = pool.job[--pool.waiting];
		pthread_mutex_unlock(&pool.lock);
		p = job(id);
		pthread_mutex_lock(&pool.lock);
		pool.result[pool.ready++] = p;
		pthread_cond_signal(&pool.done);
	}
	return NULL;
}

static void feed(void)
{
	uint64_t id = 1;

	for (;;) {
		pthread_mutex_lock(&pool.lock);
		while (pool.waiting < JOBS)
			pool.job[pool.waiting++] = id++;
		pool.ready = 0;
		pthread_cond_broadcast(&pool.more);
		while (pool.ready < JOBS)
			pthread_cond_wait(&pool.done, &pool.lock);
		for (unsigned i = 0; i < JOBS; i++) {
			size_t at = dice() % SLOTS;

			free(slot[at]);
			slot[at] = pool.result[i];
		}
		pthread_mutex_unlock(&pool.lock);
		usleep(2000);
	}
}

/* --- at even times ------------------------------------------------------- */

static NOT_INLINED void handle_paced(const char *kind, uint64_t rate,
				     uint64_t every, uint64_t *id)
{
	for (uint64_t i = 0; i < rate / 100; i++)
		if (++*id % every == 0)
			culprit(kind, *id);
		else
			churn(kind, *id);
	KEEP;
}

static void pace(const char *kind, uint64_t rate, uint64_t every)
{
	struct timespec next;
	uint64_t id = 0;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		handle_paced(kind, rate, every, &id);
		next.tv_nsec += 10000000;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t t;

	if (argc < 2)
		return 2;
	for (int i = 0; i < 8 * SLOTS;
	     i++) /* the cache is full from the start */
		churn(argv[1], (uint64_t)i);
	for (int i = 1; i < threads && strcmp(argv[1], "paced"); i++)
		if (pthread_create(&t, NULL, serve, argv[1]) != 0)
			return 1;
	puts("ready");
	fflush(stdout);
	for (int i = 0; i < 4 && strcmp(argv[1], "pool") == 0; i++)
		if (pthread_create(&t, NULL, work, NULL) != 0)
			return 1;
	if (strcmp(argv[1], "pool") == 0)
		feed();
	if (strcmp(argv[1], "second") == 0)
		pace(argv[1], 100, 100);
	if (strcmp(argv[1], "paced") == 0 && argc > 3)
		pace(argv[1], strtoull(argv[2], NULL, 10),
		     strtoull(argv[3], NULL, 10));
	serve(argv[1]);
}
