/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zoo [STORMS]: every kind of wait, each in a thread that checks what it gets
 * back: result, errno, counts, deadlines, the number and order of signals,
 * registers, memory, children, descriptors. No thread but those that ask for
 * it gets a signal it has a handler for, so none may see EINTR.
 * STORMS, letters: f forks, s ignored signals, t threads that come and go, m
 * mappings, x children that execute another program.
 * Prints "ready". A line of input ends it: a line "NAME ROUNDS WRONG" for each,
 * then "end".
 */
#include "zoo_waits.h"

/* --- the cages ----------------------------------------------------------- */

static struct cage {
	const char *name;
	int (*round)(void);
	void (*set_up)(void), (*end)(void);
	_Atomic uint64_t rounds, wrong;
} cages[] = {
#define CAGE(round, ...)                                                       \
	{                                                                      \
#round, round, __VA_ARGS__                                     \
	}
	CAGE(wait_epoll, set_up_epoll),
	CAGE(wait_epoll_pwait, set_up_epoll),
	CAGE(wait_epoll_for_ever, NULL),
	CAGE(wait_poll, NULL),
	CAGE(wait_ppoll, NULL),
	CAGE(wait_select, NULL),
	CAGE(wait_pselect, NULL),
	CAGE(wait_nanosleep, NULL),
	CAGE(wait_clock_nanosleep, NULL),
	CAGE(wait_futex, NULL),
	CAGE(wait_futex_for_ever, NULL),
	CAGE(wait_semtimedop, set_up_semaphore, remove_semaphore),
	CAGE(wait_semop, NULL),
	CAGE(wait_sigtimedwait, set_up_signal),
	CAGE(wait_sigwaitinfo, set_up_realtime),
	CAGE(wait_pause, set_up_pause),
	CAGE(wait_recv, set_up_socket),
	CAGE(wait_whole, NULL),
	CAGE(wait_accept, set_up_listener),
	CAGE(wait_io_getevents, set_up_aio),
	CAGE(wait_io_uring, set_up_io_uring),
	CAGE(wait_mq, set_up_queue),
	CAGE(wait_msgrcv, NULL),
	CAGE(wait_eventfd, NULL),
	CAGE(wait_timerfd, set_up_timer),
	CAGE(wait_pipe, NULL),
	CAGE(wait_write, NULL),
	CAGE(wait_inotify, NULL),
	CAGE(wait_child, NULL),
	CAGE(wait_child_by_id, NULL),
	CAGE(wait_vfork, NULL),
	CAGE(wait_lock, NULL),
	CAGE(spin_registers, NULL),
	CAGE(spin_memory, NULL),
	CAGE(descriptors, NULL),
};
#define CAGES (sizeof(cages) / sizeof(*cages))

static volatile int over;

static void *live(void *arg)
{
	struct cage *c = arg;

	if (c->set_up)
		c->set_up();
	while (!over) {
		int right = c->round();

		if (over)
			break;
		c->rounds++;
		c->wrong += !right;
	}
	if (c->end)
		c->end();
	return NULL;
}

/* --- what wakes them ----------------------------------------------------- */

/* Asleep in its call: a signal before that would leave it asleep. */
static int sleeps_in(pid_t tid, const char *nr)
{
	char path[64], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strncmp(text, nr, strlen(nr)) == 0;
}

/* One that pauses gets a signal, and comes back before it gets the next. */
static void feed_signals(void)
{
	static uint64_t sent;
	static int number;

	if (waits_for_signals && number - received < 100) {
		const union sigval value = {.sival_int = ++number};

		pthread_sigqueue(waits_for_signals, SIGRTMIN, value);
	}
	if (pauser && returned == sent && sleeps_in(pauser, "34 ")) {
		sent++;
		pthread_kill(pauses, SIGUSR1);
	}
}

static void feed_descriptors(void)
{
	static const uint64_t one = 1;
	static char some[100];
	static unsigned n;
	char path[96];

	if (write(ev[0], &one, sizeof(one)) < 0 ||
	    write(ev[1], &one, sizeof(one)) < 0 || write(pipes[1], "x", 1) < 0)
		abort();
	send(whole[1], some, sizeof(some), MSG_DONTWAIT);
	snprintf(path, sizeof(path), "%s/%u", watched_dir, n++ % 4);
	if (n % 8 < 4)
		close(creat(path, 0600));
	else
		unlink(path);
}

static void *drain(void *arg)
{
	static char buf[4096];

	(void)arg;
	while (read(full[0], buf, sizeof(buf)) > 0)
		usleep(200);
	return NULL;
}

