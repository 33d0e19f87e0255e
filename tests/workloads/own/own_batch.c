/* SPDX-License-Identifier: Apache-2.0 */
/* A batch job runs every 11 % of the run for a third of that time and builds
 * 45 MB; in between the process holds 8 MB. */
#include "live.h"
#include <math.h>

int main(int argc, char **argv)
{
	struct live base, job;

	wl_init("own_batch", argc, argv, 45, "PERIODIC",
		"PERIODIC|STABLE|POOL_GROWTH",
		"LEAK|NON_MALLOC_GROWTH|CACHE_WARMUP|ARENA_PROLIFERATION");
	wl_start();
	live_init(&base, 9000, 40, 1800);
	live_init(&job, 60000, 200, 1600);
	live_resize(&base, 9000);
	wl_phase("jobs", "PERIODIC|STABLE|POOL_GROWTH|INSUFFICIENT_DATA|"
			 "FRAGMENTATION|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		double at = fmod(progress(s), 0.11) / 0.11;

		live_churn(&base, 60);
		live_resize(&job, at < 0.2    ? (long)(50000 * at / 0.2)
				  : at < 0.34 ? 50000
					      : 0);
		wl_tick(s);
	}
	wl_end("");
}
