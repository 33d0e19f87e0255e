/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of thread-local variables: of the program (own: of one thread that is
 * not the first; all: of each of four; two: of two variables side by side), of
 * a library that is opened later (late), under a key (key); and on a thread's
 * stack (stack). Built with -DLATE -shared it is that library. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define COUNT	500

struct node {
	struct node *next;
	char rest[304];
};
#ifdef LATE
static __thread char before[100];
__thread struct node *the_late;

void keep(struct node *n)
{
	before[0]++;
	the_late = n;
}
#else
__thread long count;
__thread struct node *the_first, *the_own;
static pthread_key_t key;
static pthread_barrier_t built;
static const char *what;

static struct node *chain(int n)
{
	struct node *head = NULL;

	while (n--) {
		struct node *one = calloc(1, sizeof(*one));

		one->next = head;
		head = one;
	}
	return head;
}

static void build_late(void)
{
	void (*keep)(struct node *);
	void *library = dlopen("./late.so", RTLD_NOW);

	*(void **)&keep = library ? dlsym(library, "keep") : NULL;
	if (!keep)
		exit(1);
	keep(chain(COUNT));
}

static void build(int i)
{
	struct node *volatile on_stack = NULL;

	count++;
	if (strcmp(what, "all") == 0 || (strcmp(what, "own") == 0 && i == 2))
		the_own = chain(COUNT);
	if (strcmp(what, "two") == 0) {
		the_first = chain(10);
		the_own = chain(COUNT);
	}
	if (strcmp(what, "late") == 0)
		build_late();
	if (strcmp(what, "key") == 0)
		pthread_setspecific(key, chain(COUNT));
	if (strcmp(what, "stack") == 0 && i == 1)
		on_stack = chain(COUNT);
	pthread_barrier_wait(&built);
	for (;;)
		pause();
	(void)on_stack;
}

static void *begin(void *i)
{
	build((int)(intptr_t)i);
	return NULL;
}

int main(int argc, char **argv)
{
	what = argc > 1 ? argv[1] : "own";
	pthread_barrier_init(&built, NULL, THREADS + 1);
	pthread_key_create(&key, NULL);
	pthread_key_create(&key, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, begin, (void *)(intptr_t)i);
	}
	pthread_barrier_wait(&built);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
#endif
