/* SPDX-License-Identifier: Apache-2.0 */
#include "common/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* glibc has the name since 2.36, the kernel since 5.4. */
#define BY_PIDFD ((idtype_t)3)

int ht_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int ht_pidfd_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int ht_pidfd_wait(int pidfd, siginfo_t *ret, int options)
{
	return waitid(BY_PIDFD, (id_t)pidfd, ret, options);
}

void ht_close_from(int first)
{
	syscall(SYS_close_range, (unsigned)first, ~0u, 0);
}

void ht_keep_as_last(int fd, int as)
{
	/* dup2() onto itself would leave the close-on-exec flag set. */
	if (fd == as)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, as);
	ht_close_from(as + 1);
}

#if __GLIBC_PREREQ(2, 34)

int ht_spawn_close_from(posix_spawn_file_actions_t *plan, int first)
{
	return posix_spawn_file_actions_addclosefrom_np(plan, first);
}

#else

int ht_spawn_close_from(posix_spawn_file_actions_t *plan, int first)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *e;

	(void)plan;
	if (!all)
		return errno;
	while ((e = readdir(all))) {
		int fd = atoi(e->d_name); /* "." and "..": 0 */

		if (fd >= first)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(all);
	return 0;
}

#endif

#if __GLIBC_PREREQ(2, 32)

const char *ht_errno_text(int number)
{
	return strerrordesc_np(number) ?: "unknown errno";
}

const char *ht_signal_text(int number)
{
	return sigdescr_np(number) ?: "unknown";
}

#else

/* GNU's strerror_r() points to the library's own text where it knows one. */
const char *ht_errno_text(int number)
{
	char unused[1];
	const char *text = strerror_r(number, unused, sizeof(unused));

	return text != unused ? text : "unknown errno";
}

const char *ht_signal_text(int number)
{
	return number > 0 && number < __SIGRTMIN ? strsignal(number)
						 : "unknown";
}

#endif