static void *feed(void *arg)
{
	struct sembuf up = {0, 1, 0};
	struct {
		long type;
		char text[8];
	} m = {1, "message"};

	(void)arg;
	while (!over) {
		feed_descriptors();
		feed_signals();
		msgsnd(message, &m, 8, IPC_NOWAIT);
		semop(sem, &up, 1);
		atomic_store(&gate, 0);
		syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		usleep(FEED_EVERY);
	}
	return NULL;
}

/* --- storms -------------------------------------------------------------- */

static void *storm_forks(void *arg)
{
	while (!over) {
		pid_t pid = bare_fork();

		if (pid == 0 && arg)
			execl("/bin/true", "true", NULL);
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

static void *storm_signals(void *arg)
{
	pid_t parent = getpid(), pid = bare_fork();

	(void)arg;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			kill(parent, SIGWINCH);
			kill(parent, SIGCHLD);
			usleep(500);
		}
	}
	while (!over)
		usleep(1000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return NULL;
}

static void *come(void *arg)
{
	free(malloc(500));
	return arg;
}

static void *storm_threads(void *arg)
{
	while (!over) {
		pthread_t t;

		if (pthread_create(&t, NULL, come, NULL) == 0)
			pthread_join(t, NULL);
	}
	return arg;
}

static void *storm_mappings(void *arg)
{
	while (!over) {
		size_t n = 64 * 4096;
		char *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		p[0] = 1;
		mprotect(p + 4096, 4096, PROT_READ);
		munmap(p, n);
		free(malloc(200000));
	}
	return arg;
}

/* Whoever creates a thread has all signals blocked for a moment, and what its
 * process would ignore is then another thread's: nobody begins before all are
 * created. */
static pthread_mutex_t all_created = PTHREAD_MUTEX_INITIALIZER;

struct beginning {
	void *(*run)(void *);
	void *arg;
};

static void *begin_when_all_are_there(void *arg)
{
	struct beginning b = *(struct beginning *)arg;

	free(arg);
	pthread_mutex_lock(&all_created);
	pthread_mutex_unlock(&all_created);
	return b.run(b.arg);
}

static void start(void *(*run)(void *), void *arg)
{
	struct beginning *b = malloc(sizeof(*b));
	pthread_attr_t small;
	pthread_t t;

	if (!b)
		abort();
	*b = (struct beginning){run, arg};
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &small, begin_when_all_are_there, b) != 0)
		abort();
}

static void start_storms(const char *letters)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'f':
			start(storm_forks, NULL);
			break;
		case 'x':
			start(storm_forks, (void *)1);
			break;
		case 's':
			start(storm_signals, NULL);
			break;
		case 't':
			start(storm_threads, NULL);
			break;
		default:
			start(storm_mappings, NULL);
			break;
		}
	}
}

static void set_up(void)
{
	struct sigaction act = {.sa_handler = handle};

	sigaction(SIGUSR1, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	ev[0] = eventfd(0, EFD_NONBLOCK);
	ev[1] = eventfd(0, 0);
	message = msgget(IPC_PRIVATE, 0600);
	sem = semget(IPC_PRIVATE, 1, 0600);
	snprintf(watched_dir, sizeof(watched_dir), "/tmp/zoo.%d", getpid());
	mkdir(watched_dir, 0700);
	watched = inotify_init();
	inotify_add_watch(watched, watched_dir, IN_CREATE | IN_DELETE);
	if (pipe(pipes) < 0 || pipe(full) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, whole) < 0)
		abort();
}

static void tear_down(void)
{
	char path[96];

	msgctl(message, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%d", watched_dir, i);
		unlink(path);
	}
	rmdir(watched_dir);
}

int main(int argc, char **argv)
{
	char line[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_up();
	pthread_mutex_lock(&all_created);
	for (size_t i = 0; i < CAGES; i++)
		start(live, &cages[i]);
	start(drain, NULL);
	start(feed, NULL);
	start_storms(argc > 1 ? argv[1] : "");
	pthread_mutex_unlock(&all_created);
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	over = 1;
	for (size_t i = 0; i < CAGES; i++)
		printf("%s %lu %lu\n", cages[i].name,
		       (unsigned long)cages[i].rounds,
		       (unsigned long)cages[i].wrong);
	printf("handlers %lu %ld\n", (unsigned long)handled,
	       (long)(handled - returned > 1));
	printf("end\n");
	fflush(stdout);
	tear_down();
	_exit(0);
}
