/* SPDX-License-Identifier: Apache-2.0 */
/* Leak of one size class only, hidden in aggregate noise: the live set (~60 MB) wanders by +-15 MB (slow random walk of its
 * target), while 208-byte objects (chunk 224) leak at a steady ~0.35 MB/s. Other sizes never use the 224-byte class. */
#include "../wl.h"
#define MAXB 60000
static void *b[MAXB]; static unsigned z[MAXB]; static long nb;
static unsigned pick(void) { unsigned s; do s = (unsigned)wl_rng(32, 2500); while (s > 200 && s <= 216); return s; }
int main(int argc, char **argv) {
  wl_init("leak_one_class", argc, argv, 40, "LEAK", "LEAK", "STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|FRAGMENTATION");
  WL.tag_name[1] = "leak208"; wl_start(); wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|PERIODIC|CACHE_WARMUP");
  double target = 46000 * WL.scale, mid = target; if (target > MAXB) target = mid = MAXB;
  double acc = 0, rate = 0.35e6 / 208 * WL.dt * WL.scale / WL.pace;
  for (long s = 0; s < WL.nsteps; s++) {
    target += (wl_u01() - 0.5) * 900 * WL.scale + (mid - target) * 0.004; if (target > MAXB) target = MAXB; if (target < mid * 0.6) target = mid * 0.6;
    while (nb < (long)target && nb < MAXB) { z[nb] = pick(); b[nb] = wl_touch(0, z[nb], 1); nb++; }
    while (nb > (long)target) { long i = (long)(wl_rnd() % (uint64_t)nb); wl_free(0, b[i], z[i]); nb--; b[i] = b[nb]; z[i] = z[nb]; }
    for (int k = 0; k < 300; k++) { long i = (long)(wl_rnd() % (uint64_t)nb); wl_free(0, b[i], z[i]); z[i] = pick(); b[i] = wl_touch(0, z[i], 2); }
    for (acc += rate; acc >= 1; acc -= 1) wl_touch(1, 208, 3);
    wl_tick(s);
  }
  wl_end("\"leak_chunk\":224,\"leak_Bps_requested\":350000");
}
