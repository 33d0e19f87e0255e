/* SPDX-License-Identifier: Apache-2.0 */
/* A thread recurses deeper and deeper (frames of 2 KB): its stack (256 MB mmap, not malloc) becomes resident at ~2.5 MB/s.
 * malloc is flat. */
#include "../wl.h"
#include <pthread.h>
static pthread_barrier_t bar; static volatile long want, depth; static volatile int quit_;
static int __attribute__((noinline)) dive(int x) {
  volatile char f[2000]; memset((void *)f, x, sizeof f); depth++;
  while (depth >= want && !quit_) { pthread_barrier_wait(&bar); pthread_barrier_wait(&bar); }
  int r = quit_ ? 0 : dive(x + 1); return r + f[x % 2000] * 0;
}
static void *deep(void *a) { (void)a; pthread_barrier_wait(&bar); dive(1); return NULL; }
#define NB 4000
static void *b[NB]; static unsigned z[NB];
int main(int argc, char **argv) {
  wl_init("stack_growth", argc, argv, 34, "NON_MALLOC_GROWTH", "NON_MALLOC_GROWTH", "LEAK|STABLE|POOL_GROWTH|FRAGMENTATION|CACHE_WARMUP|ARENA_PROLIFERATION");
  wl_start(); pthread_barrier_init(&bar, NULL, 2); pthread_attr_t at; pthread_attr_init(&at); pthread_attr_setstacksize(&at, 256UL << 20); want = 1; pthread_t t; pthread_create(&t, &at, deep, NULL); pthread_barrier_wait(&bar);
  for (long i = 0; i < NB; i++) { z[i] = (unsigned)wl_rng(50, 2500); b[i] = wl_touch(0, z[i], 1); }
  wl_phase("growing", "NON_MALLOC_GROWTH|INSUFFICIENT_DATA");
  for (long s = 0; s < WL.nsteps; s++) {
    for (int k = 0; k < 100; k++) { long i = (long)(wl_rnd() % NB); wl_free(0, b[i], z[i]); z[i] = (unsigned)wl_rng(50, 2500); b[i] = wl_touch(0, z[i], 2); }
    pthread_barrier_wait(&bar); want = (long)(2.5e6 * WL.scale / 2100 * (double)(s + 1) * WL.dt / WL.pace) + 1; pthread_barrier_wait(&bar);
    wl_tick(s);
  }
  wl_end("");
}
