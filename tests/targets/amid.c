/* SPDX-License-Identifier: Apache-2.0 */
/*
 * amid: large chunks of malloc's amid mappings that are not malloc's, as an
 * allocator of objects makes them beside it: only a search of every page finds
 * their headers. Prints "ready". On "move" another chunk takes the place of
 * the first and "moved" is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL  ((size_t)1 << 20)
#define POOLS 6

static void pools(void)
{
	for (int i = 0; i < POOLS; i++) {
		char *at = mmap(NULL, POOL, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			_exit(1);
		memset(at, 0x5a, POOL);
	}
}

static char *volatile kept[3];

static void keep(int i, size_t size)
{
	kept[i] = malloc(size);
	if (!kept[i])
		_exit(1);
	memset(kept[i], 1, size);
	pools();
}

static void say(const char *what)
{
	puts(what);
	fflush(stdout);
}

int main(void)
{
	char line[16];

	pools();
	keep(0, 300000);
	keep(1, 400000);
	say("ready");
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	free(kept[0]);
	pools();
	keep(2, 500000);
	say("moved");
	for (;;)
		pause();
}
