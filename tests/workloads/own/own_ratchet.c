/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of 1, 2, 4 ... 24 MB are made and freed. Each first free of a size
 * raises the dynamic thresholds, so that frames move into the arena and the top
 * stays below twice the largest: kept for ever though nobody needs it. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;

	wl_init("own_ratchet", argc, argv, 30, "POOL_GROWTH",
		"POOL_GROWTH|PERIODIC",
		"LEAK|NON_MALLOC_GROWTH|FRAGMENTATION|ARENA_PROLIFERATION|"
		"CACHE_WARMUP|STABLE");
	wl_start();
	live_init(&l, 9000, 40, 2400);
	live_resize(&l, 6000);
	wl_phase("ratchet", "POOL_GROWTH|STABLE|INSUFFICIENT_DATA|PERIODIC");
	for (long s = 0; s < WL.nsteps; s++) {
		size_t mb = (size_t)1 << (int)(progress(s) / 0.1);

		live_churn(&l, 100);
		if (mb > 24)
			mb = 24;
		if (s % 40 == 0 && progress(s) < 0.75) {
			size_t z = mb << 20;
			void *frame = wl_touch(0, z, 1);

			wl_free(0, frame, z);
			frame = wl_touch(0, z, 1); /* now from the top */
			wl_free(0, frame, z);
		}
		wl_tick(s);
	}
	wl_end("");
}
