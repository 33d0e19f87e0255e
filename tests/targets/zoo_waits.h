/* SPDX-License-Identifier: Apache-2.0 */
/* What the animals of zoo.c do: a round of each is one wait, and whether it
 * ended as it must. */
#ifndef HT_TESTS_TARGETS_ZOO_WAITS_H
#define HT_TESTS_TARGETS_ZOO_WAITS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS	   1000000L
#define LIMIT	   (20 * MS) /* of the calls that have one */
#define TICK	   (10 * MS) /* of the coarsest kernel */
#define PIECE	   ((size_t)256 << 10)
#define WAITALL	   1000
#define FEED_EVERY 700 /* us: what wakes those without a limit */

static const struct timespec limit = {0, LIMIT};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What a wait with a limit must give: that result, and not too early. */
static int in_time(int64_t begin, long got, long wanted, int error)
{
	int why = errno;

	return got == wanted && (got >= 0 || why == error) &&
	       now_ns() - begin >= LIMIT - MS;
}

/* Sockets count their limit in ticks, of which the first is not a whole one. */
static int in_ticks(int64_t begin, long got)
{
	int why = errno;

	return got == -1 && why == EAGAIN &&
	       now_ns() - begin >= LIMIT - TICK - MS;
}

/* --- with a limit: nothing comes ----------------------------------------- */

static __thread int mine[2]; /* this thread's own descriptors */

static void set_up_epoll(void)
{
	mine[0] = epoll_create1(0);
}

static int wait_epoll(void)
{
	int64_t begin = now_ns();
	struct epoll_event e;

	return in_time(begin, epoll_wait(mine[0], &e, 1, LIMIT / MS), 0, 0);
}

static int wait_epoll_pwait(void)
{
	int64_t begin = now_ns();
	struct epoll_event e;
	sigset_t none;

	sigemptyset(&none);
	return in_time(begin, epoll_pwait(mine[0], &e, 1, LIMIT / MS, &none), 0,
		       0);
}

static int wait_poll(void)
{
	int64_t begin = now_ns();

	return in_time(begin, poll(NULL, 0, LIMIT / MS), 0, 0);
}

static int wait_ppoll(void)
{
	int64_t begin = now_ns();

	return in_time(begin, ppoll(NULL, 0, &limit, NULL), 0, 0);
}

static int wait_select(void)
{
	struct timeval t = {0, LIMIT / 1000};
	int64_t begin = now_ns();

	return in_time(begin, select(0, NULL, NULL, NULL, &t), 0, 0);
}

static int wait_pselect(void)
{
	int64_t begin = now_ns();

	return in_time(begin, pselect(0, NULL, NULL, NULL, &limit, NULL), 0, 0);
}

static int wait_nanosleep(void)
{
	int64_t begin = now_ns();

	return in_time(begin, nanosleep(&limit, NULL), 0, 0);
}

static int wait_clock_nanosleep(void)
{
	int64_t begin = now_ns(), until = begin + LIMIT;
	struct timespec t = {until / (1000 * MS), until % (1000 * MS)};

	return in_time(
		begin,
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0,
		0);
}

static int wait_futex(void)
{
	int64_t begin = now_ns();
	int word = 0;

	return in_time(begin,
		       syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &limit,
			       NULL, 0),
		       -1, ETIMEDOUT);
}

static void set_up_semaphore(void)
{
	mine[0] = semget(IPC_PRIVATE, 1, 0600);
}

static void remove_semaphore(void)
{
	semctl(mine[0], 0, IPC_RMID);
}

static int wait_semtimedop(void)
{
	struct sembuf down = {0, -1, 0};
	int64_t begin = now_ns();

	return in_time(begin, semtimedop(mine[0], &down, 1, &limit), -1,
		       EAGAIN);
}

static void set_up_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int wait_sigtimedwait(void)
{
	int64_t begin = now_ns();
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return in_time(begin, sigtimedwait(&set, NULL, &limit), -1, EAGAIN);
}

