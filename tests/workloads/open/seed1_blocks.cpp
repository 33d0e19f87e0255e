/* SPDX-License-Identifier: Apache-2.0 */
// Seed 1, the article's own test program: vector<char*>, 2064 x new char[size], write, delete[] all, wait.
//  --mode a: 64K blocks, glibc defaults            seed: 131 MB stay ("because blocks <= 128K are not given back")
//  --mode b: 128K blocks (mmapped)                 seed: all returned (2960 KB)
//  --mode c: 128K blocks, M_MMAP_THRESHOLD=256K    (brk) not trimmed: what pins is the vector's own 32 KB buffer
//  --mode d: c + malloc_trim(0)                    seed: 2348 KB, all returned
//  --mode e: 64K blocks, pointers in a static array instead of the vector: RETURNED - refutes the article's explanation
#include "../wl.h"
#include <vector>
#include <new>
void *operator new(size_t n) { return wl_new(0, n); }
void operator delete(void *p) noexcept { wl_delete(0, p); }
void operator delete(void *p, size_t) noexcept { wl_delete(0, p); }
static char *fixed[2064];
int main(int argc, char **argv) {
  const char *mode = wl_arg(argc, argv, "--mode", "a"); char m = *mode; int pinned = m == 'a' || m == 'c';
  wl_init("seed1_blocks", argc, argv, 20, pinned ? "TOP_PINNED" : "STABLE", pinned ? "TOP_PINNED" : "STABLE", pinned ? "LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|STABLE" : "LEAK|NON_MALLOC_GROWTH|FRAGMENTATION|ARENA_PROLIFERATION|POOL_GROWTH|TOP_PINNED");
  WL.mode = mode; size_t sz = m == 'a' || m == 'e' ? 65536 : 131072; if (m == 'c' || m == 'd') mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  wl_start(); std::vector<char *> v; long N = (long)(2064 * (WL.scale < 1 ? WL.scale : 1)), n = WL.nsteps, j = 0; wl_phase("at_beginning", "STABLE|INSUFFICIENT_DATA|LEAK|CACHE_WARMUP");
  for (long s = 0; s < n; s++) {
    double x = (double)s / (double)n;
    if (x >= 0.1 && j < N) { long up = x >= 0.4 ? N : (long)((double)N * (x - 0.1) / 0.3); for (; j < up; j++) { char *b = (char *)wl_alloc(0, sz); memset(b, (int)j, sz); if (m == 'e') fixed[j] = b; else v.push_back(b); } }
    if (x >= 0.4 && !strcmp(WL.phase, "at_beginning")) wl_phase("allocated", "CACHE_WARMUP|LEAK|STABLE|INSUFFICIENT_DATA");
    if (x >= 0.5 && !strcmp(WL.phase, "allocated")) { for (long k = 0; k < N; k++) wl_free(0, m == 'e' ? fixed[k] : v[(size_t)k], sz); wl_phase("deleted_all", pinned || m == 'd' ? "TOP_PINNED|POOL_GROWTH|INSUFFICIENT_DATA" : "STABLE|INSUFFICIENT_DATA"); }
    if (m == 'd' && x >= 0.65 && !strcmp(WL.phase, "deleted_all")) { malloc_trim(0); wl_phase("trimmed", "STABLE"); }
    wl_tick(s);
  }
  wl_end(pinned ? "\"why\":\"the vector's 32 KB pointer buffer is the last used chunk under the top\"" : "");
}
