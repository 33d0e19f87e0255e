/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/memory/live_task.h"

int ht_pagemap_open(pid_t pid)
{
	char path[48];
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap",
		 (int)ht_live_task(pid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &entry, sizeof(entry), 0) == sizeof(entry))
		return fd;
	close(fd); /* something lies over it */
	errno = ENODATA;
	return -1;
}
