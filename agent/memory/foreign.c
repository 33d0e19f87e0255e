/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/memory/live_task.h"
#include "agent/self/privilege.h"
#include "common/cleanup.h"
#include "common/passing.h"
#include "common/system.h"

#define ANSWER_MS      3000
#define REAP_MS	       200
#define ANSWER_FD      0		/* the child's only descriptor */
#define SIZE_MAX_BYTES ((off_t)8 << 30) /* of debug information: some GB */

/* --- in the child -------------------------------------------------------- */

/* O_PATH: nothing is opened yet. */
static int below_root(pid_t pid, const char *folder, const char *path)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
				     .resolve = RESOLVE_IN_ROOT |
						RESOLVE_NO_MAGICLINKS};
	char proc[40], full[4200];
	const char *root = pid > 0 ? proc : folder;
	int dir, fd;

	if (!root)
		return open(path, O_PATH | O_CLOEXEC);
	if (pid > 0)
		snprintf(proc, sizeof(proc), "/proc/%d/root",
			 (int)ht_live_task(pid));
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	/* An older kernel, or a filter that does not know the call: absolute
	 * links lead into our root then. */
	if (snprintf(full, sizeof(full), "%s%s", root, path) >=
	    (int)sizeof(full)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(full, O_PATH | O_CLOEXEC);
}

/* Files there are no files: reading one may do something, or never end. */
static bool is_pseudo(int fd)
{
	static const uint64_t pseudo[] = {
		PROC_SUPER_MAGIC,    SYSFS_MAGIC,	 DEBUGFS_MAGIC,
		TRACEFS_MAGIC,	     SECURITYFS_MAGIC,	 CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, BPF_FS_MAGIC,
		BINFMTFS_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (size_t i = 0; i < sizeof(pseudo) / sizeof(*pseudo); i++) {
		if ((uint64_t)fs.f_type == pseudo[i])
			return true;
	}
	return false;
}

static int open_checked(int at)
{
	char link[40];
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode) || is_pseudo(at)) {
		errno = EINVAL;
		return -1;
	}
	if (st.st_size > SIZE_MAX_BYTES) {
		errno = EFBIG;
		return -1;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	return open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void send_answer(int socket, int fd, int number)
{
	if (!ht_pass_send(socket, &number, sizeof(number), &fd, fd >= 0))
		_exit(1);
}

static int open_foreign(const struct ht_foreign *f)
{
	HT_AUTO_FD int at = f->link ? open(f->link, O_PATH | O_CLOEXEC)
				    : below_root(f->pid, f->root, f->path);

	return open_checked(at);
}

/* It may be held for ever: nobody who waits for an end of ours (a pipe's
 * reader, the daemon at its socket) waits for it. */
static void arrive(int socket)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(socket, ANSWER_FD) != ANSWER_FD)
		_exit(1);
	ht_close_from(ANSWER_FD + 1);
}

static void open_one(const struct ht_foreign *f)
{
	int fd = open_foreign(f);

	send_answer(ANSWER_FD, fd, fd < 0 ? errno : 0);
	if (fd >= 0)
		close(fd);
}

/* With less privilege than the others have. */
static void child_of_one(const struct ht_foreign *f, int socket)
{
	arrive(socket);
	if (f->plain)
		ht_privilege_without_dac();
	open_one(f);
	_exit(0);
}

/* What is asked for, with its texts. */
struct asked {
	pid_t pid;
	bool has_root, has_link;
	char root[PATH_MAX], path[PATH_MAX], link[64];
};

/* Until the agent has no more. */
static void child_of_many(int socket)
{
	struct asked a;
	int none;
	size_t n;

	arrive(socket);
	while (ht_pass_receive(ANSWER_FD, 0, &a, sizeof(a), &none, 0, &n)) {
		const struct ht_foreign f = {
			.pid = a.pid,
			.root = a.has_root ? a.root : NULL,
			.path = a.path,
			.link = a.has_link ? a.link : NULL,
		};

		open_one(&f);
	}
	_exit(0);
}

/* --- in the agent -------------------------------------------------------- */

/* The child's answer; -1 with errno. */
static int receive(int socket)
{
	struct pollfd p = {.fd = socket, .events = POLLIN};
	int number = EIO, fd = -1;
	size_t n;

	if (poll(&p, 1, ANSWER_MS) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (!ht_pass_receive(socket, MSG_DONTWAIT, &number, sizeof(number), &fd,
			     1, &n)) {
		errno = EIO;
		return -1;
	}
	errno = number;
	return fd;
}

/* One that a file system holds where no signal ends it is not waited for: it
 * ends when it can, at the latest with us. */
static void reap(pid_t pid)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	int number = errno;

	kill(pid, SIGKILL);
	for (int i = 0; i < REAP_MS; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			break;
		nanosleep(&moment, NULL);
	}
	errno = number;
}

static int open_alone(const struct ht_foreign *f)
{
	int pair[2], fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		child_of_one(f, pair[1]);
	close(pair[1]);
	fd = -1;
	if (pid > 0) {
		fd = receive(pair[0]);
		reap(pid);
	}
	close(pair[0]);
	return fd;
}

/* The child that waits for more; owner: who made it, no child of whose. */
static struct {
	pid_t pid, owner;
	int socket;
} opener = {.socket = -1};

void ht_foreign_end(void)
{
	int number = errno;

	if (opener.socket >= 0)
		close(opener.socket);
	if (opener.pid > 0 && opener.owner == getpid())
		reap(opener.pid);
	opener.pid = 0;
	opener.socket = -1;
	errno = number;
}

static bool have_opener(void)
{
	int pair[2];

	if (opener.pid > 0 && opener.owner == getpid())
		return true;
	ht_foreign_end();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	opener.owner = getpid();
	opener.socket = pair[0];
	opener.pid = fork();
	if (opener.pid == 0)
		child_of_many(pair[1]);
	close(pair[1]);
	if (opener.pid < 0)
		ht_foreign_end();
	return opener.pid > 0;
}

static bool put(const struct ht_foreign *f, struct asked *ret)
{
	*ret = (struct asked){.pid = f->pid,
			      .has_root = f->root != NULL,
			      .has_link = f->link != NULL};
	return snprintf(ret->root, sizeof(ret->root), "%s", f->root ?: "") <
		       (int)sizeof(ret->root) &&
	       snprintf(ret->path, sizeof(ret->path), "%s", f->path ?: "") <
		       (int)sizeof(ret->path) &&
	       snprintf(ret->link, sizeof(ret->link), "%s", f->link ?: "") <
		       (int)sizeof(ret->link);
}

int ht_foreign_open(const struct ht_foreign *f)
{
	struct asked a;
	int fd;

	if (f->plain)
		return open_alone(f);
	if (!put(f, &a)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!have_opener())
		return -1;
	if (!ht_pass_send(opener.socket, &a, sizeof(a), NULL, 0)) {
		ht_foreign_end(); /* somebody ended it: once more */
		if (!have_opener() ||
		    !ht_pass_send(opener.socket, &a, sizeof(a), NULL, 0))
			return -1;
	}
	fd = receive(opener.socket);
	if (fd < 0 && (errno == ETIMEDOUT || errno == EIO))
		ht_foreign_end(); /* it is held, or gone */
	return fd;
}
