/* SPDX-License-Identifier: Apache-2.0 */
/*
 * large_heap MAIN THREADS EACH [foreign]: MAIN chunks in the main arena, EACH
 * in the arena of each of THREADS threads, of sizes as programs have them; a
 * third is freed, so that bins, fastbins and tcaches are long. "foreign": amid
 * the last chunks of the main arena somebody else calls sbrk. Prints "ready",
 * then holds still.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t built;
static long each;

static uint64_t draw(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static void build(long n, uint64_t seed, int foreign)
{
	uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
	void **block = calloc((size_t)n + 1, sizeof(*block));

	if (!block)
		abort();
	for (long i = 0; i < n; i++) {
		size_t size = draw(&random) % (i % 50 ? 200 : 3000);

		if (foreign && i == n - n / 8 && sbrk(50000) == (void *)-1)
			abort();
		block[i] = malloc(size);
		if (size >= 8) /* looks like the end of a list */
			memset(block[i], 0, 8);
	}
	for (long i = 0; i < n; i++)
		if (draw(&random) % 3 == 0)
			free(block[i]);
}

static void *build_thread(void *arg)
{
	build(each, (uint64_t)(intptr_t)arg, 0);
	pthread_barrier_wait(&built);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? atol(argv[2]) : 0;

	each = argc > 3 ? atol(argv[3]) : 0;
	pthread_barrier_init(&built, NULL, (unsigned)threads + 1);
	for (long i = 0; i < threads; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, build_thread,
				   (void *)(intptr_t)(i + 2)))
			abort();
	}
	build(argc > 1 ? atol(argv[1]) : 0, 1, argc > 4);
	pthread_barrier_wait(&built);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
