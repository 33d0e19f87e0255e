/* SPDX-License-Identifier: Apache-2.0 */
/* A cache with 40,000 keys that fills with tau = 22 % of the run, while a
 * smaller live set wanders beside it. */
#include "live.h"
#include <math.h>

int main(int argc, char **argv)
{
	struct live cache, l;

	wl_init("own_long_warmup", argc, argv, 44, "CACHE_WARMUP",
		"CACHE_WARMUP|STABLE",
		"LEAK|POOL_GROWTH|NON_MALLOC_GROWTH|FRAGMENTATION|PERIODIC");
	wl_start();
	live_init(&cache, 40000, 300, 2200);
	live_init(&l, 9000, 40, 900);
	wl_phase("warming", "CACHE_WARMUP|LEAK|INSUFFICIENT_DATA|STABLE");
	for (long s = 0; s < WL.nsteps; s++) {
		double x = progress(s);

		live_resize(&cache, (long)(38000 * (1 - exp(-x / 0.22))));
		live_resize(&l, 6000 + (long)(wl_rnd() % 2000));
		if (x > 0.9 && !strcmp(WL.phase, "warming"))
			wl_phase("warm", "CACHE_WARMUP|STABLE");
		wl_tick(s);
	}
	wl_end("");
}
