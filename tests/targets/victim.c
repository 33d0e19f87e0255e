/* SPDX-License-Identifier: Apache-2.0 */
/*
 * victim: a program that would notice. It waits in epoll_wait, prints each
 * signal's value ("signal N"), "EINTR" if the call returns so without one, and
 * on a line of input the checksum of its memory ("sum X"). Two threads spin,
 * two allocate, two sleep.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS 200
#define BLOCK  5000

static unsigned char *block[BLOCKS];
static unsigned char fixed[65536];
static volatile sig_atomic_t signals;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "signal %d\n",
			 info->si_value.sival_int);

	(void)sig;
	(void)context;
	signals++;
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(1);
}

static uint64_t checksum(void)
{
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; i < sizeof(fixed); i++)
		sum = (sum ^ fixed[i]) * 1099511628211u;
	for (size_t b = 0; b < BLOCKS; b++)
		for (size_t i = 0; i < BLOCK; i++)
			sum = (sum ^ block[b][i]) * 1099511628211u;
	return sum;
}

static void *spin(void *arg)
{
	volatile uint64_t count = 0;

	(void)arg;
	for (;;) {
		const struct timespec rest = {0, 2000000};

		for (int i = 0; i < 100000; i++)
			count++;
		nanosleep(&rest, NULL);
	}
}

static void *allocate(void *arg)
{
	const struct timespec rest = {0, 1000000};

	(void)arg;
	for (;;) {
		free(malloc(3000));
		nanosleep(&rest, NULL);
	}
}

static void *asleep(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void start(void *(*run)(void *))
{
	sigset_t all, old;
	pthread_t t;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&t, NULL, run, NULL) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void wait_for_ever(int epoll)
{
	struct epoll_event e;
	char line[64];
	int before = signals;
	int n = epoll_wait(epoll, &e, 1, -1);

	if (n < 0 && errno == EINTR && signals == before) {
		dprintf(STDOUT_FILENO, "EINTR\n");
	} else if (n == 1) {
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			_exit(0);
		dprintf(STDOUT_FILENO, "sum %llx\n",
			(unsigned long long)checksum());
	}
}

int main(void)
{
	struct sigaction act = {.sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO};
	struct epoll_event in = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	sigaction(SIGRTMIN, &act, NULL);
	for (size_t b = 0; b < BLOCKS; b++) {
		block[b] = malloc(BLOCK);
		memset(block[b], (int)b, BLOCK);
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &in);
	for (int i = 0; i < 2; i++) {
		start(spin);
		start(allocate);
		start(asleep);
	}
	dprintf(STDOUT_FILENO, "ready\n");
	for (;;)
		wait_for_ever(epoll);
}
