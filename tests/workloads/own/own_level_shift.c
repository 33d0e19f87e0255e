/* SPDX-License-Identifier: Apache-2.0 */
/* A table of 36 MB is loaded in one go at 45 % of the run; flat before and
 * after. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l, table;

	wl_init("own_level_shift", argc, argv, 34, "STABLE",
		"STABLE|CACHE_WARMUP",
		"LEAK|NON_MALLOC_GROWTH|POOL_GROWTH|FRAGMENTATION|PERIODIC|"
		"ARENA_PROLIFERATION|TOP_PINNED");
	wl_start();
	live_init(&l, 20000, 40, 2400);
	live_init(&table, 50000, 700, 800);
	live_resize(&l, 15000);
	wl_phase("flat", "STABLE|INSUFFICIENT_DATA");
	for (long s = 0; s < WL.nsteps; s++) {
		live_churn(&l, 200);
		if (progress(s) >= 0.45 && !table.n) {
			live_resize(&table, 50000);
			wl_phase("loaded", "STABLE|CACHE_WARMUP");
		}
		wl_tick(s);
	}
	wl_end("");
}
