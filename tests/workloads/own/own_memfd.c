/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory (a memfd) is written further and further: RSS grows, no byte of
 * it anonymous, no byte of it malloc's. */
#include "live.h"

int main(int argc, char **argv)
{
	const size_t size = 160 << 20;
	struct live l;
	size_t at = 0;
	int fd = memfd_create("ring", MFD_CLOEXEC);
	char *m;

	wl_init("own_memfd", argc, argv, 32, "NON_MALLOC_GROWTH",
		"NON_MALLOC_GROWTH",
		"LEAK|STABLE|POOL_GROWTH|FRAGMENTATION|CACHE_WARMUP|"
		"ARENA_PROLIFERATION");
	if (fd < 0 || ftruncate(fd, (off_t)size))
		return 3;
	m = (char *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	wl_start();
	live_init(&l, 9000, 40, 2400);
	live_resize(&l, 8000);
	wl_phase("growing", "NON_MALLOC_GROWTH|INSUFFICIENT_DATA");
	for (long s = 0; s < WL.nsteps; s++) {
		live_churn(&l, 150);
		for (int k = 0; k < 14 && at < size; k++, at += 4096)
			m[at] = 1;
		wl_tick(s);
	}
	wl_end("");
}
