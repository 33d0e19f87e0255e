/* SPDX-License-Identifier: Apache-2.0 */
/* Request bursts triple the live set at random moments for a second or two;
 * 150 to 900 byte blocks are lost at 0.4 MB/s underneath. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live l;
	double due = 0, rate = 0.4e6 / 525 * 0.02;
	long burst = 0, next = 60;

	wl_init("own_leak_bursts", argc, argv, 42, "LEAK", "LEAK",
		"STABLE|PERIODIC|NON_MALLOC_GROWTH|CACHE_WARMUP");
	WL.tag_name[1] = "leak";
	wl_start();
	live_init(&l, 40000, 40, 2000);
	live_resize(&l, 12000);
	wl_phase("leaking", "LEAK|INSUFFICIENT_DATA|STABLE|POOL_GROWTH|"
			    "FRAGMENTATION|PERIODIC|CACHE_WARMUP");
	for (long s = 0; s < WL.nsteps; s++) {
		if (s >= next) {
			burst = (long)wl_rng(30, 80);
			next = s + burst + (long)wl_rng(60, 260);
		}
		live_resize(&l, burst-- > 0 ? 36000 : 12000);
		live_churn(&l, 150);
		for (due += rate; due >= 1; due--)
			wl_touch(1, wl_rng(150, 900), 2);
		wl_tick(s);
	}
	wl_end("");
}
