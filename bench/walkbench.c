/* SPDX-License-Identifier: Apache-2.0 */
// walkbench: how fast can an outside walker go? Walks [heap] of PID by boundary tags with process_vm_readv.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
int main(int c, char **v) {
  int pid = atoi(v[1]); size_t blk = c > 2 ? atol(v[2]) : 1 << 20; int stop = c > 3; char p[64], line[512]; snprintf(p, sizeof p, "/proc/%d/maps", pid); FILE *f = fopen(p, "r"); uint64_t lo = 0, hi = 0;
  while (fgets(line, sizeof line, f)) if (strstr(line, "[heap]")) sscanf(line, "%lx-%lx", &lo, &hi);
  for (int r = 0; r < 5; r++) {
    double t0 = now(); if (stop) { ptrace(PTRACE_SEIZE, pid, 0, 0); ptrace(PTRACE_INTERRUPT, pid, 0, 0); int st; waitpid(pid, &st, __WALL); }
    char *b = malloc(blk + 16); uint64_t a = lo, base = 0, lim = 0; long n = 0, freeish = 0; uint64_t fb = 0, hist[128] = {0};
    while (a + 16 <= hi) {
      if (a < base || a + 16 > lim) { base = a; size_t l = hi - a < blk ? hi - a : blk; struct iovec L = {b, l}, R = {(void *)base, l}; ssize_t g = process_vm_readv(pid, &L, 1, &R, 1, 0); if (g <= 16) break; lim = base + g; if (a + 16 > lim) break; }
      uint64_t sz = *(uint64_t *)(b + (a - base) + 8), s = sz & ~7ull; if (s < 32 || a + s > hi) break;
      n++; if (!(sz & 1)) { freeish++; fb += *(uint64_t *)(b + (a - base)); } hist[s < 2048 ? s >> 4 : 127]++;
      a += s;
    }
    double t1 = now(); if (stop) ptrace(PTRACE_DETACH, pid, 0, 0); double t2 = now();
    printf("blk %zu: walked %ld chunks (%.2f GiB) in %.3f s = %.1f M chunks/s, %.2f GiB/s; coalesced-free %ld chunks %.1f MiB; ended at %s; total pause %.3f s\n", blk, n, (a - lo) / 1073741824.0, t1 - t0, n / (t1 - t0) / 1e6, (a - lo) / 1073741824.0 / (t1 - t0), freeish, fb / 1048576.0, a >= hi - 64 ? "top" : "early", stop ? t2 - t0 : 0.0); free(b);
  }
}
