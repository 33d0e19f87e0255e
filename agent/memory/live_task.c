/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/live_task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"

/* A task without memory has no executable; one that may not be read has. */
static bool has_memory(pid_t tid)
{
	char path[40], to[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)tid);
	return readlink(path, to, sizeof(to)) >= 0 || errno != ENOENT;
}

pid_t ht_live_task(pid_t pid)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	const struct dirent *e;
	char path[40];

	if (pid <= 0 || has_memory(pid))
		return pid;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (e = readdir(tasks)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid > 0 && tid != pid && has_memory(tid))
			return tid;
	}
	return pid;
}

bool ht_exe_identity(pid_t pid, uint64_t *ret_dev, uint64_t *ret_inode)
{
	return ht_exe_of_task(ht_live_task(pid), ret_dev, ret_inode);
}

bool ht_exe_of_task(pid_t task, uint64_t *ret_dev, uint64_t *ret_inode)
{
	char path[40];
	struct statx st;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)task);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) < 0)
		return false;
	*ret_dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	*ret_inode = st.stx_ino;
	return true;
}
