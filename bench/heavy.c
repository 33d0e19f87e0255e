/* SPDX-License-Identifier: Apache-2.0 */
// heavy: malloc-heavy workload for overhead tests. heavy ITER SLOTS COMPUTE_NS [DEPTH] [warm_file]
// waits for SIGUSR1-less start: runs a warm round, then timed rounds, printing ns/op (one malloc+one free = 1 op).
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static uint64_t rng(uint64_t *s) { uint64_t x = *s; x ^= x << 13; x ^= x >> 7; x ^= x << 17; return *s = x; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static volatile uint64_t sink;
static __attribute__((noinline)) void *deep(int d, size_t z) { void *p = d ? deep(d - 1, z) : malloc(z); __asm__ volatile("" ::: "memory"); return p; }
int main(int c, char **v) {
  long it = c > 1 ? atol(v[1]) : 5000000, slots = c > 2 ? atol(v[2]) : 100000; long cns = c > 3 ? atol(v[3]) : 0; int depth = c > 4 ? atoi(v[4]) : 8; int rounds = c > 5 ? atoi(v[5]) : 1;
  double waits = c > 6 ? atof(v[6]) : 0;
  void **p = calloc(slots, sizeof *p); uint64_t s = 88172645463325252ull;
  if (waits > 0) { printf("PID %d\n", getpid()); fflush(stdout); usleep(waits * 1e6); }
  for (int r = 0; r < rounds; r++) {
    double t0 = now();
    for (long i = 0; i < it; i++) {
      long k = rng(&s) % slots; free(p[k]); size_t z = 16 + rng(&s) % 500; p[k] = deep(depth, z); *(uint64_t *)p[k] = i;
      if (cns) { uint64_t x = s; for (long q = 0; q < cns; q++) x = x * 6364136223846793005ull + 1; sink = x; }
    }
    double t1 = now(); printf("round %d: %.1f ns/op (%.3f s, %ld ops)\n", r, (t1 - t0) / it * 1e9, t1 - t0, it); fflush(stdout);
  }
  return 0;
}
