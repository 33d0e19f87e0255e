/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals: sleeps in epoll_wait and prints each signal as its handler gets it:
 * "SIGNAL VALUE", and "EINTR" when the call returns with that. "quit" on its
 * input ends it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	char line[64];

	(void)context;
	snprintf(line, sizeof(line), "%d %d\n", sig, info->si_value.sival_int);
	say(line);
}

int main(void)
{
	struct sigaction act = {.sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO};
	int epoll = epoll_create1(0);
	struct epoll_event in = {.events = EPOLLIN};

	sigfillset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGUSR2, &act, NULL);
	for (int sig = SIGRTMIN; sig <= SIGRTMIN + 3; sig++)
		sigaction(sig, &act, NULL);
	signal(SIGHUP, SIG_IGN);
	epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &in);
	say("ready\n");
	while (epoll_wait(epoll, &in, 1, -1) < 0)
		say(errno == EINTR ? "EINTR\n" : "error\n");
	say("quit\n");
	return 0;
}
