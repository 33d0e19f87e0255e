/* SPDX-License-Identifier: Apache-2.0 */
/* tcache_count was raised "for speed": eight threads free 7 MB each into their
 * caches, where neither free() nor malloc_trim() finds it. */
#include "live.h"
#include <pthread.h>

#define THREADS 8
#define TUNABLE "glibc.malloc.tcache_count=1000"
static pthread_barrier_t step;

static void *worker(void *arg)
{
	enum { SIZES = 14, EACH = 1000 };
	static char *p[THREADS][SIZES * EACH];
	long id = (long)arg;

	for (long i = 0; i < SIZES * EACH; i++)
		p[id][i] =
			(char *)wl_touch(0, (size_t)(i % SIZES) * 64 + 88, 1);
	pthread_barrier_wait(&step);
	pthread_barrier_wait(&step);
	for (long i = 0; i < SIZES * EACH; i++)
		wl_free(0, p[id][i], (size_t)(i % SIZES) * 64 + 88);
	pthread_barrier_wait(&step);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	long t = 0;

	if (!getenv("GLIBC_TUNABLES")) {
		setenv("GLIBC_TUNABLES", TUNABLE, 1);
		execv("/proc/self/exe", argv);
	}
	wl_init("own_tcache_pool", argc, argv, 30, "POOL_GROWTH",
		"POOL_GROWTH|ARENA_PROLIFERATION",
		"LEAK|NON_MALLOC_GROWTH|CACHE_WARMUP|STABLE|PERIODIC");
	wl_start();
	pthread_barrier_init(&step, NULL, 2);
	wl_phase("start", "INSUFFICIENT_DATA|STABLE|POOL_GROWTH|"
			  "ARENA_PROLIFERATION|NON_MALLOC_GROWTH");
	for (long s = 0; s < WL.nsteps; s++) {
		while (t < THREADS && progress(s) >= 0.1 + 0.04 * (double)t) {
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
