/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worst: something happens right before the n-th system call of the agent, for
 * a test with `LDFLAGS: -Wl,@tests/lib/wrap_calls`. This header defines what
 * the linker then has the agent call instead, but for ptrace, which the test
 * defines: one file of a program includes it.
 */
#ifndef HT_TESTS_WORST_H
#define HT_TESTS_WORST_H

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static long worst_in = -1; /* calls until then; -1: never */
static void (*worst)(void);

static void perhaps(void)
{
	if (worst_in > 0 && --worst_in == 0)
		worst();
}

#define WRAP(type, name, params, args)                                         \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params                                              \
	{                                                                      \
		perhaps();                                                     \
		return __real_##name args;                                     \
	}

WRAP(int, waitid, (idtype_t t, id_t id, siginfo_t *i, int o), (t, id, i, o))
WRAP(ssize_t, process_vm_readv,
     (pid_t p, const struct iovec *l, unsigned long ln, const struct iovec *r,
      unsigned long rn, unsigned long f),
     (p, l, ln, r, rn, f))
WRAP(ssize_t, process_vm_writev,
     (pid_t p, const struct iovec *l, unsigned long ln, const struct iovec *r,
      unsigned long rn, unsigned long f),
     (p, l, ln, r, rn, f))
WRAP(int, kill, (pid_t p, int s), (p, s))
WRAP(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n))
WRAP(ssize_t, pread, (int fd, void *b, size_t n, off_t o), (fd, b, n, o))
WRAP(int, nanosleep, (const struct timespec *t, struct timespec *l), (t, l))
WRAP(int, sigtimedwait,
     (const sigset_t *s, siginfo_t *i, const struct timespec *t), (s, i, t))
WRAP(int, sched_setscheduler, (pid_t p, int c, const struct sched_param *s),
     (p, c, s))
WRAP(DIR *, opendir, (const char *path), (path))
WRAP(int, closedir, (DIR * d), (d))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	perhaps();
	return __real_open(path, flags, 0600);
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
	perhaps();
	return __real_openat(dir, path, flags, 0600);
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	perhaps();
	return __real_ioctl(fd, request, arg);
}

#endif
