/* SPDX-License-Identifier: Apache-2.0 */
/* A report of 60 MB is built in 24 KB pieces; while it is at its largest the
 * logger makes its one buffer, then the report goes. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l, report;
	void *pin = NULL;

	wl_init("own_pinned_log", argc, argv, 30, "TOP_PINNED", "TOP_PINNED",
		"LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|STABLE");
	wl_start();
	live_init(&l, 3000, 2000, 3000);
	live_init(&report, 4000, 24000, 24000);
	live_resize(&l, 1500);
	wl_phase("quiet", "STABLE|INSUFFICIENT_DATA");
	for (long s = 0; s < WL.nsteps; s++) {
		double x = progress(s);

		if (x >= 0.25 && x < 0.45)
			live_resize(&report, (long)(2600 * (x - 0.25) / 0.2));
		if (x >= 0.25 && !strcmp(WL.phase, "quiet"))
			wl_phase("report", "LEAK|CACHE_WARMUP|STABLE|"
					   "INSUFFICIENT_DATA");
		if (x >= 0.45 && !pin) {
			pin = wl_touch(0, 4096, 1);
			live_resize(&report, 0);
			wl_phase("done", "TOP_PINNED|POOL_GROWTH|STABLE|"
					 "INSUFFICIENT_DATA");
		}
		wl_tick(s);
	}
	wl_end("");
}
