/* SPDX-License-Identifier: Apache-2.0 */
/* Flat and busy for 55 % of the run, then 300-byte blocks are lost at
 * 0.5 MB/s: a new code path was taken. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;
	double due = 0, rate = 0.5e6 / 300 * 0.02;

	wl_init("own_leak_late", argc, argv, 38, "LEAK", "LEAK", FORBID_LEAK);
	WL.tag_name[1] = "leak";
	wl_start();
	live_init(&l, 20000, 40, 3000);
	live_resize(&l, 16000);
	wl_phase("flat", "STABLE|INSUFFICIENT_DATA");
	for (long s = 0; s < WL.nsteps; s++) {
		live_churn(&l, 200);
		if (progress(s) >= 0.55) {
			if (!strcmp(WL.phase, "flat"))
				wl_phase("leaking", "LEAK|STABLE|CACHE_WARMUP");
			for (due += rate; due >= 1; due--)
				wl_touch(1, 300, 2);
		}
		wl_tick(s);
	}
	wl_end("");
}
