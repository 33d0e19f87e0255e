/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trimmee KIND [mild|ballast] [tiles]: a program that would notice a call made
 * by its main thread, which waits in a system call of that KIND, over and over.
 * After each wait it looks at what it got, all registers of the processor
 * (xstate.h), errno, mask and alternate stack. Two threads allocate, check and
 * free all the time, so that there is always something to trim, a part of it
 * locked; a third has children, which use malloc. A byte of input is answered
 * by "waits N", or by "BAD what" for the first thing that was not as it should
 * be; by "x" it becomes another program, itself; by "e" it ends, with status 7.
 * mild: a signal need not end the wait that it came in, for whoever called may
 * have died. tiles: those of AMX, too (tiles.h).
 *
 *   epoll, epoll_limit, poll, poll_limit, ppoll, select, futex, futex_limit,
 *   nanosleep, absolute, read, pause, sigwait
 */
#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tiles.h"
#include "xstate.h"

#define LIMIT_MS 20
#define MY_ERRNO 77
#define EXITED	 7

static const char *_Atomic bad;
static _Atomic uint64_t waits, handled, sent;
static _Atomic uint32_t word;
static _Atomic bool found_waiting; /* by the last signal */
static int event, epoll, quiet[2];
static pid_t main_tid;
static bool mild;

