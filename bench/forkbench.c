/* SPDX-License-Identifier: Apache-2.0 */
// forkbench: fork() time with M MiB of resident anonymous memory. forkbench MIB [thp]
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }
int main(int c, char **v) {
  size_t sz = (size_t)atol(v[1]) << 20; int thp = c > 2; char *b = mmap(0, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (thp) madvise(b, sz, MADV_HUGEPAGE); memset(b, 1, sz); double f[7], w[7], k[7]; int R = 7;
  for (int r = 0; r < R; r++) {
    int pp[2], qq[2]; if (pipe(pp) || pipe(qq)) return 1;
    double t0 = now(); pid_t p = fork(); if (!p) { char x; if (read(pp[0], &x, 1)) {} _exit(0); }
    double t1 = now(); // parent rewrites 1% of pages after the fork: CoW cost
    for (size_t i = 0; i < sz; i += 4096 * 100) b[i]++;
    double t2 = now(); if (write(pp[1], "x", 1)) {} waitpid(p, 0, 0); double t3 = now();
    f[r] = (t1 - t0) * 1e3; w[r] = (t2 - t1) / (sz / 409600) * 1e9; k[r] = (t3 - t2) * 1e3; close(pp[0]); close(pp[1]); close(qq[0]); close(qq[1]);
    for (size_t i = 0; i < sz; i += 4096) b[i]++;
  }
  qsort(f, R, 8, cmp); qsort(w, R, 8, cmp); qsort(k, R, 8, cmp);
  printf("resident %zu MiB%s: fork() %.2f ms (min %.2f max %.2f); CoW write fault %.0f ns/page; child exit+reap %.2f ms\n", sz >> 20, thp ? " THP" : "", f[R / 2], f[0], f[R - 1], w[R / 2], k[R / 2]);
}
