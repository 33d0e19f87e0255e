/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spacious MIB [FREE [BYTES]]: a heap of MIB of which every FREE-th chunk (200)
 * is free: large beside what malloc keeps of it. Then, each 10 ms, loses BYTES
 * more (0) in chunks of 700. Prints "ready".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOST 700

static void build(size_t bytes, size_t every)
{
	size_t n = bytes / 1000;
	void **block = malloc(n * sizeof(*block));

	if (!block)
		abort();
	for (size_t i = 0; i < n; i++) {
		block[i] = malloc(500 + i * 2654435761u % 1000);
		if (!block[i])
			abort();
		*(char *)block[i] = 1;
	}
	for (size_t i = 0; i < n; i++)
		if (i % every == 0)
			free(block[i]);
}

int main(int argc, char **argv)
{
	size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 64;
	size_t every = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
	size_t lost = argc > 3 ? strtoul(argv[3], NULL, 10) : 0, owed = 0;

	build(mib << 20, every ? every : 200);
	puts("ready");
	fflush(stdout);
	for (;;) {
		usleep(10000);
		for (owed += lost; owed >= LOST; owed -= LOST) {
			char *p = malloc(LOST);

			if (p)
				memset(p, 1, LOST);
		}
	}
}
