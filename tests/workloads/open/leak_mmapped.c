/* SPDX-License-Identifier: Apache-2.0 */
/* Large blocks (4..6 MB, mmapped by malloc) are lost one every ~1.3 s; the arena itself is flat. */
#include "../wl.h"
#define NB 4000
static void *b[NB]; static unsigned z[NB];
int main(int argc, char **argv) {
  wl_init("leak_mmapped", argc, argv, 36, "LEAK", "LEAK", "STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|FRAGMENTATION");
  WL.tag_name[1] = "leak_big"; wl_start(); for (long i = 0; i < NB; i++) { z[i] = (unsigned)wl_rng(100, 3000); b[i] = wl_touch(0, z[i], 1); }
  wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP"); double next = 0.02;
  for (long s = 0; s < WL.nsteps; s++) {
    for (int k = 0; k < 100; k++) { long i = (long)(wl_rnd() % NB); wl_free(0, b[i], z[i]); z[i] = (unsigned)wl_rng(100, 3000); b[i] = wl_touch(0, z[i], 2); }
    if ((double)s / (double)WL.nsteps >= next) { wl_touch(1, (size_t)(WL.scale * (double)wl_rng(4 << 20, 6 << 20)), 3); next += 0.028 + 0.016 * wl_u01(); }
    wl_tick(s);
  }
  wl_end("");
}
