/* SPDX-License-Identifier: Apache-2.0 */
/* The load falls by half while one class (chunk 400) is lost all the time. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;
	double due = 0, rate = 0.45e6 / 390 * 0.02;

	wl_init("own_leak_falling", argc, argv, 36, "LEAK", "LEAK",
		"STABLE|PERIODIC|NON_MALLOC_GROWTH|CACHE_WARMUP");
	WL.tag_name[1] = "leak";
	wl_start();
	live_init(&l, 60000, 500, 2400);
	live_resize(&l, 54000);
	wl_phase("falling", "LEAK|INSUFFICIENT_DATA|STABLE|POOL_GROWTH|"
			    "FRAGMENTATION");
	for (long s = 0; s < WL.nsteps; s++) {
		live_resize(&l, (long)(54000 - 27000 * progress(s)));
		live_churn(&l, 150);
		for (due += rate; due >= 1; due--)
			wl_touch(1, 390, 2);
		wl_tick(s);
	}
	wl_end("");
}
