/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relog KIND [ALIGNMENT]: blocks that malloc has mapped grow by realloc, that
 * is by mremap, as logs do that nobody clears:
 *   one      one of 40 MB, 100 times a second, among ordinary churn
 *   many     ten in each of two threads, cut down when they are large
 *   aligned  one that posix_memalign gave (ALIGNMENT, 65536)
 *   heap     no block, but main and thread heaps that grow as fast
 *   offbrk   the same, slower, where the main heap has to take mappings
 * Prints "ready". Ends with its parent.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STEP 3000

static int batch = 20; /* blocks of a heap that grows, a millisecond */

struct log {
	char *bytes;
	size_t len;
};

static void lengthen(struct log *l, size_t by)
{
	l->bytes = realloc(l->bytes, l->len + by);
	if (!l->bytes)
		_exit(1);
	memset(l->bytes + l->len, 1, by);
	l->len += by;
}

static struct log begin(size_t len)
{
	struct log l = {NULL, 0};

	lengthen(&l, len);
	return l;
}

static void churn(void)
{
	static void *p[2000];

	for (int k = 0; k < 5; k++) {
		size_t i = (size_t)random() % 2000;
		size_t size = 50 + (size_t)random() % 900;

		free(p[i]);
		p[i] = malloc(size);
		if (p[i])
			memset(p[i], 1, size);
	}
}

static void *one(void *alignment)
{
	struct log l = {NULL, 1000000};
	void *first = NULL;

	if (!alignment)
		l = begin((size_t)40 << 20);
	else if (posix_memalign(&first, (size_t)alignment, l.len) == 0)
		l.bytes = memset(first, 1, l.len);
	for (;;) {
		lengthen(&l, STEP);
		churn();
		usleep(10000);
	}
	return NULL;
}

static void *many(void *unused)
{
	struct log l[10];

	(void)unused;
	for (size_t i = 0; i < 10; i++)
		l[i] = begin(200000 + i * 50000);
	for (size_t k = 0;; k = (k + 1) % 10) {
		lengthen(&l[k], 4 * STEP);
		if (l[k].len > 8000000) {
			l[k].bytes = realloc(l[k].bytes, 200000);
			l[k].len = 200000;
		}
		usleep(1000);
	}
	return NULL;
}

static void *heap(void *unused)
{
	(void)unused;
	for (int i = 0; i < 100000; i++) {
		char *p = malloc(1000);

		if (!p)
			_exit(1);
		memset(p, 1, 1000);
		if (i % batch == 0)
			usleep(1000);
	}
	for (;;)
		pause();
}

/* Somebody else's page where brk would go on. */
static void block_brk(void)
{
	char *end = sbrk(0);

	if (mmap(end + (64 << 12), 4096, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		_exit(1);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "one";
	size_t alignment = argc > 2 ? strtoul(argv[2], NULL, 10) : 65536;
	bool off = strcmp(kind, "offbrk") == 0;
	void *(*run)(void *) = strcmp(kind, "many") == 0	  ? many
			       : off || strcmp(kind, "heap") == 0 ? heap
								  : one;
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (off) {
		block_brk();
		batch = 5;
	}
	if (run != one && pthread_create(&t, NULL, run, NULL) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	run(strcmp(kind, "aligned") == 0 ? (void *)alignment : NULL);
}
