/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames NAME: 2000 chunks of 320 bytes that only a local variable of some
 * function holds, in a thread of its own name. Built as C++, or by -x c as C.
 * Prints "ready" and runs until it is ended.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __cplusplus
#include <list>
#include <vector>
#define C extern "C"
#else
#define C
#endif
#define APART __attribute__((noinline, noclone, noipa))

enum { COUNT = 2000, THREADS = 4 };

struct node {
	struct node *next;
	char rest[304];
};

static const char *what;
static pthread_barrier_t built;

C APART void use(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* Below the frames that stay nothing leads to it any more. */
C APART void wipe(void)
{
	char room[65536];

	memset(room, 0, sizeof(room));
	use(room);
}

C APART void stay(void)
{
	wipe();
	pthread_barrier_wait(&built);
	for (;;)
		pause();
}

C APART struct node *chain(int n)
{
	struct node *head = NULL;

	while (n--) {
		struct node *one = (struct node *)calloc(1, sizeof(*one));

		one->next = head;
		head = one;
	}
	return head;
}

/* One list, and what is done to it while it is held. */
C APART void hold_list(void)
{
	struct node *head = chain(COUNT);

	stay();
	use(head);
}

C APART void hold_array(void)
{
	struct node *table[COUNT];

	for (int i = 0; i < COUNT; i++)
		table[i] = chain(1);
	use(table);
	stay();
	use(table);
}

C APART void inner(struct node *list)
{
	long x[8] = {0};

	use(x);
	stay();
	use(list);
	use(x);
}
C APART void hold_and_hand_on(void)
{
	struct node *head = chain(COUNT);

	inner(head);
	use(head);
}

/* What calls itself, its list the outermost's. */
C APART void again(int depth)
{
	if (depth > 0)
		again(depth - 1);
	else
		stay();
	use(&depth);
}
C APART void hold_and_recurse(void)
{
	struct node *head = chain(COUNT);

	again(40);
	use(head);
}

/* A handler that came in between. */
C void on_signal(int number)
{
	(void)number;
	stay();
}
C APART void hold_and_raise(void)
{
	struct node *head = chain(COUNT);

	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	use(head);
}

/* Called by a function that nothing describes, so that the frames above are not
 * known. */
__asm__(".text\n.type bare, @function\nbare:\n"
	"sub $136, %rsp\ncall stay\nadd $136, %rsp\nret\n.size bare, . - bare\n");
C void bare(void);
C APART void hold_above(void)
{
	struct node *head = chain(COUNT);

	bare();
	use(head);
}

#ifdef __cplusplus
namespace app {
struct Session {
	char rest[300];
};
struct Service {
	APART void run(int n)
	{
		std::vector<Session *> sessions;

		for (int i = 0; i < n; i++)
			sessions.push_back(new Session());
		stay();
		use(&sessions);
	}
};
} // namespace app
static void hold_vector(void)
{
	app::Service().run(COUNT);
}
#endif

struct way {
	const char *name;
	void (*hold)(void);
};
static const struct way ways[] = {{"list", hold_list},
				  {"array", hold_array},
				  {"handed", hold_and_hand_on},
				  {"recursion", hold_and_recurse},
				  {"signal", hold_and_raise},
				  {"above", hold_above},
#ifdef __cplusplus
				  {"vector", hold_vector},
#endif
};

static void hold(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, what) == 0)
			ways[i].hold();
}

C APART void *worker_main(void *i)
{
	char name[16];

	snprintf(name, sizeof(name), "worker %d", (int)(intptr_t)i);
	pthread_setname_np(pthread_self(), name);
	if ((intptr_t)i == 2)
		hold();
	stay();
	return i;
}

int main(int argc, char **argv)
{
	what = argc > 1 ? argv[1] : "list";
	pthread_barrier_init(&built, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, worker_main, (void *)(intptr_t)i);
	}
	pthread_barrier_wait(&built);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
