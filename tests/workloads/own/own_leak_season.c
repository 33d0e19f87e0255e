/* SPDX-License-Identifier: Apache-2.0 */
/* A load that swings by a third, six times in the run, and a leak under it
 * that adds a third of the level in all. */
#include "live.h"
#include <math.h>

int main(int argc, char **argv)
{
	struct live l;
	double due = 0, rate = 0.3e6 / 400 * 0.02;

	wl_init("own_leak_season", argc, argv, 44, "LEAK", "LEAK",
		"STABLE|NON_MALLOC_GROWTH|CACHE_WARMUP");
	WL.tag_name[1] = "leak";
	wl_start();
	live_init(&l, 60000, 100, 1900);
	wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|POOL_GROWTH|"
			    "PERIODIC|FRAGMENTATION|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		double wave = sin(2 * M_PI * (6 * progress(s) - 0.25));

		live_resize(&l, (long)(30000 + 10000 * wave));
		live_churn(&l, 150);
		for (due += rate; due >= 1; due--)
			wl_touch(1, 400, 2);
		wl_tick(s);
	}
	wl_end("");
}
