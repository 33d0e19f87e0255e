/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Main arenas that are not one run of brk:
 *   odd_heap plain    nothing odd, for comparison
 *   odd_heap foreign  somebody else takes memory with sbrk in between
 *   odd_heap strangers  the same, a hundred times
 *   odd_heap large    the same, once, 120 MB that are no whole pages
 *   odd_heap blocked  brk cannot grow: the arena goes on in mappings
 *   odd_heap gap_top  somebody else took 16 bytes right in front of the top
 *   odd_heap gaps_blocked     foreign twice, then blocked
 *   odd_heap blocked_gap      blocked, then foreign, then brk can grow again
 *   odd_heap untouched        nobody ever called malloc
 *   odd_heap second   a second libc in its own namespace, with its own heap
 *   odd_heap libcs    three of them, whose heaps lie side by side
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

static void take_brk(size_t size)
{
	char *taken = sbrk((intptr_t)size);

	if (taken != (void *)-1)
		memset(taken, 7, size);
}

static void *obstacle;

static void block_brk(void)
{
	uintptr_t behind = ((uintptr_t)sbrk(0) + 8191) & ~(uintptr_t)4095;

	obstacle =
		mmap((void *)behind, 4096, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (obstacle == MAP_FAILED)
		_exit(3);
}

static void unblock_brk(void)
{
	munmap(obstacle, 4096);
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

/* What happens to brk when so many blocks have been allocated. */
static void disturb(const char *kind, int blocks)
{
	static const struct {
		const char *kind;
		int blocks;
		size_t take;
		void (*then)(void);
	} steps[] = {
		{"foreign", 300, 50000, NULL},
		{"large", 300, 120000008, NULL},
		{"blocked", 300, 0, block_brk},
		{"gaps_blocked", 300, 5000, NULL},
		{"gaps_blocked", 900, 70000, NULL},
		{"gaps_blocked", 1500, 0, block_brk},
		{"blocked_gap", 300, 16, NULL},
		{"blocked_gap", 900, 0, block_brk},
		{"blocked_gap", 1500, 0, unblock_brk},
		{"blocked_gap", 1501, 8192, NULL},
	};

	if (strcmp(kind, "strangers") == 0 && blocks % 50 == 0)
		take_brk(50000);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(steps[i].kind, kind) != 0 ||
		    steps[i].blocks != blocks)
			continue;
		if (steps[i].take)
			take_brk(steps[i].take);
		if (steps[i].then)
			steps[i].then();
	}
}

/* A chunk that the rest of the top does not hold: malloc goes on behind what
 * was taken, and its top is the first thing there. */
static void leave_gap_at_top(void)
{
	void *p;

	take_brk(16);
	p = malloc(120000);
	if (!p)
		_exit(5);
	free(p);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "plain";
	static char out[4096];
	struct mallinfo2 m;

	setvbuf(stdout, out, _IOFBF, sizeof(out));
	if (strcmp(kind, "untouched") == 0) {
		printf("mallinfo 0 0 0 0\n");
		fflush(stdout);
		pause();
	}
	for (int i = 0; i < BLOCKS; i++) {
		block[i] = malloc(1000 + (size_t)i % 3000);
		disturb(kind, i + 1);
	}
	for (int i = 0; i < BLOCKS; i += 3)
		free(block[i]);
	if (strcmp(kind, "gap_top") == 0)
		leave_gap_at_top();
	for (int i = 0; i < 3 && strcmp(kind, "libcs") == 0; i++)
		use_second_libc();
	if (strcmp(kind, "second") == 0)
		use_second_libc();
	m = mallinfo2();
	printf("mallinfo %zu %zu %zu %zu\n", m.arena, m.uordblks, m.fordblks,
	       m.keepcost);
	fflush(stdout);
	pause();
	return 0;
}
