/* SPDX-License-Identifier: Apache-2.0 */
/* Six threads, each with its own arena, each losing some of what it makes:
 * together 0.6 MB/s. */
#include "live.h"
#include <pthread.h>

#define THREADS 6
static pthread_barrier_t go, done;

static void *worker(void *arg)
{
	unsigned z[400];
	void *p[400];
	uint64_t rs = (uint64_t)(uintptr_t)arg + WL.seed;

	memset(p, 0, sizeof(p));
	for (;;) {
		pthread_barrier_wait(&go);
		for (int k = 0; k < 40; k++) {
			size_t i = wl_mix(&rs) % 400;

			if (p[i])
				wl_free(0, p[i], z[i]);
			z[i] = (unsigned)(60 + wl_mix(&rs) % 2000);
			p[i] = wl_touch(0, z[i], 1);
			if (k % 8 == 0)
				wl_touch(1, 120 + wl_mix(&rs) % 600, 2);
		}
		pthread_barrier_wait(&done);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	wl_init("own_leak_threads", argc, argv, 34, "LEAK", "LEAK",
		FORBID_LEAK "|ARENA_PROLIFERATION");
	WL.tag_name[1] = "leak";
	wl_start();
	pthread_barrier_init(&go, NULL, THREADS + 1);
	pthread_barrier_init(&done, NULL, THREADS + 1);
	for (long t = 0; t < THREADS; t++) {
		pthread_t th;

		pthread_create(&th, NULL, worker, (void *)t);
	}
	wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		if (s % 3 == 0) {
			pthread_barrier_wait(&go);
			pthread_barrier_wait(&done);
		}
		wl_tick(s);
	}
	wl_end("");
}
