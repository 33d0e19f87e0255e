/* SPDX-License-Identifier: Apache-2.0 */
/* An import makes 300,000 records of 200 to 500 bytes; one in seven is kept.
 * Nearly every page holds a survivor: free memory that nobody can return. */
#include "live.h"

#define N 300000
static void *p[N];
static unsigned z[N];

int main(int argc, char **argv)
{
	long i = 0;

	wl_init("own_mixed_life", argc, argv, 30, "FRAGMENTATION",
		"FRAGMENTATION",
		"LEAK|NON_MALLOC_GROWTH|STABLE|TOP_PINNED|ARENA_PROLIFERATION|"
		"CACHE_WARMUP");
	wl_start();
	memset(p, 0, sizeof(p));
	memset(z, 1, sizeof(z));
	wl_phase("import", "INSUFFICIENT_DATA|CACHE_WARMUP|LEAK|STABLE");
	for (long s = 0; s < WL.nsteps; s++) {
		long upto = (long)(N * progress(s) / 0.35);

		for (; i < upto && i < N; i++) {
			z[i] = (unsigned)wl_rng(200, 500);
			p[i] = wl_touch(0, z[i], 1);
		}
		if (progress(s) >= 0.5 && p[0]) {
			for (long k = 0; k < N; k++) {
				if (k % 7 != 3) {
					wl_free(0, p[k], z[k]);
					p[k] = NULL;
				}
			}
			wl_phase("imported",
				 "FRAGMENTATION|POOL_GROWTH|"
				 "INSUFFICIENT_DATA|LEAK|CACHE_WARMUP|STABLE");
		}
		wl_tick(s);
	}
	wl_end("");
}
