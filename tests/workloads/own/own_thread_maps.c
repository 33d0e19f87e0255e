/* SPDX-License-Identifier: Apache-2.0 */
/* Ten threads build a large table of small nodes in their own arenas, clear it
 * and wait for work that does not come. */
#include "live.h"
#include <pthread.h>

#define THREADS 10
static pthread_barrier_t step;

static void *worker(void *arg)
{
	struct live l;

	live_init(&l, 90000, 60, 100);
	l.tag = 0;
	for (long i = 0; i < 80000; i++) {
		l.size[i] = 40 + (unsigned)(i * 7 % 56);
		l.p[i] = wl_touch(0, l.size[i], (int)(long)arg);
	}
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	for (long i = 0; i < 80000 - 5; i++)
		wl_free(0, l.p[i], l.size[i]);
	pthread_barrier_wait(&step);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	long t = 0;

	wl_init("own_thread_maps", argc, argv, 32, "ARENA_PROLIFERATION",
		"ARENA_PROLIFERATION|POOL_GROWTH",
		"LEAK|NON_MALLOC_GROWTH|CACHE_WARMUP|STABLE");
	wl_start();
	pthread_barrier_init(&step, NULL, 2);
	wl_phase("start", "INSUFFICIENT_DATA|STABLE|POOL_GROWTH|"
			  "ARENA_PROLIFERATION|NON_MALLOC_GROWTH|TOP_PINNED");
	for (long s = 0; s < WL.nsteps; s++) {
		while (t < THREADS && progress(s) >= 0.08 + 0.04 * (double)t) {
			pthread_t th;

			pthread_create(&th, NULL, worker, (void *)t++);
			pthread_barrier_wait(&step);
			pthread_barrier_wait(&step);
			pthread_barrier_wait(&step);
		}
		wl_tick(s);
	}
	wl_end("");
}
