/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of 30 to 120 KB come in irregular bursts, higher ones early, then
 * fewer; small session records lie between them. All is freed in the end. */
#include "live.h"

int main(int argc, char **argv)
{
	struct live sessions, buffers;
	long burst = 0, next = 50, high = 0;

	wl_init("own_pool_bursts", argc, argv, 40, "POOL_GROWTH",
		"POOL_GROWTH|TOP_PINNED",
		"LEAK|NON_MALLOC_GROWTH|ARENA_PROLIFERATION|CACHE_WARMUP");
	wl_start();
	live_init(&sessions, 5000, 100, 900);
	live_init(&buffers, 3000, 30000, 120000);
	live_resize(&sessions, 1000);
	wl_phase("bursts", "POOL_GROWTH|INSUFFICIENT_DATA|STABLE|PERIODIC|"
			   "TOP_PINNED|FRAGMENTATION");
	for (long s = 0; s < WL.nsteps; s++) {
		if (s >= next && progress(s) < 0.7) {
			burst = (long)wl_rng(20, 50);
			high = (long)wl_rng(300, 1300);
			next = s + burst + (long)wl_rng(60, 200);
		}
		if (burst-- > 0) {
			live_resize(&buffers, high);
			live_churn(&buffers, 20);
		} else {
			live_resize(&buffers, 4);
		}
		live_churn(&sessions, 20);
		wl_tick(s);
	}
	wl_end("");
}
