/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restless OUT KIND: a program that is always in the middle of something.
 *   fork     forks, without end; each child uses the heap and ends
 *   exec     replaces itself by itself, without end, under the same pid
 *   exit     has one child at a time, which soon ends
 *   threads  creates and joins threads that use the heap, without end
 * Whatever a program can notice of being looked at counts as harm: a call that
 * fails, a child that did not end as it should, a heap with another content.
 * "exec" and "exit" have lives of some milliseconds, and now and then a long
 * one. OUT always holds two numbers: rounds done, and harm seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 200
#define STATUS 7 /* of a child that found everything in order */

static int out;
static unsigned long rounds, harm;

static void note(int was_harmed)
{
	char text[64];
	int n;

	rounds++;
	harm += was_harmed != 0;
	n = snprintf(text, sizeof(text), "%lu %lu\n", rounds, harm);
	if (pwrite(out, text, (size_t)n, 0) != n)
		_exit(1);
}

/* Fills blocks and looks whether they still hold what was put in. */
static int heap_is_harmed(void)
{
	unsigned char *block[BLOCKS];
	int harmed = 0;

	for (int i = 0; i < BLOCKS; i++) {
		size_t size = 24 + (size_t)i * 37 % 3000;

		block[i] = malloc(size);
		if (!block[i])
			return 1;
		memset(block[i], i, size);
	}
	for (int i = 0; i < BLOCKS; i++) {
		size_t size = 24 + (size_t)i * 37 % 3000;

		harmed |= block[i][0] != i || block[i][size - 1] != i;
		free(block[i]);
	}
	return harmed;
}

/* Most lives are over before anybody can have looked; some are not. */
static int live(void)
{
	return usleep(rounds % 10 == 9 ? 1500 * 1000 : 10 * 1000) != 0;
}

static int child_was_harmed(pid_t pid)
{
	int status = 0;

	return pid < 0 || waitpid(pid, &status, 0) != pid ||
	       !WIFEXITED(status) || WEXITSTATUS(status) != STATUS;
}

static void forks(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(heap_is_harmed() ? 1 : STATUS);
		note(child_was_harmed(pid) || heap_is_harmed());
	}
}

static void lives(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			int harmed = heap_is_harmed();

			harmed |= live();
			exit(harmed || heap_is_harmed() ? 1 : STATUS);
		}
		note(child_was_harmed(pid));
	}
}

static void *use_heap(void *arg)
{
	(void)arg;
	return heap_is_harmed() ? &harm : NULL;
}

static void threads(void)
{
	for (;;) {
		pthread_t thread[4];
		void *bad = NULL;
		int harmed = 0;

		for (int i = 0; i < 4; i++)
			harmed |= pthread_create(&thread[i], NULL, use_heap,
						 NULL);
		for (int i = 0; i < 4; i++) {
			harmed |= pthread_join(thread[i], &bad);
			harmed |= bad != NULL;
		}
		note(harmed);
	}
}

/* The counts go from life to life as arguments. */
static void execs(char **argv)
{
	char done[24], seen[24];

	note(heap_is_harmed() | live());
	snprintf(done, sizeof(done), "%lu", rounds);
	snprintf(seen, sizeof(seen), "%lu", harm);
	execl("/proc/self/exe", argv[0], argv[1], argv[2], done, seen,
	      (char *)NULL);
	_exit(1);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	out = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (out < 0)
		return 2;
	if (argc == 5) {
		rounds = strtoul(argv[3], NULL, 10);
		harm = strtoul(argv[4], NULL, 10);
	}
	if (strcmp(argv[2], "fork") == 0)
		forks();
	if (strcmp(argv[2], "exec") == 0)
		execs(argv);
	if (strcmp(argv[2], "exit") == 0)
		lives();
	if (strcmp(argv[2], "threads") == 0)
		threads();
	return 2;
}
