/* SPDX-License-Identifier: Apache-2.0 */
/* Seed 2: "a short program that allocates and never frees"; pmap -d's writeable/private climbs. The program prints its own
 * writeable/private (sum of the sizes of private writable mappings in /proc/self/maps - what pmap -d sums) at each phase.
 * --mode touch (default): blocks are written: writeable/private, RSS and USS all climb.
 * --mode lazy: blocks are never written: writeable/private climbs, RSS and USS hardly move (64 KB blocks, 2 KB of each written). */
#include "../wl.h"
static long writable_private_kb(void) {
  FILE *f = NULL; (void)f; int fd = open("/proc/self/maps", O_RDONLY); static char b[1 << 18]; size_t n = 0; ssize_t r; while (n < sizeof b - 1 && (r = read(fd, b + n, sizeof b - 1 - n)) > 0) n += (size_t)r; b[n] = 0; close(fd);
  long kb = 0; for (char *p = b; p && *p;) { unsigned long x, y; char pr[5]; if (sscanf(p, "%lx-%lx %4s", &x, &y, pr) == 3 && pr[1] == 'w' && pr[3] == 'p') kb += (long)((y - x) / 1024); p = strchr(p, '\n'); if (p) p++; } return kb;
}
int main(int argc, char **argv) {
  const char *mode = wl_arg(argc, argv, "--mode", "touch"); int lazy = !strcmp(mode, "lazy");
  wl_init("seed2_pmap", argc, argv, 30, "LEAK", lazy ? "LEAK|STABLE" : "LEAK", lazy ? "NON_MALLOC_GROWTH|FRAGMENTATION|POOL_GROWTH" : "STABLE|POOL_GROWTH|CACHE_WARMUP|PERIODIC|NON_MALLOC_GROWTH|FRAGMENTATION");
  WL.mode = mode; WL.tag_name[0] = "leak"; wl_start(); long w0 = writable_private_kb(); wl_phase("start", "INSUFFICIENT_DATA|STABLE|LEAK"); static char ex[200];
  for (long s = 0; s < WL.nsteps; s++) {
    if (lazy) { if (s % 4 == 0) { char *p = (char *)wl_alloc(0, 65536); memset(p, 1, 2048); } }
    else for (int k = 0; k < (int)(60 * WL.scale + 0.5); k++) wl_touch(0, 100, 1);
    if (s == WL.nsteps / 2) wl_phase("half", "LEAK|INSUFFICIENT_DATA");
    wl_tick(s);
  }
  snprintf(ex, sizeof ex, "\"reachable\":false,\"writeable_private_kb_start\":%ld,\"writeable_private_kb_end\":%ld", w0, writable_private_kb()); wl_end(ex);
}
