/* SPDX-License-Identifier: Apache-2.0 */
/* Sinusoidal load: the live set follows 40 + 28*sin(2*pi*t/T) MB, 5 periods, random order of frees, no trend. */
#include "../wl.h"
#include <math.h>
#define MAXB 80000
static void *b[MAXB]; static unsigned z[MAXB];
int main(int argc, char **argv) {
  wl_init("periodic_sine", argc, argv, 45, "PERIODIC", "PERIODIC|STABLE|POOL_GROWTH", "LEAK|NON_MALLOC_GROWTH|CACHE_WARMUP|ARENA_PROLIFERATION");
  wl_start(); wl_phase("running", "PERIODIC|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP|LEAK|POOL_GROWTH"); long nb = 0; int five = 0;
  for (long s = 0; s < WL.nsteps; s++) {
    double x = (double)s / (double)WL.nsteps; long t = (long)((40 + 28 * sin(2 * M_PI * 5 * x - M_PI / 2)) * 1048576 / 1000 * WL.scale); if (t > MAXB) t = MAXB;
    while (nb < t) { z[nb] = (unsigned)wl_rng(100, 1900); b[nb] = wl_touch(0, z[nb], 1); nb++; }
    while (nb > t) { long i = (long)(wl_rnd() % (uint64_t)nb); wl_free(0, b[i], z[i]); nb--; b[i] = b[nb]; z[i] = z[nb]; }
    for (int k = 0; k < 200; k++) { long i = (long)(wl_rnd() % (uint64_t)nb); wl_free(0, b[i], z[i]); z[i] = (unsigned)wl_rng(100, 1900); b[i] = wl_touch(0, z[i], 2); }
    if (!five && x > 0.5) { five = 1; wl_phase("two_periods_seen", "PERIODIC|STABLE"); }
    wl_tick(s);
  }
  wl_end("\"period_s\":9");
}
