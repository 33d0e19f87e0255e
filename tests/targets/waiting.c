/* SPDX-License-Identifier: Apache-2.0 */
/* waiting: a heap of which most is freed, and threads that wait in epoll_wait,
 * a second at a time. Prints "ready", and "EINTR" when a wait ends so. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define CHUNKS	20000
#define THREADS 4

static void *wait_on(void *arg)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	for (;;)
		if (epoll_wait(fd, &event, 1, 1000) < 0 && errno == EINTR)
			puts("EINTR");
	return arg;
}

int main(void)
{
	static char *chunk[CHUNKS];
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < CHUNKS; i++) {
		chunk[i] = malloc(500 + i % 700);
		memset(chunk[i], 1, 500);
	}
	for (int i = 0; i < CHUNKS; i++)
		if (i % 100)
			free(chunk[i]);
	for (int i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, wait_on, NULL);
	puts("ready");
	wait_on(NULL);
}
