/* SPDX-License-Identifier: Apache-2.0 */
/* Growth outside malloc: a private slab allocator takes 1 MB mmap slabs, fills them and never gives them back (2.2 MB/s);
 * malloc itself is busy but flat. */
#include "../wl.h"
#define NB 8000
static void *b[NB]; static unsigned z[NB];
int main(int argc, char **argv) {
  wl_init("nonmalloc_mmap", argc, argv, 36, "NON_MALLOC_GROWTH", "NON_MALLOC_GROWTH", "LEAK|STABLE|POOL_GROWTH|FRAGMENTATION|CACHE_WARMUP|ARENA_PROLIFERATION");
  wl_start(); for (long i = 0; i < NB; i++) { z[i] = (unsigned)wl_rng(50, 2500); b[i] = wl_touch(0, z[i], 1); }
  wl_phase("growing", "NON_MALLOC_GROWTH|INSUFFICIENT_DATA"); char *slab = NULL; size_t used = 1 << 20; double acc = 0; long total = 0;
  for (long s = 0; s < WL.nsteps; s++) {
    for (int k = 0; k < 200; k++) { long i = (long)(wl_rnd() % NB); wl_free(0, b[i], z[i]); z[i] = (unsigned)wl_rng(50, 2500); b[i] = wl_touch(0, z[i], 2); }
    for (acc += 2.2e6 * WL.dt * WL.scale / WL.pace; acc > 96; acc -= 96) { if (used + 96 > 1 << 20) { slab = (char *)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); if (slab == MAP_FAILED) _exit(3); used = 0; } memset(slab + used, 5, 96); used += 96; total += 96; }
    wl_tick(s);
  }
  wl_end("\"own_allocator_Bps\":2200000");
}
