/* SPDX-License-Identifier: Apache-2.0 */
/* A cache with a fixed key space (60,000 keys, values 256..2048 bytes): misses fill it, so in-use follows 1-exp(-t/tau),
 * tau = 12% of the run, ~70 MB, then flat. Never freed, never grows again. Temporary per-request blocks churn. */
#include "../wl.h"
#define NK 60000
static void *v[NK];
int main(int argc, char **argv) {
  wl_init("cache_warmup", argc, argv, 40, "CACHE_WARMUP", "CACHE_WARMUP|STABLE", "LEAK|POOL_GROWTH|NON_MALLOC_GROWTH|FRAGMENTATION|PERIODIC");
  WL.tag_name[1] = "cache"; wl_start(); wl_phase("warming", "CACHE_WARMUP|LEAK|INSUFFICIENT_DATA"); int flat = 0;
  long nk = (long)(NK * WL.scale); if (nk > NK) nk = NK; double per = (double)nk / (0.12 * (double)WL.nsteps);
  for (long s = 0; s < WL.nsteps; s++) {
    for (double k = 0; k < per; k++) { long i = (long)(wl_rnd() % (uint64_t)nk); uint64_t h = (uint64_t)i + WL.seed; size_t sz = 256 + wl_mix(&h) % 1793; if (!v[i]) v[i] = wl_touch(1, sz, 1); void *t = wl_touch(0, 100 + (size_t)i % 700, 2); wl_free(0, t, 100 + (size_t)i % 700); }
    if (!flat && s > WL.nsteps * 6 / 10) { flat = 1; wl_phase("warm", "CACHE_WARMUP|STABLE"); }
    wl_tick(s);
  }
  wl_end("");
}
