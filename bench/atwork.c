/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atwork MIB [RATE [LAZY [LEAK]]]: a heap of MIB at work: each millisecond it
 * frees blocks here and there and allocates others, RATE MiB a second of each
 * (2). LAZY: the share of the heap in large blocks of which the first page
 * alone is ever touched (0). LEAK: KiB a second that it loses (0). Some 1 % of
 * the heap is free. Prints "READY PID".
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LARGE_LEAST (32u << 10)
#define LARGE_MOST  (128u << 10)

struct block {
	void *p;
	uint32_t size;
};

static struct block *blocks;
static size_t n;
static double lazy;
static uint64_t chance = 0x9E3779B97F4A7C15u;

static uint64_t draw(uint64_t below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance % below;
}

/* Mostly small, as programs have them; 500 bytes in the mean. */
static uint32_t pick_size(void)
{
	uint64_t kind = draw(100);

	if (kind < 60)
		return (uint32_t)(24 + draw(200));
	if (kind < 98)
		return (uint32_t)(200 + draw(1000));
	return (uint32_t)(1200 + draw(12000));
}

static uint32_t fill(struct block *b, uint32_t size)
{
	b->size = size;
	b->p = malloc(size);
	if (!b->p)
		abort();
	*(char *)b->p = 1;
	return size;
}

static void build(uint64_t bytes)
{
	uint64_t large = (uint64_t)((double)bytes * lazy), in_large = 0,
		 done = 0;

	for (size_t room = 0; done < bytes;) {
		if (n == room) {
			room = room * 2 + 1024;
			blocks = realloc(blocks, room * sizeof(*blocks));
			if (!blocks)
				abort();
		}
		if ((double)in_large < (double)done * lazy &&
		    in_large < large) {
			uint32_t size = fill(
				&blocks[n++],
				(uint32_t)(LARGE_LEAST +
					   draw(LARGE_MOST - LARGE_LEAST)));

			in_large += size;
			done += size;
		} else {
			done += fill(&blocks[n++], pick_size());
		}
	}
}

/* Another in its place, of its kind. */
static uint32_t replace(struct block *b)
{
	uint32_t old = b->size;

	free(b->p);
	fill(b, old < LARGE_LEAST ? pick_size()
				  : (uint32_t)(LARGE_LEAST +
					       draw(LARGE_MOST - LARGE_LEAST)));
	return old;
}

/* What was freed long ago. */
static void open_gaps(void)
{
	for (size_t i = 0; i < n / 100; i++) {
		struct block *b = &blocks[draw(n)];

		free(b->p);
		*b = blocks[--n];
	}
}

int main(int argc, char **argv)
{
	uint64_t bytes = (argc > 1 ? strtoull(argv[1], NULL, 10) : 64) << 20;
	double rate = (argc > 2 ? atof(argv[2]) : 2) * 1048576 / 1000, owed = 0;

	double leak = (argc > 4 ? atof(argv[4]) : 0) * 1024 / 1000, lost = 0;

	lazy = argc > 3 ? atof(argv[3]) : 0;
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	build(bytes);
	open_gaps();
	printf("READY %d\n", (int)getpid());
	fflush(stdout);
	for (;;) {
		struct timespec tick = {.tv_nsec = 1000000};

		nanosleep(&tick, NULL);
		for (lost += leak; lost > 0;) {
			struct block gone;

			lost -= fill(&gone, pick_size());
		}
		for (owed += rate; owed > 0;)
			owed -= replace(&blocks[draw(n)]);
	}
}
