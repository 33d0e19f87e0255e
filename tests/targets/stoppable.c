/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stoppable SECONDS: a child with threads that work and sleep, and one that
 * pauses; the parent stops and continues it, and sends signals that are to end
 * the pause. Prints the child's pid, and in the end "lost STOPS PAUSES of
 * STOPS_SENT PAUSES_SENT": SIGSTOPs without effect, signals that ran their
 * handler and left the pause asleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 10 /* seconds: for a machine with much else to do */

static struct shared {
	_Atomic unsigned long handled, returned;
	_Atomic pid_t pauser;
} * shared;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void handle(int signal)
{
	(void)signal;
	shared->handled++;
}

static void *work(void *arg)
{
	for (;;) {
		free(malloc(100));
		usleep(200);
	}
	return arg;
}

static void be_stopped(void)
{
	struct sigaction act = {.sa_handler = handle};
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, work, NULL) != 0)
			abort();
	sigaction(SIGUSR1, &act, NULL);
	shared->pauser = gettid();
	for (;;) {
		pause();
		shared->returned++;
	}
}

/* A signal before it sleeps would run its handler and leave it asleep. */
static int pauses(pid_t child)
{
	char path[64], text[4] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", child,
		 shared->pauser);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	if (read(fd, text, 3) < 0)
		text[0] = '\0';
	close(fd);
	return strcmp(text, "34 ") == 0;
}

static int is_told_of(pid_t child, int event)
{
	double limit = now() + PATIENCE;

	while (now() < limit) {
		siginfo_t info = {0};

		if (waitid(P_PID, (id_t)child, &info, event | WNOHANG) == 0 &&
		    info.si_pid == child)
			return 1;
		usleep(50);
	}
	return 0;
}

static int returns_once_more(unsigned long before)
{
	double limit = now() + PATIENCE;

	while (shared->returned == before) {
		if (now() >= limit)
			return 0;
		usleep(50);
	}
	return 1;
}

int main(int argc, char **argv)
{
	double until = now() + (argc > 1 ? atof(argv[1]) : 1);
	unsigned stops = 0, signals = 0, stops_lost = 0, signals_lost = 0;
	pid_t child;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child = fork();
	if (child == 0)
		be_stopped();
	printf("%d\n", child);
	fflush(stdout);
	while (now() < until) {
		unsigned long before = shared->returned;

		usleep(1000 + (unsigned)rand() % 5000);
		if (shared->pauser && pauses(child)) {
			signals++;
			syscall(SYS_tgkill, child, shared->pauser, SIGUSR1);
			signals_lost += !returns_once_more(before);
		}
		usleep(1000 + (unsigned)rand() % 5000);
		stops++;
		kill(child, SIGSTOP);
		stops_lost += !is_told_of(child, WSTOPPED);
		kill(child, SIGCONT);
		is_told_of(child, WCONTINUED);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("lost %u %u of %u %u\n", stops_lost, signals_lost, stops,
	       signals);
	return 0;
}
