/* SPDX-License-Identifier: Apache-2.0 */
/* Checkerboard: 180,000 x 1000-byte blocks, every other one freed: ~91 MB free in 1 KB holes, no whole page free, nothing
 * trimmable. Then requests of 1500..3500 bytes arrive (bounded, 12 MB): none fits a hole, so memory from the system grows again. */
#include "../wl.h"
#define NB 180000
static void *b[NB]; static void *q[6000]; static unsigned zq[6000];
int main(int argc, char **argv) {
  wl_init("checkerboard", argc, argv, 32, "FRAGMENTATION", "FRAGMENTATION", "LEAK|NON_MALLOC_GROWTH|STABLE|TOP_PINNED|ARENA_PROLIFERATION|CACHE_WARMUP");
  wl_start(); long nb = (long)(NB * WL.scale), i = 0, f = 0, k = 0; if (nb > NB) nb = NB; wl_phase("fill", "INSUFFICIENT_DATA|CACHE_WARMUP|LEAK|STABLE");
  for (long s = 0; s < WL.nsteps; s++) {
    double x = (double)s / (double)WL.nsteps;
    if (x < 0.3) { long up = (long)((double)nb * x / 0.3); for (; i < up; i++) b[i] = wl_touch(0, 1000, 1); }
    else { for (; i < nb; i++) b[i] = wl_touch(0, 1000, 1); }
    if (x >= 0.35 && !f) { wl_phase("filled", "CACHE_WARMUP|STABLE|INSUFFICIENT_DATA|LEAK"); for (f = 0; f < nb; f += 2) wl_free(0, b[f], 1000); f = nb; wl_phase("checkerboard", "FRAGMENTATION|INSUFFICIENT_DATA|LEAK|CACHE_WARMUP"); }
    if (x >= 0.45) { long up = (long)(6000 * WL.scale * (x < 0.75 ? (x - 0.45) / 0.3 : 1)); if (up > 6000) up = 6000; for (; k < up; k++) { zq[k] = (unsigned)wl_rng(1500, 3500); q[k] = wl_touch(0, zq[k], 2); } for (int r = 0; r < 50 && k > 0; r++) { long j = (long)(wl_rnd() % (uint64_t)k); wl_free(0, q[j], zq[j]); zq[j] = (unsigned)wl_rng(1500, 3500); q[j] = wl_touch(0, zq[j], 3); } }
    wl_tick(s);
  }
  wl_end("");
}
