/* SPDX-License-Identifier: Apache-2.0 */
/*
 * planted [STALE]: holds structures in every way a program can, and plants
 * leaks: single chunks, lists, rings, trees. STALE: of a hundred slots of a
 * table of recycled chunks so many hold a word left over that points into a
 * leaked list.
 * Prints "leaked CHUNKS BYTES", the chunks' own sizes, then "ready"; runs until
 * it is ended.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	KEPT = 3000,
	SINGLES = 200,
	LISTS = 20,
	NODES = 50,
	RINGS = 10,
	TREES = 4,
	TREE_DEPTH = 6,
	SLOTS = 1000,
	SLOT_BYTES = 400,
	MMAP_FROM = 128 * 1024,
};

struct node {
	struct node *next;
	char text[72];
};
struct tree {
	struct tree *left, *right, *parent;
	char text[40];
};
struct slot {
	void *unused[SLOT_BYTES / sizeof(void *)];
};

/* Held from statics, by starts and from within. Not static in C's sense: the
 * compiler would drop what nobody reads. */
struct node *list;
char *inside;
struct slot *slots[SLOTS];
void **table;
struct tree *kept_tree;
void *relocated;
__thread struct node *own_list;
static uint64_t leaked_chunks, leaked_bytes;

static void *zeroed(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		abort();
	return p;
}

/* A chunk that is leaked from now on. */
static void *lost(size_t bytes)
{
	void *p = zeroed(bytes);

	leaked_chunks++;
	/* An mmapped chunk has no neighbour whose first word is its last. */
	leaked_bytes += malloc_usable_size(p) +
			(bytes < MMAP_FROM ? 1 : 2) * sizeof(size_t);
	return p;
}

static struct node *chain(size_t n, void *(*take)(size_t), struct node *end)
{
	while (n--) {
		struct node *e = take(sizeof(*e));

		e->next = end;
		end = e;
	}
	return end;
}

static struct tree *grow(int depth, struct tree *parent, void *(*take)(size_t))
{
	struct tree *t = depth ? take(sizeof(*t)) : NULL;

	if (!t)
		return NULL;
	t->parent = parent;
	t->left = grow(depth - 1, t, take);
	t->right = grow(depth - 1, t, take);
	return t;
}

/* Addresses of leaked heads as no word of the program has them. */
static uintptr_t heads[LISTS];

static __attribute__((noinline)) void plant(void)
{
	for (int i = 0; i < SINGLES; i++)
		lost(16 + (size_t)i * 8 % 3000);
	for (int i = 0; i < LISTS; i++)
		heads[i] = (uintptr_t)chain(NODES, lost, NULL) ^ ~(uintptr_t)0;
	for (int i = 0; i < RINGS; i++) {
		struct node *last = lost(sizeof(*last));

		last->next = chain(NODES, lost, last);
	}
	for (int i = 0; i < TREES; i++)
		grow(TREE_DEPTH, NULL, lost);
	lost(300000); /* mmapped */
	*(struct node **)lost(100000) = chain(10, lost, NULL);
}

static __attribute__((noinline)) void keep(int stale)
{
	uint32_t random = 7;

	list = chain(KEPT, zeroed, NULL);
	kept_tree = grow(8, NULL, zeroed);
	inside = (char *)zeroed(5000) + 2345;
	relocated = zeroed(400000); /* mmapped, and holds the only pointer: */
	*(struct node **)((char *)relocated + 300000) =
		chain(100, zeroed, NULL);
	table = zeroed(1000 * sizeof(*table));
	for (int i = 0; i < 1000; i++)
		table[i] = zeroed(24);
	for (int i = 0; i < SLOTS; i++) {
		slots[i] = zeroed(sizeof(*slots[i]));
		random = random * 1103515245 + 12345;
		if ((int)(random >> 16) % 100 < stale)
			slots[i]->unused[(random >> 8) %
					 (SLOT_BYTES / sizeof(void *))] =
				(void *)~heads[(unsigned)i % LISTS];
	}
}

/* What was left on this stack by planting is gone. */
static __attribute__((noinline)) void wipe(void)
{
	volatile char room[65536];

	memset((char *)room, 0, sizeof(room));
}

static void *other_thread(void *arg)
{
	struct node *on_stack = chain(50, zeroed, NULL);

	own_list = chain(50, zeroed, NULL);
	pthread_barrier_wait(arg);
	for (;;) {
		/* asleep nearly always; the value lives across the call */
		usleep(1000);
		__asm__ volatile("" : "+r"(on_stack));
	}
	return on_stack;
}

int main(int argc, char **argv)
{
	struct node *on_stack = chain(50, zeroed, NULL);
	pthread_barrier_t barrier;
	pthread_t thread;

	own_list = chain(50, zeroed, NULL);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, other_thread, &barrier);
	pthread_barrier_wait(&barrier);
	plant();
	wipe();
	keep(argc > 1 ? atoi(argv[1]) : 0);
	wipe();
	printf("leaked %lu %lu\nready\n", leaked_chunks, leaked_bytes);
	fflush(stdout);
	for (;;) {
		pause();
		__asm__ volatile("" : "+r"(on_stack));
	}
}
