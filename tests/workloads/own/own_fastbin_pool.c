/* SPDX-License-Identifier: Apache-2.0 */
/* A linked list of a million small nodes is freed: glibc keeps them in
 * fastbins, unmerged, until something large is asked for. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;

	wl_init("own_fastbin_pool", argc, argv, 28, "POOL_GROWTH",
		"POOL_GROWTH",
		"LEAK|NON_MALLOC_GROWTH|FRAGMENTATION|ARENA_PROLIFERATION|"
		"CACHE_WARMUP|STABLE");
	wl_start();
	live_init(&l, 800000, 40, 100);
	wl_phase("build", "INSUFFICIENT_DATA|CACHE_WARMUP|LEAK|STABLE");
	for (long s = 0; s < WL.nsteps; s++) {
		double x = progress(s);

		if (x < 0.4)
			live_resize(&l, (long)(800000 * x / 0.4));
		else if (x >= 0.5 && l.n) {
			while (l.n)
				live_drop(&l, l.n - 1);
			wl_phase("freed", "POOL_GROWTH|INSUFFICIENT_DATA|"
					  "STABLE");
		}
		wl_tick(s);
	}
	wl_end("");
}
