/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/cleanup.h"

bool ht_proc_text(const char *pid, const char *file, char *text, size_t size)
{
	char path[64];
	HT_AUTO_FD int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.20s/%.20s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}