static void set_up_socket(void)
{
	const struct timeval t = {0, LIMIT / 1000};

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, mine) < 0)
		abort();
	setsockopt(mine[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

static int wait_recv(void)
{
	int64_t begin = now_ns();
	char c;

	return in_ticks(begin, recv(mine[0], &c, 1, 0));
}

static void set_up_listener(void)
{
	const struct timeval t = {0, LIMIT / 1000};

	mine[0] = socket(AF_INET, SOCK_STREAM, 0);
	listen(mine[0], 5);
	setsockopt(mine[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

static int wait_accept(void)
{
	int64_t begin = now_ns();

	return in_ticks(begin, accept(mine[0], NULL, NULL));
}

static aio_context_t aio;

static void set_up_aio(void)
{
	if (syscall(SYS_io_setup, 8, &aio) < 0)
		abort();
}

static int wait_io_getevents(void)
{
	struct timespec t = limit;
	int64_t begin = now_ns();
	struct io_event e;

	return in_time(begin, syscall(SYS_io_getevents, aio, 1, 1, &e, &t), 0,
		       0);
}

static void set_up_queue(void)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 8};
	char name[32];

	snprintf(name, sizeof(name), "/zoo-%d", getpid());
	mine[0] = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	mq_unlink(name);
}

static int wait_mq(void)
{
	int64_t begin = now_ns();
	struct timespec t;
	char buf[8];

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += LIMIT;
	t.tv_sec += t.tv_nsec / (1000 * MS);
	t.tv_nsec %= 1000 * MS;
	return in_time(begin, mq_timedreceive(mine[0], buf, 8, NULL, &t), -1,
		       ETIMEDOUT);
}

/* --- without: something comes, whole ------------------------------------- */

/* Fed by feed(), every FEED_EVERY. */
static int ev[2], pipes[2], full[2], whole[2], watched, message = -1, sem = -1;
static _Atomic int gate;
static pthread_t waits_for_signals, pauses;
static char watched_dir[64];

static int wait_epoll_for_ever(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	uint64_t n = 0;

	if (mine[1] == 0) {
		mine[1] = epoll_create1(0);
		epoll_ctl(mine[1], EPOLL_CTL_ADD, ev[0], &e);
	}
	return epoll_wait(mine[1], &e, 1, -1) == 1 &&
	       read(ev[0], &n, sizeof(n)) == sizeof(n) && n >= 1;
}

static int wait_eventfd(void)
{
	uint64_t n = 0;

	return read(ev[1], &n, sizeof(n)) == sizeof(n) && n >= 1;
}

static void set_up_timer(void)
{
	const struct itimerspec each = {{0, 5 * MS}, {0, 5 * MS}};

	mine[0] = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(mine[0], 0, &each, NULL);
}

static int wait_timerfd(void)
{
	uint64_t n = 0;

	return read(mine[0], &n, sizeof(n)) == sizeof(n) && n >= 1;
}

static int wait_pipe(void)
{
	char buf[64];

	return read(pipes[0], buf, sizeof(buf)) > 0;
}

static int wait_write(void)
{
	static const char zeros[PIECE];

	return write(full[1], zeros, PIECE) == (ssize_t)PIECE;
}

static int wait_whole(void)
{
	char buf[WAITALL];

	return recv(whole[0], buf, WAITALL, MSG_WAITALL) == WAITALL;
}

static int wait_inotify(void)
{
	char buf[4096];

	return read(watched, buf, sizeof(buf)) > 0;
}

static int wait_msgrcv(void)
{
	struct {
		long type;
		char text[8];
	} m;

	return msgrcv(message, &m, 8, 0, 0) == 8;
}

static int wait_semop(void)
{
	struct sembuf down = {0, -1, 0};

	return semop(sem, &down, 1) == 0;
}

static int wait_futex_for_ever(void)
{
	long r;

	atomic_store(&gate, 1);
	r = syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	return r == 0 || errno == EAGAIN;
}

static void set_up_io_uring(void)
{
	struct io_uring_params p = {0};

	mine[0] = (int)syscall(SYS_io_uring_setup, 4, &p);
}

/* A kernel without it (or that forbids it) has nothing to wait in. */
static int wait_io_uring(void)
{
	if (mine[0] < 0)
		return usleep(LIMIT / 1000) == 0;
	return syscall(SYS_io_uring_enter, mine[0], 0, 0, 0, NULL, 0) == 0;
}

/* --- who gets signals, and wants them ------------------------------------ */

static _Atomic int received; /* the last of SIGRTMIN: they come in order */

static void set_up_realtime(void)
{
	sigset_t set;

	waits_for_signals = pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int wait_sigwaitinfo(void)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	if (sigwaitinfo(&set, &info) != SIGRTMIN)
		return 0;
	return info.si_value.sival_int == ++received;
}

static _Atomic uint64_t handled, returned;
static _Atomic pid_t pauser; /* its thread id */

static void handle(int signal)
{
	(void)signal;
	handled++;
}

static void set_up_pause(void)
{
	pauses = pthread_self();
	pauser = gettid();
}

static int wait_pause(void)
{
	int right = pause() == -1 && errno == EINTR;

	returned++;
	return right;
}

/* --- children ------------------------------------------------------------ */

/* As the kernel has it: since glibc 2.41 fork(3) blocks all signals meanwhile,
 * and whoever then gets a SIGCHLD that nobody blocks comes back from its wait.
 */
static pid_t bare_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static int wait_child(void)
{
	int status = 0;
	pid_t pid = bare_fork();

	if (pid == 0) {
		usleep(3000);
		_exit(7);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 7;
}

static int wait_child_by_id(void)
{
	siginfo_t info = {0};
	pid_t pid = bare_fork();

	if (pid == 0) {
		usleep(3000);
		_exit(9);
	}
	return waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 &&
	       info.si_status == 9;
}

static int wait_vfork(void)
{
	int status = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		usleep(2000);
		_exit(5);
	}
	return waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5;
}

static int wait_lock(void)
{
	struct flock l = {.l_type = F_WRLCK};
	int status = 0, right;
	pid_t pid;

	if (mine[0] == 0)
		mine[0] = memfd_create("zoo", 0);
	pid = bare_fork();
	if (pid == 0) {
		fcntl(mine[0], F_SETLKW, &l);
		usleep(4000);
		_exit(0);
	}
	usleep(1000);
	right = fcntl(mine[0], F_SETLKW, &l) == 0;
	l.l_type = F_UNLCK;
	fcntl(mine[0], F_SETLK, &l);
	return waitpid(pid, &status, 0) == pid && status == 0 && right;
}

/* --- what does not wait -------------------------------------------------- */

/* Values in every register that the compiler lets us have. */
static int spin_registers(void)
{
	uint64_t a = 0x0123456789abcdef, b = ~a, c = a * 3, d = a * 5;
	double x = 1.5, y = 2.5;

	for (int i = 0; i < 200000; i++)
		__asm__ volatile(""
				 : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+x"(x),
				   "+x"(y));
	return a == 0x0123456789abcdef && b == ~a && c == a * 3 && d == a * 5 &&
	       x == 1.5 && y == 2.5;
}

static int spin_memory(void)
{
	static __thread uint8_t *block[64];
	static __thread unsigned at;
	uint8_t *b = block[at % 64];
	size_t n = 64 + at % 64 * 31;
	int right = 1;

	for (size_t i = 0; b && i < n; i++)
		right &= b[i] == (uint8_t)(at % 64 + i);
	free(b);
	b = block[at % 64] = malloc(n);
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(at % 64 + i);
	if (++at % 1000 == 0)
		usleep(100);
	return right;
}

/* Others open and close meanwhile: the number is free for them afterwards. */
static int descriptors(void)
{
	int fd = dup(0);
	int right = fd >= 0 && fcntl(fd, F_GETFD) == 0 && close(fd) == 0;

	usleep(1000);
	return right;
}

#endif
