/* SPDX-License-Identifier: Apache-2.0 */
/* A static table of 120 MB is filled slowly; malloc is busy and flat. */
#include "live.h"

static volatile char table[120 << 20];

int main(int argc, char **argv)
{
	struct live l;
	size_t at = 0;

	wl_init("own_bss_growth", argc, argv, 32, "NON_MALLOC_GROWTH",
		"NON_MALLOC_GROWTH",
		"LEAK|STABLE|POOL_GROWTH|FRAGMENTATION|CACHE_WARMUP|"
		"ARENA_PROLIFERATION");
	wl_start();
	live_init(&l, 9000, 40, 2400);
	live_resize(&l, 8000);
	wl_phase("growing", "NON_MALLOC_GROWTH|INSUFFICIENT_DATA");
	for (long s = 0; s < WL.nsteps; s++) {
		live_churn(&l, 150);
		for (int k = 0; k < 8 + (int)(wl_rnd() % 12); k++, at += 4096)
			table[at % sizeof(table)] = 1;
		wl_tick(s);
	}
	wl_end("");
}
