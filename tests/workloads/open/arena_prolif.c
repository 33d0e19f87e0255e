/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads, one arena each: 14 threads start one after the other (first 60% of the run); each builds 7 MB of 1 KB blocks
 * in its own arena, frees all but the last two, and then only idles. In-use stays tiny, RSS climbs a staircase of ~7 MB per
 * arena and stops. (glibc makes a new arena per new thread up to 8 x cores, so this needs >= 2 cores.) */
#include "../wl.h"
#include <pthread.h>
#define NT 14
static pthread_barrier_t bar; static void *keep[NT][2];
static void *worker(void *a) {
  long id = (long)a; long n = (long)(7000 * WL.scale); void **p = (void **)mmap(NULL, (size_t)n * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (long i = 0; i < n; i++) p[i] = wl_touch(0, 1008, (int)id);
  pthread_barrier_wait(&bar); pthread_barrier_wait(&bar); /* main samples the full state */
  for (long i = 0; i < n - 2; i++) wl_free(0, p[i], 1008);
  keep[id][0] = p[n - 2]; keep[id][1] = p[n - 1]; munmap(p, (size_t)n * 8); pthread_barrier_wait(&bar);
  for (;;) pause();
  return NULL;
}
int main(int argc, char **argv) {
  wl_init("arena_prolif", argc, argv, 36, "ARENA_PROLIFERATION", "ARENA_PROLIFERATION", "LEAK|NON_MALLOC_GROWTH|CACHE_WARMUP|STABLE");
  wl_start(); wl_phase("start", "INSUFFICIENT_DATA|STABLE|ARENA_PROLIFERATION|POOL_GROWTH|TOP_PINNED"); pthread_barrier_init(&bar, NULL, 2); pthread_attr_t at; pthread_attr_init(&at); pthread_attr_setstacksize(&at, 256 << 10);
  int t = 0;
  for (long s = 0; s < WL.nsteps; s++) {
    while (t < NT && (double)s / (double)WL.nsteps >= 0.06 + 0.54 * t / NT) { pthread_t th; pthread_create(&th, &at, worker, (void *)(long)t); pthread_barrier_wait(&bar); pthread_barrier_wait(&bar); pthread_barrier_wait(&bar); t++; if (t == NT / 2) wl_phase("half", "ARENA_PROLIFERATION|POOL_GROWTH|INSUFFICIENT_DATA"); }
    if (t == NT && strcmp(WL.phase, "all_threads") && s > WL.nsteps * 62 / 100) wl_phase("all_threads", "ARENA_PROLIFERATION");
    wl_tick(s);
  }
  wl_end("");
}
