/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fire THREADS KIND: a heap of some 20 MB that stays, and THREADS threads which
 * make it hard to measure; prints "ready" and ends with its input.
 *   malloc  allocate and free at full speed
 *   come    threads are created and end
 *   fork    fork and wait
 *   dlopen  load a library and unload it
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEADY	20000
#define WARM_UP 20000 /* rounds until a thread has its blocks and its cache */

static pthread_barrier_t warm; /* all threads, and main */

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static void *allocate(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg * 7919 + 1;
	void *slot[64] = {0};

	for (int round = 0;; round++) {
		uint64_t i = next_random(&seed) % 64;

		free(slot[i]);
		slot[i] = malloc(16 + next_random(&seed) % 1000);
		if (round == WARM_UP)
			pthread_barrier_wait(&warm);
		round -= round > WARM_UP;
	}
	return NULL;
}

static void *end_soon(void *arg)
{
	void *some = malloc(500);

	(void)arg;
	usleep(300);
	free(some);
	return NULL;
}

static void *come(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&warm);
	for (;;) {
		pthread_t t;

		if (pthread_create(&t, NULL, end_soon, NULL) == 0)
			pthread_join(t, NULL);
	}
	return NULL;
}

static void *fork_and_wait(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&warm);
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		usleep(500);
	}
	return NULL;
}

static void *load_and_unload(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&warm);
	for (;;) {
		void *library = dlopen("libm.so.6", RTLD_NOW);

		if (!library)
			abort();
		dlclose(library);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void *(*run)(void *);
	} kinds[] = {{"malloc", allocate},
		     {"come", come},
		     {"fork", fork_and_wait},
		     {"dlopen", load_and_unload}};
	static void *steady[STEADY];
	uint64_t seed = 1;
	char line[8];

	if (argc != 3)
		return 2;
	/* Full speed, but not at the cost of who measures. */
	if (nice(19) < 0)
		return 1;
	for (int i = 0; i < STEADY; i++) {
		steady[i] = malloc(16 + next_random(&seed) % 2000);
		memset(steady[i], 1, 16);
	}
	for (int i = 0; i < STEADY; i += 7)
		free(steady[i]);
	pthread_barrier_init(&warm, NULL, (unsigned)atoi(argv[1]) + 1);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		for (int i = 0;
		     i < atoi(argv[1]) && strcmp(argv[2], kinds[k].name) == 0;
		     i++) {
			pthread_t t;

			pthread_create(&t, NULL, kinds[k].run,
				       (void *)(uintptr_t)(i + 1));
		}
	pthread_barrier_wait(&warm);
	dprintf(STDOUT_FILENO, "ready\n");
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
