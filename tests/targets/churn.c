/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that allocate and free without end around a steady amount:
 *   churn THREADS BLOCKS-EACH */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_UP 10 /* rounds for each block until all of them are there */

static int blocks;
static pthread_barrier_t warm; /* all threads, and main */

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static void *work(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg * 7919 + 1;
	void **keep = calloc((size_t)blocks, sizeof(*keep));

	for (int round = 0;; round++) {
		uint64_t i = next_random(&seed) % (uint64_t)blocks;

		free(keep[i]);
		keep[i] = malloc(16 + next_random(&seed) % 2000);
		memset(keep[i], 0x7f, 16);
		if (round == WARM_UP * blocks)
			pthread_barrier_wait(&warm);
		round -= round > WARM_UP * blocks;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 4;

	blocks = argc > 2 ? atoi(argv[2]) : 5000;
	pthread_barrier_init(&warm, NULL, (unsigned)threads + 1);
	for (int i = 0; i < threads; i++) {
		pthread_t t;

		pthread_create(&t, NULL, work, (void *)(uintptr_t)(i + 1));
	}
	pthread_barrier_wait(&warm);
	printf("ready\n");
	fflush(stdout);
	pause();
}
