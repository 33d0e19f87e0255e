/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Main arenas that are not one run of brk:
 *   odd_heap plain    nothing odd, for comparison
 *   odd_heap foreign  somebody else takes memory with sbrk in between
 *   odd_heap blocked  brk cannot grow: the arena goes on in mappings
 *   odd_heap second   a second libc in its own namespace, with its own heap
 * Prints one line with what mallinfo2 says, then waits.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCKS 5000

static void *block[BLOCKS];

static void take_brk(void)
{
	char *taken = sbrk(50000);

	if (taken != (void *)-1)
		memset(taken, 7, 50000);
}

static void block_brk(void)
{
	uintptr_t behind = ((uintptr_t)sbrk(0) + 8191) & ~(uintptr_t)4095;

	if (mmap((void *)behind, 4096, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		_exit(3);
}

static void use_second_libc(void)
{
	void *libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	void *(*other_malloc)(size_t) = NULL;
	void (*other_free)(void *) = NULL;
	static void *p[2000];

	if (!libc)
		_exit(4);
	*(void **)&other_malloc = dlsym(libc, "malloc");
	*(void **)&other_free = dlsym(libc, "free");
	for (int i = 0; i < 2000; i++)
		p[i] = other_malloc(2000);
	for (int i = 0; i < 2000; i += 2)
		other_free(p[i]);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "plain";
	static char out[4096];
	struct mallinfo2 m;

	setvbuf(stdout, out, _IOFBF, sizeof(out));
	for (int i = 0; i < 300; i++)
		block[i] = malloc(1000 + (size_t)i);
	if (strcmp(kind, "foreign") == 0)
		take_brk();
	if (strcmp(kind, "blocked") == 0)
		block_brk();
	for (int i = 300; i < BLOCKS; i++)
		block[i] = malloc(1000 + (size_t)i % 3000);
	for (int i = 0; i < BLOCKS; i += 3)
		free(block[i]);
	if (strcmp(kind, "second") == 0)
		use_second_libc();
	m = mallinfo2();
	printf("mallinfo %zu %zu %zu %zu\n", m.arena, m.uordblks, m.fordblks,
	       m.keepcost);
	fflush(stdout);
	pause();
	return 0;
}
