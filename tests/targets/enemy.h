/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enemy: a program of two threads and a usual heap, which takes up what its
 * first argument names against whoever looks at it.
 */
#ifndef HT_TESTS_TARGETS_ENEMY_H
#define HT_TESTS_TARGETS_ENEMY_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *kind, *directory; /* its arguments */

static int is(const char *name)
{
	return strcmp(kind, name) == 0;
}

/* What is written there is not what the compiler knows of. */
static void *known_to_nobody(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

/* So many blocks of 200 bytes, the second thread until it waits at the barrier
 * that it is given, what is taken up; then "ready". 0, or the exit status. */
static int enemy_begin(int argc, char **argv, int blocks,
		       void *(*second)(void *started),
		       void (*take_up)(char **argv))
{
	pthread_barrier_t started;
	pthread_t thread;

	if (argc < 2)
		return 2;
	kind = strdup(argv[1]);
	directory = argc > 2 ? strdup(argv[2]) : ".";
	for (int i = 0; i < blocks; i++)
		if (!malloc(200))
			return 1;
	pthread_barrier_init(&started, NULL, 2);
	if (pthread_create(&thread, NULL, second, &started) != 0)
		return 1;
	pthread_barrier_wait(&started);
	take_up(argv);
	return write(1, "ready\n", 6) != 6;
}

/* Until its input ends. */
static int enemy_stay(void)
{
	char c;

	return read(0, &c, 1) < 0;
}

#endif
