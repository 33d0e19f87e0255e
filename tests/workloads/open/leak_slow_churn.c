/* SPDX-License-Identifier: Apache-2.0 */
/* Slow leak on top of heavy churn: ~25,000 replacements per second among 20,000 live blocks (16..4096 bytes, ~40 MB),
 * one allocation in ~60 is also leaked (64..512 bytes): about 0.11 MB/s. */
#include "../wl.h"
#define NB 20000
static void *b[NB]; static unsigned z[NB];
int main(int argc, char **argv) {
  wl_init("leak_slow_churn", argc, argv, 40, "LEAK", "LEAK", "STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|FRAGMENTATION");
  WL.tag_name[1] = "leak"; wl_start(); wl_phase("init", "INSUFFICIENT_DATA|STABLE"); long nb = NB; double per = 500 * WL.scale;
  for (long i = 0; i < nb; i++) { z[i] = (unsigned)wl_rng(16, 4096); b[i] = wl_touch(0, z[i], 1); }
  wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP");
  for (long s = 0; s < WL.nsteps; s++) {
    for (int k = 0; k < (int)per; k++) { long i = (long)(wl_rnd() % (uint64_t)nb); wl_free(0, b[i], z[i]); z[i] = (unsigned)wl_rng(16, 4096); b[i] = wl_touch(0, z[i], 2); if (wl_rnd() % 60 == 0) wl_touch(1, wl_rng(64, 512), 3); }
    wl_tick(s);
  }
  wl_end("\"leak_Bps_requested\":120000");
}
