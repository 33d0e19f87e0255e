/* SPDX-License-Identifier: Apache-2.0 */
// Seed 3, experiment 1: std::map<md5, uint64_t> with 500,000 entries; clear(); then destroy. RSS is not returned.
// Seed (glibc 2.17): 1528 -> 32716 -> 32928 KB after clear AND after destruction.
#include "../wl.h"
#include <map>
#include <array>
#include <new>
void *operator new(size_t n) { return wl_new(0, n); }
void operator delete(void *p) noexcept { wl_delete(0, p); }
void operator delete(void *p, size_t) noexcept { wl_delete(0, p); }
typedef std::map<std::array<unsigned char, 16>, uint64_t> map_t;
static std::array<unsigned char, 16> key(uint64_t i) { uint64_t s = i * 2 + WL.seed, a = wl_mix(&s), b = wl_mix(&s); std::array<unsigned char, 16> k; memcpy(&k[0], &a, 8); memcpy(&k[8], &b, 8); return k; }
int main(int argc, char **argv) {
  wl_init("seed3_exp1_map_clear", argc, argv, 24, "POOL_GROWTH", "POOL_GROWTH", "LEAK|NON_MALLOC_GROWTH|FRAGMENTATION|ARENA_PROLIFERATION|CACHE_WARMUP");
  wl_start(); long N = (long)(500000 * WL.scale), n = WL.nsteps, i = 0;
  map_t *m = new map_t; wl_phase("at_beginning", "STABLE|INSUFFICIENT_DATA|LEAK|CACHE_WARMUP");
  for (long s = 0; s < n; s++) {
    long x = s * 100 / n;
    if (x >= 10 && x < 35) { long upto = (long)((double)N * (double)(s - n / 10 + 1) / (n / 4.0)); if (upto > N) upto = N; for (; i < upto; i++) (*m)[key((uint64_t)i)] = (uint64_t)i; }
    if (x == 35 && !strcmp(WL.phase, "at_beginning")) { for (; i < N; i++) (*m)[key((uint64_t)i)] = (uint64_t)i; wl_phase("inserted", "CACHE_WARMUP|LEAK|STABLE|INSUFFICIENT_DATA"); }
    if (x == 45 && !strcmp(WL.phase, "inserted")) { m->clear(); wl_phase("cleared", "POOL_GROWTH|STABLE|INSUFFICIENT_DATA"); }
    if (x == 70 && !strcmp(WL.phase, "cleared")) { delete m; m = 0; wl_phase("map_destroyed", "POOL_GROWTH"); }
    wl_tick(s);
  }
  wl_end("\"why\":\"freed 64-byte map nodes sit in a fastbin: never consolidated, never trimmed, until a large free/malloc or malloc_trim\"");
}
