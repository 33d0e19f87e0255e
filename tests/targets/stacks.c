/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks: what the program means lies beside stacks, and on stacks that no
 * thread runs on. A thread's stack is the middle of a larger mapping, whose
 * rest holds chunks; another's is a static array, with statics beside it; main
 * runs on a fiber in a mapping of many, and a fiber below that one is the only
 * one to have a list. What lies below a stack's pointer is over: each thread
 * left addresses of chunks there, which are leaked. Prints "leaked CHUNKS
 * BYTES", then "ready"; runs until it is ended.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { STACK = 1 << 20, HELD = 500, LOST = 100, FIBERS = 3 };

struct node {
	struct node *next;
	char text[100];
};

/* Not static in C's sense: the compiler would drop what nobody reads. */
struct {
	void *before[HELD];
	char stack[STACK] __attribute__((aligned(4096)));
	void *behind[HELD];
} statics __attribute__((aligned(4096)));
static uint64_t leaked_chunks, leaked_bytes;
static ucontext_t fiber[FIBERS], origin;
static pthread_barrier_t barrier;

static struct node *node(struct node *next)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	n->next = next;
	return n;
}

static void fill(void **to)
{
	for (int i = 0; i < HELD; i++)
		to[i] = node(NULL);
}

/* Far below what the caller will use again. */
static __attribute__((noinline)) void leave_behind(void)
{
	struct node *volatile left[LOST + 4096];

	for (int i = 0; i < LOST; i++) {
		left[i] = node(NULL);
		leaked_chunks++;
		leaked_bytes += malloc_usable_size(left[i]) + sizeof(size_t);
	}
	__asm__ volatile("" : : "r"(left) : "memory");
}

/* No register of the caller has an address of a chunk that it means no more. */
static __attribute__((noinline)) void *run(void *unused)
{
	leave_behind();
	pthread_barrier_wait(&barrier);
	for (;;)
		pause();
	return unused;
}

static void thread_on(void *stack)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	if (pthread_attr_setstack(&attr, stack, STACK) ||
	    pthread_create(&thread, &attr, run, NULL))
		abort();
	pthread_barrier_wait(&barrier);
}

static void hold(void)
{
	struct node *volatile own = NULL; /* on its stack alone */

	for (int i = 0; i < HELD; i++)
		own = node(own);
	swapcontext(&fiber[0], &origin);
	__asm__ volatile("" : : "r"(&own) : "memory");
}

static void rest(void)
{
	printf("leaked %lu %lu\nready\n", leaked_chunks, leaked_bytes);
	fflush(stdout);
	for (;;)
		pause();
}

static void begin_fiber(int i, char *stack)
{
	getcontext(&fiber[i]);
	fiber[i].uc_stack.ss_sp = stack;
	fiber[i].uc_stack.ss_size = STACK;
	makecontext(&fiber[i], i == 0 ? hold : rest, 0);
}

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

int main(void)
{
	char *around = map(3 * (size_t)STACK);
	char *fibers = map((size_t)FIBERS * STACK);

	pthread_barrier_init(&barrier, NULL, 2);
	fill((void **)around);
	fill((void **)(around + 2 * (size_t)STACK + 64));
	thread_on(around + STACK);
	fill(statics.before);
	fill(statics.behind);
	thread_on(statics.stack);
	for (int i = 0; i < FIBERS; i++)
		begin_fiber(i, fibers + (size_t)i * STACK);
	swapcontext(&origin, &fiber[0]);
	swapcontext(&origin, &fiber[1]);
	return 0;
}
