/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls NAME: prints "ready", and on a line of input enters one blocking system
 * call, with a limit of 1 s where it has one. When that returns: "RESULT ERRNO
 * MILLISECONDS WAITED"; for WAITED of these it could have run and had no
 * processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct timespec second = {1, 0};
static int word;
static int fds[2];
static long child_waited_ns; /* for a processor: a child's, in our memory */

/* What this thread has waited for a processor; 0 where the kernel does not
 * count it. No stdio: a child of vfork asks, too. */
static long waited_ns(void)
{
	char text[64] = "", *end;
	int fd = open("/proc/thread-self/schedstat", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return 0;
	close(fd);
	strtoul(text, &end, 10);
	return strtol(end, NULL, 10);
}

static long do_epoll_wait(void)
{
	struct epoll_event e;

	return epoll_wait(epoll_create1(0), &e, 1, 1000);
}

static long do_epoll_for_ever(void)
{
	struct epoll_event e;

	return epoll_wait(epoll_create1(0), &e, 1, -1);
}

#ifdef SYS_epoll_pwait2
static long do_epoll_pwait2(void)
{
	static const long long second64[2] = {1, 0};
	struct epoll_event e;

	return syscall(SYS_epoll_pwait2, epoll_create1(0), &e, 1, second64,
		       NULL, 8);
}
#endif

static long do_poll(void)
{
	return poll(NULL, 0, 1000);
}

static long do_select(void)
{
	struct timeval t = {1, 0};

	return select(0, NULL, NULL, NULL, &t);
}

static long do_nanosleep(void)
{
	return nanosleep(&second, NULL);
}

static long do_futex(void)
{
	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &second, NULL, 0);
}

static int semaphore(void)
{
	return semget(IPC_PRIVATE, 1, 0600);
}

static long do_semop(void)
{
	struct sembuf take = {0, -1, 0};

	return semop(semaphore(), &take, 1);
}

static long do_semtimedop(void)
{
	struct sembuf take = {0, -1, 0};
	int id = semaphore();
	long r = semtimedop(id, &take, 1, &second);
	int e = errno;

	semctl(id, 0, IPC_RMID);
	errno = e;
	return r;
}

static long do_msgrcv(void)
{
	struct {
		long type;
		char text[8];
	} m;

	return msgrcv(msgget(IPC_PRIVATE, 0600), &m, 8, 0, 0);
}

static void block_usr1(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	sigprocmask(SIG_BLOCK, set, NULL);
}

static long do_sigtimedwait(void)
{
	sigset_t set;

	block_usr1(&set);
	return sigtimedwait(&set, NULL, &second);
}

static long do_sigwaitinfo(void)
{
	sigset_t set;

	block_usr1(&set);
	return sigwaitinfo(&set, NULL);
}

static long do_io_getevents(void)
{
	aio_context_t c = 0;
	struct io_event e;

	syscall(SYS_io_setup, 4, &c);
	return syscall(SYS_io_getevents, c, 1, 1, &e, &second);
}

static long do_io_uring(void)
{
	struct io_uring_params p = {0};
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);

	return syscall(SYS_io_uring_enter, fd, 0, 1, IORING_ENTER_GETEVENTS,
		       NULL, 0);
}

static long do_recv_timeout(void)
{
	struct timeval t = {1, 0};
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	return recv(fds[0], &c, 1, 0);
}

/* Half the message is there: an interrupt would return a short count. */
static long do_recv_half(void)
{
	char buf[9];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	if (write(fds[1], "half", 4) != 4)
		return -1;
	return recv(fds[0], buf, 8, MSG_WAITALL);
}

/* The pipe takes half of it: an interrupt would return a short count. */
static long do_pipe_write(void)
{
	static char buf[131072];

	if (pipe(fds) < 0)
		return -1;
	return write(fds[1], buf, sizeof(buf));
}

static long do_pipe_read(void)
{
	char c;

	if (pipe(fds) < 0)
		return -1;
	return read(fds[0], &c, 1);
}

static long do_eventfd(void)
{
	uint64_t v;

	return read(eventfd(0, 0), &v, sizeof(v));
}

static long do_vfork(void)
{
	pid_t child = vfork();

	if (child == 0) {
		nanosleep(&second, NULL);
		child_waited_ns = waited_ns();
		_exit(0);
	}
	return child > 0 ? 0 : -1;
}

static long do_pause(void)
{
	return pause();
}

static const struct {
	const char *name;
	long (*call)(void);
} calls[] = {
	{"epoll_wait", do_epoll_wait},
	{"epoll_for_ever", do_epoll_for_ever},
#ifdef SYS_epoll_pwait2
	{"epoll_pwait2", do_epoll_pwait2},
#endif
	{"poll", do_poll},
	{"select", do_select},
	{"nanosleep", do_nanosleep},
	{"futex", do_futex},
	{"semop", do_semop},
	{"semtimedop", do_semtimedop},
	{"msgrcv", do_msgrcv},
	{"sigtimedwait", do_sigtimedwait},
	{"sigwaitinfo", do_sigwaitinfo},
	{"io_getevents", do_io_getevents},
	{"io_uring", do_io_uring},
	{"recv_timeout", do_recv_timeout},
	{"recv_half", do_recv_half},
	{"pipe_write", do_pipe_write},
	{"pipe_read", do_pipe_read},
	{"eventfd", do_eventfd},
	{"vfork", do_vfork},
	{"pause", do_pause},
};

static long milliseconds(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * 1000 +
	       (b->tv_nsec - a->tv_nsec) / 1000000;
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	long waited;
	char c;

	/* Where allowed: semaphores and queues go when the program does. */
	(void)!unshare(CLONE_NEWIPC);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		long r;
		int e;

		if (argc < 2 || strcmp(argv[1], calls[i].name) != 0)
			continue;
		dprintf(STDOUT_FILENO, "ready\n");
		if (read(STDIN_FILENO, &c, 1) != 1)
			return 1;
		waited = waited_ns();
		clock_gettime(CLOCK_MONOTONIC, &begin);
		errno = 0;
		r = calls[i].call();
		e = errno;
		clock_gettime(CLOCK_MONOTONIC, &end);
		waited = waited_ns() - waited + child_waited_ns;
		dprintf(STDOUT_FILENO, "%ld %s %ld %ld\n", r,
			r < 0 ? strerrorname_np(e) : "0",
			milliseconds(&begin, &end), waited / 1000000);
		return 0;
	}
	return 2;
}
