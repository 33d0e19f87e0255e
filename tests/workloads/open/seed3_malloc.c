/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 3, experiments 2, 3, 4, 5, 6 (one program, --mode exp2|exp3|exp4|exp5|exp6).
 *  exp2: 500,000 x malloc(1 KB), write, free all              seed: 1532 -> 513128 -> 5620 KB     returned
 *  exp3: same, plus ONE malloc(1) at the top that stays        seed: 1536 -> 513136 -> 513308 KB   retained (TOP PINNED)
 *  exp4: one malloc(256 MB), never written, free               seed: VSZ 22900 -> 285048 -> 22900, RSS 1532 -> 1576 -> 1580
 *  exp5: mallopt(M_MMAP_THRESHOLD,1024), M_MMAP_MAX=500000      seed: 1532 -> 1.913 GB -> 5492 KB  (one page per 1 KB block)
 *  exp6: exp3, then malloc_trim(0)                              seed: 513304 -> 5500 KB, VSZ unchanged, ret=1
 */
#include "../wl.h"
#define MAXN 500000
static char *arr[MAXN];
int main(int argc, char **argv) {
  const char *mode = wl_arg(argc, argv, "--mode", "exp2"); int e = atoi(mode + 3);
  int pinned = e == 3;
  wl_init("seed3_malloc", argc, argv, 24, pinned ? "TOP_PINNED" : "STABLE", pinned ? "TOP_PINNED" : "STABLE", pinned ? "LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|STABLE" : "LEAK|NON_MALLOC_GROWTH|FRAGMENTATION|ARENA_PROLIFERATION|POOL_GROWTH|TOP_PINNED");
  WL.mode = mode; wl_start();
  long N = (long)(MAXN * WL.scale * (e == 5 ? 0.25 : 1)), n = WL.nsteps, i = 0, f = 0; if (N > MAXN) N = MAXN; void *big = NULL; void *pin = NULL;
  if (e == 5) { mallopt(M_MMAP_THRESHOLD, 1024); mallopt(M_MMAP_MAX, 500000); }
  wl_phase("at_beginning", "STABLE|INSUFFICIENT_DATA|LEAK|CACHE_WARMUP");
  for (long s = 0; s < n; s++) {
    double x = (double)s / (double)n;
    if (e == 4) {
      if (x >= 0.2 && !big && x < 0.6) { big = wl_alloc(0, 256UL << 20); wl_phase("malloced_untouched", "STABLE|INSUFFICIENT_DATA"); }
      if (x >= 0.6 && big) { wl_free(0, big, 256UL << 20); big = NULL; wl_phase("freed", "STABLE"); }
    } else {
      if (x >= 0.1 && x < 0.35) { long up = (long)((double)N * (x - 0.1) / 0.25); for (; i < up; i++) { arr[i] = (char *)wl_alloc(0, 1024); memset(arr[i], 0, 1024); } }
      if (x >= 0.35 && i < N) { for (; i < N; i++) { arr[i] = (char *)wl_alloc(0, 1024); memset(arr[i], 0, 1024); } }
      if (x >= 0.35 && !strcmp(WL.phase, "at_beginning")) { if (e == 3 || e == 6) { pin = wl_alloc(0, 1); memset(pin, 0, 1); } wl_phase("allocated", "CACHE_WARMUP|LEAK|STABLE|INSUFFICIENT_DATA"); }
      if (x >= 0.5 && f < N) { for (; f < N; f++) wl_free(0, arr[f], 1024); wl_phase("freed", e == 3 || e == 6 ? "TOP_PINNED|POOL_GROWTH|INSUFFICIENT_DATA" : "STABLE|INSUFFICIENT_DATA"); }
      if (e == 6 && x >= 0.7 && !strcmp(WL.phase, "freed")) { int r = malloc_trim(0); wl_phase(r ? "trimmed_ret1" : "trimmed_ret0", "STABLE"); }
    }
    wl_tick(s);
  }
  wl_end(e == 3 ? "\"why\":\"one 32-byte chunk (malloc(1)) is the last used chunk under the top of the main arena\"" : "");
}
