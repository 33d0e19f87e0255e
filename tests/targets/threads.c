/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads N KIND: N threads beside the main one; prints "ready", then sleeps.
 *   spin    count for ever
 *   sleep   pause() for ever
 *   malloc  allocate and free at full speed
 *   churn   each ends after a moment and starts its successor
 * "count" on its input prints the sum of all counts: that they run on.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 2048

static volatile uint64_t counts[THREADS_MAX][8]; /* a cache line each */

static void *spin(void *arg)
{
	volatile uint64_t *count = counts[(uintptr_t)arg];

	for (;;)
		++*count;
}

static void *asleep(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void *allocate(void *arg)
{
	volatile uint64_t *count = counts[(uintptr_t)arg];
	void *slot[64] = {0};
	uint64_t seed = (uintptr_t)arg * 2654435761u + 1;

	for (;;) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		free(slot[seed >> 58]);
		slot[seed >> 58] = malloc((seed >> 32) % 2000);
		++*count;
	}
}

static void start(void *(*run)(void *), uintptr_t index, int detached)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&thread, &attr, run, (void *)index) != 0)
		usleep(1000);
	pthread_attr_destroy(&attr);
}

static void *churn(void *arg)
{
	free(malloc(100));
	++*counts[(uintptr_t)arg];
	usleep(100);
	start(churn, (uintptr_t)arg, 1);
	return NULL;
}

static uint64_t sum(void)
{
	uint64_t all = 0;

	for (int i = 0; i < THREADS_MAX; i++)
		all += counts[i][0];
	return all;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void *(*run)(void *);
	} kinds[] = {{"spin", spin},
		     {"sleep", asleep},
		     {"malloc", allocate},
		     {"churn", churn}};
	uintptr_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	char line[64];

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		if (argc > 2 && strcmp(argv[2], kinds[k].name) == 0)
			for (uintptr_t i = 0; i < n && i < THREADS_MAX; i++)
				start(kinds[k].run, i, kinds[k].run == churn);
	dprintf(STDOUT_FILENO, "ready\n");
	while (fgets(line, sizeof(line), stdin))
		dprintf(STDOUT_FILENO, "%llu\n", (unsigned long long)sum());
	return 0;
}
