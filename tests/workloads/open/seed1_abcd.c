/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds 1 and 4: A=malloc(30K) B=malloc(40K) C=malloc(200K) D=malloc(100K); free(C): unmapped at once; free(B): a hole, nothing
 * returned; free(D): B+D merge, and the article says "140K free at the top > 128K: trimmed".
 * --mode dyn (default): glibc defaults. free(C) raised the trim threshold to 2 x 204800, so free(D) trims NOTHING (refutes the article).
 * --mode fixed: mallopt(M_TRIM_THRESHOLD,128K) first: the dynamic threshold is off and free(D) trims, as the article says. */
#include "../wl.h"
int main(int argc, char **argv) {
  const char *mode = wl_arg(argc, argv, "--mode", "dyn");
  wl_init("seed1_abcd", argc, argv, 14, "STABLE", "STABLE", "LEAK|NON_MALLOC_GROWTH|FRAGMENTATION|ARENA_PROLIFERATION|POOL_GROWTH|TOP_PINNED|CACHE_WARMUP");
  WL.mode = mode; if (!strcmp(mode, "fixed")) { mallopt(M_TRIM_THRESHOLD, 128 * 1024); mallopt(M_TOP_PAD, 0); }
  wl_start(); wl_phase("start", "STABLE|INSUFFICIENT_DATA"); double h = WL.duration / 8;
  char *A = (char *)wl_touch(0, 30 << 10, 1); wl_phase("A_30K", "STABLE|INSUFFICIENT_DATA"); wl_hold(h);
  char *B = (char *)wl_touch(0, 40 << 10, 1); wl_phase("B_40K", "STABLE|INSUFFICIENT_DATA"); wl_hold(h);
  char *C = (char *)wl_touch(0, 200 << 10, 1); wl_phase("C_200K", "STABLE|INSUFFICIENT_DATA"); wl_hold(h);
  char *D = (char *)wl_touch(0, 100 << 10, 1); wl_phase("D_100K", "STABLE|INSUFFICIENT_DATA"); wl_hold(h);
  wl_free(0, C, 200 << 10); wl_phase("free_C", "STABLE|INSUFFICIENT_DATA"); wl_hold(h);
  wl_free(0, B, 40 << 10); wl_phase("free_B", "STABLE|INSUFFICIENT_DATA"); wl_hold(h);
  wl_free(0, D, 100 << 10); wl_phase("free_D", "STABLE|INSUFFICIENT_DATA"); wl_hold(2 * h);
  (void)A; wl_end("");
}
