/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapstorm KINDS: one thread for each letter, none of which ever rests:
 *   p  maps, protects every second page, makes it one again, unmaps
 *   r  widens, narrows and moves one mapping
 *   f  maps over a reserve at random places, then gives all of it back
 *   m  allocates and frees blocks that malloc maps
 *   s  splits and joins the neighbours of a mapping that stays
 * Prints "ready" when they all run. Ends with its parent.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE	 ((size_t)4096)
#define WRITABLE (PROT_READ | PROT_WRITE)

static char *map_some(size_t pages, int access)
{
	char *p = mmap(NULL, pages * PAGE, access, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	return p;
}

static void *protecting(void *unused)
{
	(void)unused;
	for (;;) {
		char *p = map_some(64, WRITABLE);

		for (size_t i = 1; i < 64; i += 2)
			mprotect(p + i * PAGE, PAGE, PROT_READ);
		mprotect(p, 64 * PAGE, WRITABLE);
		munmap(p, 64 * PAGE);
	}
	return NULL;
}

static void *resizing(void *unused)
{
	unsigned seed = 1;
	size_t pages = 40;
	char *p = map_some(pages, WRITABLE);

	(void)unused;
	for (;;) {
		size_t to = 1 + (size_t)rand_r(&seed) % 300;

		p = mremap(p, pages * PAGE, to * PAGE, MREMAP_MAYMOVE);
		if (p == MAP_FAILED)
			_exit(1);
		pages = to;
		*p = 1;
	}
	return NULL;
}

static void *mapping_over(void *unused)
{
	const int fixed = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned seed = 2;
	char *reserve = map_some(4096, PROT_NONE);

	(void)unused;
	for (;;) {
		for (int i = 0; i < 200; i++) {
			size_t at = (size_t)rand_r(&seed) % 4000;
			size_t pages = 1 + (size_t)rand_r(&seed) % 30;

			mmap(reserve + at * PAGE, pages * PAGE,
			     i % 2 ? WRITABLE : PROT_READ, fixed, -1, 0);
		}
		mmap(reserve, 4096 * PAGE, PROT_NONE, fixed, -1, 0);
	}
	return NULL;
}

static void *allocating(void *unused)
{
	void *p[50];

	(void)unused;
	for (;;) {
		for (size_t i = 0; i < 50; i++) {
			p[i] = malloc(150000 + i * 1000);
			memset(p[i], 1, 10);
		}
		for (size_t i = 0; i < 50; i++)
			free(p[i]);
	}
	return NULL;
}

static void *splitting(void *unused)
{
	char *p = map_some(3, WRITABLE);

	(void)unused;
	for (;;) {
		mprotect(p, PAGE, PROT_READ);
		mprotect(p + 2 * PAGE, PAGE, PROT_READ);
		mprotect(p + PAGE, PAGE, PROT_READ);
		mprotect(p, 3 * PAGE, WRITABLE);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		char letter;
		void *(*run)(void *);
	} kinds[] = {{'p', protecting},
		     {'r', resizing},
		     {'f', mapping_over},
		     {'m', allocating},
		     {'s', splitting}};
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < 3000; i++)
		if (!malloc(i % 500))
			return 1;
	for (const char *k = argc > 1 ? argv[1] : "prfms"; *k; k++)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (kinds[i].letter == *k &&
			    pthread_create(&t, NULL, kinds[i].run, NULL) != 0)
				return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
