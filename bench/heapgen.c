/* SPDX-License-Identifier: Apache-2.0 */
// heapgen: builds a glibc heap of N chunks (live + free) and then sleeps.
// usage: heapgen -n CHUNKS -f FREE_FRACTION -t THREADS -s SEED [-l LEAK_FRACTION] [-T ticklog] [-i info.xml]
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static long N = 10000000; static double F = 0.30, L = 0.01; static int T = 0; static uint64_t SEED = 1;
static const char *ticklog, *info; static int cluster = 64, domeasure;
static void ***tables; static long *counts;
static uint64_t rng(uint64_t *s) { uint64_t x = *s; x ^= x << 13; x ^= x >> 7; x ^= x << 17; return *s = x; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static size_t pick(uint64_t *s) {
  uint64_t r = rng(s) % 1000;
  if (r < 900) return 16 + rng(s) % 105;          // small
  if (r < 998) return 128 + rng(s) % 385;         // medium
  return 1024 + rng(s) % 15000;                   // large
}
static void build(int id, long n) {
  uint64_t s = SEED * 0x9E3779B97F4A7C15ull + id * 77777 + 1;
  void **p = malloc(n * sizeof *p);               // mmapped table, anchored by a static
  for (long i = 0; i < n; i++) {
    size_t z = pick(&s);
    p[i] = malloc(z);
    *(uint64_t *)p[i] = i ? (uint64_t)p[rng(&s) % i] : 0;  // one outgoing reference (may become stale)
    if (z >= 16) ((uint64_t *)p[i])[1] = z;
    // mixed phase: churn so that bins are populated while growing
    if ((rng(&s) & 7) == 0 && i > 100) { long j = rng(&s) % i; free(p[j]); p[j] = malloc(pick(&s)); *(uint64_t *)p[j] = 0; }
  }
  // free F of them: half in runs (neighbours coalesce), half singly
  long tofree = (long)(n * F), done = 0;
  while (done < tofree / 2) { long b = rng(&s) % n; for (long k = b; k < b + cluster && k < n; k++) if (p[k]) { free(p[k]); p[k] = 0; done++; } }
  while (done < tofree) { long k = rng(&s) % n; if (p[k]) { free(p[k]); p[k] = 0; done++; } }
  // leak L of them: drop the table's pointer
  long leak = (long)(n * L); while (leak > 0) { long k = rng(&s) % n; if (p[k]) { p[k] = 0; leak--; } }
  tables[id] = p; counts[id] = n;
}
struct arg { int id; long n; pthread_barrier_t *b; };
static void *thr(void *v) { struct arg *a = v; pthread_barrier_wait(a->b); build(a->id, a->n); for (;;) pause(); }
static int tfd;
static void *ticker(void *v) {
  (void)v; double last = now();
  for (;;) { struct timespec q = {0, 100000}; nanosleep(&q, 0); double t = now(); if (t - last > 0.003) { char b[96]; int k = snprintf(b, sizeof b, "%.6f gap_ms %.3f\n", t, (t - last) * 1e3); if (write(tfd, b, k)) {} } last = t; }
}
int main(int c, char **v) {
  int o; while ((o = getopt(c, v, "n:f:t:s:l:T:i:c:m")) > 0) switch (o) {
    case 'n': N = atol(optarg); break; case 'f': F = atof(optarg); break; case 't': T = atoi(optarg); break;
    case 's': SEED = strtoull(optarg, 0, 0); break; case 'l': L = atof(optarg); break; case 'T': ticklog = optarg; break; case 'i': info = optarg; break; case 'm': domeasure = 1; break; case 'c': cluster = atoi(optarg); break; }
  tables = calloc(T + 1, sizeof *tables); counts = calloc(T + 1, sizeof *counts);
  setvbuf(stdout, (char *)calloc(1, 4096), _IOLBF, 4096);
  if (ticklog) tfd = open(ticklog, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  double t0 = now();
  if (T == 0) build(0, N);
  else {
    pthread_barrier_t b; pthread_barrier_init(&b, 0, T + 1); static struct arg a[1024];
    for (int i = 0; i < T; i++) { a[i] = (struct arg){i, N / T, &b}; pthread_t h; pthread_create(&h, 0, thr, &a[i]); }
    pthread_barrier_wait(&b);
    for (int i = 0; i < T; i++) while (!__atomic_load_n(&tables[i], __ATOMIC_ACQUIRE)) usleep(10000);
  }
  double t1 = now(); struct mallinfo2 m = mallinfo2();
  fprintf(stderr, "pid %d built %ld chunks in %.2f s; arena %zu ordblks %zu smblks %zu fsmblks %zu uordblks %zu fordblks %zu keepcost %zu hblks %zu hblkhd %zu\n",
          getpid(), N, t1 - t0, m.arena, m.ordblks, m.smblks, m.fsmblks, m.uordblks, m.fordblks, m.keepcost, m.hblks, m.hblkhd);
  if (info) { double a = now(); FILE *f = fopen(info, "w"); malloc_info(0, f); fclose(f); fprintf(stderr, "malloc_info took %.4f s\n", now() - a); }
  if (domeasure) { for (int r = 0; r < 3; r++) { double a = now(); struct mallinfo2 q = mallinfo2(); double b = now(); FILE *f = fopen("/dev/null", "w"); malloc_info(0, f); fclose(f); double d = now(); int t = malloc_trim(0); double e = now(); fprintf(stderr, "in-process: mallinfo2 %.4f s, malloc_info %.4f s, malloc_trim(0)=%d %.4f s (fordblks %zu fsmblks %zu)\n", b - a, d - b, t, e - d, q.fordblks, q.fsmblks); } }
  if (ticklog) { pthread_t h; pthread_create(&h, 0, ticker, 0); }
  printf("READY %d\n", getpid()); fflush(stdout);
  for (;;) pause();
}