static void complain(const char *what)
{
	const char *none = NULL;

	atomic_compare_exchange_strong(&bad, &none, what);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A millisecond's sleep that nobody may take a thread out of. */
static void rest(void)
{
	char buf[2];

	recv(quiet[0], buf, sizeof(buf), MSG_WAITALL);
}

/* --- memory that is always in use, and always freed ---------------------- */

#define BLOCKS 600

static uint64_t *filled(uint64_t n)
{
	uint64_t *p = malloc(n * sizeof(*p));

	p[0] = n;
	for (uint64_t i = 1; i < n; i++)
		p[i] = n ^ i;
	return p;
}

static void check_and_free(uint64_t *p)
{
	for (uint64_t i = 1; i < p[0]; i++)
		if (p[i] != (p[0] ^ i))
			complain("memory");
	free(p);
}

static void *churn(void *arg)
{
	uint64_t *block[BLOCKS] = {NULL}, seed = (uintptr_t)arg + 1;

	for (;;) {
		for (int i = 0; i < BLOCKS; i++) {
			seed = seed * 6364136223846793005u +
			       1442695040888963407u;
			if (block[i])
				check_and_free(block[i]);
			block[i] = NULL;
			if (seed >> 62)
				block[i] = filled(8 + (seed >> 33) % 600);
		}
		rest();
	}
}

/* Its pages cannot be advised away: malloc_trim's madvise fails, and sets
 * errno. */
static void lock_a_free_page(void)
{
	static void *volatile above;
	char *p = malloc(64 << 10);

	memset(p, 1, 64 << 10);
	above = malloc(16);
	mlock(p + (16 << 10), 4096);
	free(p);
}

#define BALLAST 10000

static void free_ballast(void)
{
	static char *block[BALLAST];

	for (int i = 0; i < BALLAST; i++) {
		block[i] = malloc(2000);
		memset(block[i], 1, 2000);
	}
	for (int i = 0; i < BALLAST; i++)
		if (i % 32)
			free(block[i]);
}

/* --- the wait, with registers that must survive it ----------------------- */

static long call(long nr, const long a[6])
{
	const char *changed;
	long result;

	tiles_change(waits);
	result = xstate_syscall(nr, a, waits);
	changed = xstate_changed();
	if (changed)
		complain(changed);
	if (!tiles_are_same())
		complain("tiles of AMX");
	return result;
}

enum wakes { BY_EVENT, BY_LIMIT, BY_WORD, BY_SIGNAL, BY_TAKEN_SIGNAL };

static struct kind {
	const char *name;
	long nr;
	enum wakes by;
} kinds[] = {
	{"epoll", SYS_epoll_wait, BY_EVENT},
	{"epoll_limit", SYS_epoll_wait, BY_LIMIT},
	{"poll", SYS_poll, BY_EVENT},
	{"poll_limit", SYS_poll, BY_LIMIT},
	{"ppoll", SYS_ppoll, BY_LIMIT},
	{"select", SYS_select, BY_LIMIT},
	{"futex", SYS_futex, BY_WORD},
	{"futex_limit", SYS_futex, BY_LIMIT},
	{"nanosleep", SYS_nanosleep, BY_LIMIT},
	{"absolute", SYS_clock_nanosleep, BY_LIMIT},
	{"read", SYS_read, BY_EVENT},
	{"pause", SYS_pause, BY_SIGNAL},
	{"sigwait", SYS_rt_sigtimedwait, BY_TAKEN_SIGNAL},
};

/* One wait of this kind; its result. */
static long wait_in(const struct kind *k)
{
	static struct epoll_event events[1];
	static struct pollfd fds[1];
	static struct timespec limit;
	static struct timeval tv;
	static uint64_t value;
	static sigset_t taken;
	uint32_t seen = word;
	int64_t until = now_ns() + LIMIT_MS * 1000000;
	long a[6] = {0, 0, 0, 0, 0, 0};

	limit = (struct timespec){0, LIMIT_MS * 1000000};
	tv = (struct timeval){0, LIMIT_MS * 1000};
	fds[0] = (struct pollfd){.fd = event, .events = POLLIN};
	switch (k->nr) {
	case SYS_epoll_wait:
		a[0] = epoll, a[1] = (long)events, a[2] = 1;
		a[3] = k->by == BY_LIMIT ? LIMIT_MS : -1;
		break;
	case SYS_poll:
		a[0] = (long)fds, a[1] = 1;
		a[2] = k->by == BY_LIMIT ? LIMIT_MS : -1;
		break;
	case SYS_ppoll:
		a[0] = (long)fds, a[1] = 1, a[2] = (long)&limit;
		break;
	case SYS_select:
		a[4] = (long)&tv;
		break;
	case SYS_futex:
		a[0] = (long)&word, a[1] = FUTEX_WAIT_PRIVATE, a[2] = seen;
		a[3] = k->by == BY_LIMIT ? (long)&limit : 0;
		break;
	case SYS_nanosleep:
		a[0] = (long)&limit;
		break;
	case SYS_clock_nanosleep:
		limit = (struct timespec){until / 1000000000,
					  until % 1000000000};
		a[0] = CLOCK_MONOTONIC, a[1] = TIMER_ABSTIME,
		a[2] = (long)&limit;
		break;
	case SYS_read:
		a[0] = event, a[1] = (long)&value, a[2] = sizeof(value);
		break;
	case SYS_rt_sigtimedwait:
		sigemptyset(&taken);
		sigaddset(&taken, SIGRTMIN + 1);
		a[0] = (long)&taken, a[3] = 8;
		break;
	default:
		break;
	}
	return call(k->nr, a);
}

static void check_result(const struct kind *k, long got,
			 uint64_t handled_before, int64_t began)
{
	uint64_t value;
	bool signalled = handled != handled_before;

	if (k->by == BY_SIGNAL) {
		if (got != -EINTR || !signalled)
			complain("pause did not end by a signal");
		return;
	}
	if (got == -EINTR && !signalled)
		complain("EINTR without a signal");
	if (got == -EINTR)
		return;
	if (k->by == BY_LIMIT && got != 0 && got != -ETIMEDOUT)
		complain("a time limit that did not come");
	if (k->by == BY_LIMIT &&
	    now_ns() - began < LIMIT_MS * 1000000 - 1000000)
		complain("a time limit that came early");
	if (k->by == BY_EVENT && k->nr != SYS_read && got != 1)
		complain("no event");
	if (k->by == BY_EVENT && k->nr != SYS_read &&
	    read(event, &value, sizeof(value)) != sizeof(value))
		complain("no value");
	if (k->by == BY_TAKEN_SIGNAL && got != SIGRTMIN + 1)
		complain("no signal taken");
}

static void check_thread(const stack_t *stack)
{
	sigset_t mask;
	stack_t now;

	if (errno != MY_ERRNO)
		complain("errno");
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	if (!sigismember(&mask, SIGUSR1) || sigismember(&mask, SIGUSR2) ||
	    sigismember(&mask, SIGRTMIN))
		complain("signal mask");
	sigaltstack(NULL, &now);
	if (now.ss_sp != stack->ss_sp || now.ss_flags != 0)
		complain("alternate stack");
}

/* --- who wakes it -------------------------------------------------------- */

/* The thread may as well be on its way to the wait: nothing is to end then. */
static void on_signal(int sig)
{
	(void)sig;
	found_waiting = xstate.waiting;
	handled++;
}

static void wake(const struct kind *k)
{
	const uint64_t one = 1;

	switch (k->by) {
	case BY_EVENT:
		if (write(event, &one, sizeof(one)) != sizeof(one))
			complain("eventfd");
		break;
	case BY_WORD:
		word++;
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		break;
	case BY_TAKEN_SIGNAL:
		syscall(SYS_tgkill, getpid(), main_tid, SIGRTMIN + 1);
		break;
	default:
		break;
	}
}

/* A signal, now and then, is handled once, whatever the thread is in. */
static void signal_once(void)
{
	int64_t until = now_ns() + INT64_C(40000000000);

	sent++;
	syscall(SYS_tgkill, getpid(), main_tid, SIGRTMIN);
	while (handled != sent && now_ns() < until)
		rest();
	if (handled != sent)
		complain("a signal was lost");
}

/* One that finds it waiting ends the wait. */
static void signal_it(void)
{
	const int64_t patience = (mild ? 50 : 20000) * INT64_C(1000000);
	int64_t until = now_ns() + patience;
	uint64_t before;

	do {
		before = waits;
		signal_once();
	} while (!found_waiting && handled == sent && now_ns() < until);
	until = now_ns() + patience;
	while (waits == before && now_ns() < until)
		rest();
	if (found_waiting && waits == before && !mild)
		complain("a signal did not end the wait");
}

/* fork() takes the locks of all arenas, and its child finds them free. */
static void have_a_child(void)
{
	int64_t until = now_ns() + INT64_C(40000000000);
	pid_t done = 0, pid = fork();
	int status = 0;

	if (pid == 0) {
		for (size_t n = 16; n < 100000; n *= 3)
			check_and_free(filled(n / 8));
		_exit(bad != NULL);
	}
	while (pid > 0 && done == 0 && now_ns() < until) {
		done = waitpid(pid, &status, WNOHANG);
		rest();
	}
	if (done != pid || status != 0)
		complain("a child did not come to its end");
}

static void *control(void *arg)
{
	const struct kind *k = arg;
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char asked; /* no more is taken than is answered: what follows an x is
		       the other program's */

	for (unsigned n = 0;; n++) {
		rest();
		if (n % 16 == 0 && k->by != BY_TAKEN_SIGNAL)
			signal_it();
		if (n % 8 == 4)
			wake(k);
		if (n % 64 == 32)
			have_a_child();
		if (poll(&in, 1, 0) <= 0)
			continue;
		if (read(STDIN_FILENO, &asked, 1) <= 0)
			_exit(0);
		if (asked == 'e')
			exit(EXITED);
		if (asked == 'x')
			execl("/proc/self/exe", "trimmee", k->name,
			      mild ? "mild" : NULL, NULL);
		if (bad)
			dprintf(STDOUT_FILENO, "BAD %s\n", bad);
		else
			dprintf(STDOUT_FILENO, "waits %llu\n",
				(unsigned long long)waits);
	}
}

static void start(void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	pthread_t t;

	sigfillset(&all);
	/* Where all threads that have children take it, the kernel drops it. */
	sigdelset(&all, SIGCHLD);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&t, NULL, run, arg) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void prepare(stack_t *stack)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct timeval millisecond = {0, 1000};
	struct epoll_event in = {.events = EPOLLIN};
	sigset_t mask;

	main_tid = getpid();
	event = eventfd(0, 0);
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, event, &in);
	socketpair(AF_UNIX, SOCK_STREAM, 0, quiet);
	setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &millisecond,
		   sizeof(millisecond));
	stack->ss_sp = malloc(65536);
	stack->ss_size = 65536;
	sigaltstack(stack, NULL);
	sigaction(SIGRTMIN, &act, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMIN + 1);
	/* Not on top of what was: the thread that becomes another program
	 * blocks all of them. */
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	lock_a_free_page();
}

int main(int argc, char **argv)
{
	struct kind *k = NULL;
	stack_t stack = {0};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (argc > 1 && strcmp(argv[1], kinds[i].name) == 0)
			k = &kinds[i];
	if (!k)
		return 2;
	mild = argc > 2 && strcmp(argv[2], "mild") == 0;
	if (!xstate_init())
		return 3;
	prepare(&stack);
	if (argc > 2 && strcmp(argv[2], "ballast") == 0)
		free_ballast();
	if (argc > 3 && strcmp(argv[3], "tiles") == 0)
		tiles_init();
	start(churn, (void *)1);
	start(churn, (void *)2);
	start(control, k);
	dprintf(STDOUT_FILENO, "ready\n");
	for (;;) {
		uint64_t before = handled;
		int64_t began = now_ns();
		long got;

		errno = MY_ERRNO;
		got = wait_in(k);
		check_thread(&stack);
		check_result(k, got, before, began);
		waits++;
	}
}
