/* SPDX-License-Identifier: Apache-2.0 */
/* A nightly job in small: every 7 to 10 % of the run it loses what it built
 * (1.4 MB of 700-byte blocks) at once; between the steps all is flat. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;
	double next = 0.06;

	wl_init("own_leak_stairs", argc, argv, 40, "LEAK", "LEAK", FORBID_LEAK);
	WL.tag_name[1] = "leak";
	wl_start();
	live_init(&l, 20000, 40, 2600);
	live_resize(&l, 15000);
	wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		live_churn(&l, 150);
		if (progress(s) >= next) {
			for (int i = 0; i < 2000; i++)
				wl_touch(1, 700, 2);
			next += 0.07 + 0.03 * wl_u01();
		}
		wl_tick(s);
	}
	wl_end("");
}
