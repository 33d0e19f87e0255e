/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded live set of 40 MB that wanders by a fifth and always comes back:
 * nothing is wrong. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;
	double at = 36000;

	wl_init("own_wander", argc, argv, 40, "STABLE", "STABLE|PERIODIC",
		"LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|TOP_PINNED");
	wl_start();
	live_init(&l, 60000, 40, 2200);
	live_resize(&l, 36000);
	wl_phase("serving", "STABLE|INSUFFICIENT_DATA|PERIODIC");
	for (long s = 0; s < WL.nsteps; s++) {
		at += (wl_u01() - 0.5) * 1400 + (36000 - at) * 0.01;
		live_resize(&l, (long)at);
		live_churn(&l, 100);
		wl_tick(s);
	}
	wl_end("");
}
