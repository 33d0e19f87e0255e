/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soak: 64 threads that would notice. They allocate, wait in epoll_wait with
 * and without a time limit, sleep, and wait for semaphores and signals; each
 * counts EINTR that came without a signal, and ends of a wait before its time.
 * The main thread counts the SIGRTMIN it gets, whose values must be 1, 2, 3...
 * "report" on its input prints "signals N disorder N eintr N early N rounds N".
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 7

static atomic_ulong signals, disorder, interrupted, early, rounds;
static const struct timespec limit = {0, LIMIT_MS * 1000000L};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

/* timed_out: the call says that its time is over. */
static void note(long result, bool timed_out, int64_t begin_us)
{
	rounds++;
	if (result < 0 && errno == EINTR)
		interrupted++;
	/* Semaphores count in jiffies. */
	if (timed_out && now_us() - begin_us < (LIMIT_MS - 5) * 1000)
		early++;
}

static void epoll_limited(void)
{
	static _Thread_local int epoll = -1;
	int64_t begin = now_us();
	struct epoll_event e;
	int r;

	if (epoll < 0)
		epoll = epoll_create1(0);
	r = epoll_wait(epoll, &e, 1, LIMIT_MS);
	note(r, r == 0, begin);
}

static int timer_epoll(int *ret_timer)
{
	const struct itimerspec each = {.it_interval = {0, 5000000},
					.it_value = {0, 5000000}};
	struct epoll_event in = {.events = EPOLLIN};
	int epoll = epoll_create1(0);

	*ret_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	timerfd_settime(*ret_timer, 0, &each, NULL);
	epoll_ctl(epoll, EPOLL_CTL_ADD, *ret_timer, &in);
	return epoll;
}

static void epoll_for_ever(void)
{
	static _Thread_local int epoll = -1, timer;
	struct epoll_event e;
	uint64_t n;

	if (epoll < 0)
		epoll = timer_epoll(&timer);
	note(epoll_wait(epoll, &e, 1, -1), false, 0);
	if (read(timer, &n, sizeof(n)) < 0 && errno != EAGAIN)
		abort();
}

static void sleep_a_while(void)
{
	int64_t begin = now_us();
	int r = nanosleep(&limit, NULL);

	note(r, r == 0, begin);
}

static void wait_for_semaphore(void)
{
	static _Thread_local int id = -1;
	struct sembuf take = {0, -1, 0};
	int64_t begin;
	int r;

	if (id < 0)
		id = semget(IPC_PRIVATE, 1, 0600);
	begin = now_us();
	r = semtimedop(id, &take, 1, &limit);
	note(r, r < 0 && errno == EAGAIN, begin);
}

static void wait_for_signal(void)
{
	int64_t begin = now_us();
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	r = sigtimedwait(&set, NULL, &limit);
	note(r, r < 0 && errno == EAGAIN, begin);
}

static void allocate(void)
{
	static _Thread_local void *slot[64];
	static _Thread_local unsigned at;

	for (int i = 0; i < 200; i++) {
		at = at * 1664525u + 1013904223u;
		free(slot[at >> 26]);
		slot[at >> 26] = malloc(16 + (at >> 8) % 1000);
	}
	sleep_a_while();
}

static void (*const works[])(void) = {allocate,		  epoll_limited,
				      epoll_for_ever,	  sleep_a_while,
				      wait_for_semaphore, wait_for_signal};

static void *work(void *arg)
{
	for (;;)
		works[(uintptr_t)arg]();
	return NULL;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	signals++;
	if ((unsigned long)info->si_value.sival_int != signals)
		disorder++;
}

static void start_threads(void)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (uintptr_t i = 0; i < 63; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, work, (void *)(i % 6)) != 0)
			abort();
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	struct sigaction act = {.sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO};
	struct epoll_event in = {.events = EPOLLIN};
	int epoll = epoll_create1(0);
	char line[64];

	sigaction(SIGRTMIN, &act, NULL);
	start_threads();
	epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &in);
	dprintf(STDOUT_FILENO, "ready\n");
	for (;;) {
		unsigned long before = signals;
		int n = epoll_wait(epoll, &in, 1, -1);

		if (n < 0 && errno == EINTR && signals == before)
			interrupted++;
		if (n == 1 && read(STDIN_FILENO, line, sizeof(line)) <= 0)
			return 0;
		if (n == 1)
			dprintf(STDOUT_FILENO,
				"signals %lu disorder %lu eintr %lu early %lu "
				"rounds %lu\n",
				signals, disorder, interrupted, early, rounds);
	}
}
