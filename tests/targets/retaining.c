/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retaining KIND MIB: a heap of MIB that was used and freed, and then rests.
 *   trimmable  what was freed are whole pages below one chunk in use
 *   stuck      each page keeps a chunk in use
 *   arenas     in ten threads' arenas
 *   held       nothing was freed
 * Prints "ready".
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE  100000
#define SMALL  500
#define EACH   8 /* small chunks a page */
#define MOST   400000
#define ARENAS 10

static char *chunk[MOST];

static size_t fill(char **to, size_t size, size_t bytes)
{
	size_t n = bytes / size;

	for (size_t i = 0; i < n; i++) {
		to[i] = malloc(size);
		memset(to[i], 1, size);
	}
	return n;
}

/* Frees all but every `keep`th and the last. */
static void release(char **of, size_t n, size_t keep)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (i % keep)
			free(of[i]);
}

static pthread_barrier_t there;

static void *in_thread(void *bytes)
{
	size_t n = (size_t)bytes / LARGE;
	char **mine = calloc(n + 1, sizeof(*mine));

	pthread_barrier_wait(&there); /* each has an arena of its own */
	n = fill(mine, LARGE, (size_t)bytes);
	release(mine, n, n);
	pthread_barrier_wait(&there);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) << 20 : 0, n;
	pthread_t thread;

	if (argc < 3 || bytes / SMALL > MOST)
		return 2;
	if (strcmp(argv[1], "arenas") == 0) {
		pthread_barrier_init(&there, NULL, ARENAS + 1);
		for (int i = 0; i < ARENAS; i++)
			pthread_create(&thread, NULL, in_thread,
				       (void *)(bytes / ARENAS));
		pthread_barrier_wait(&there);
		pthread_barrier_wait(&there);
	} else if (strcmp(argv[1], "stuck") == 0) {
		n = fill(chunk, SMALL, bytes);
		release(chunk, n, EACH);
	} else {
		n = fill(chunk, LARGE, bytes);
		if (strcmp(argv[1], "trimmable") == 0)
			release(chunk, n, n);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
