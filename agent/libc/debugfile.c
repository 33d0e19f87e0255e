/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/debugfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/self/privilege.h"
#include "common/cleanup.h"

void ht_build_id_text(const struct ht_facts *f,
		      char out[2 * HT_BUILD_ID_MAX + 1])
{
	out[0] = 0;
	for (unsigned i = 0; i < f->build_id_len && i < HT_BUILD_ID_MAX; i++)
		snprintf(out + 2 * i, 3, "%02x", f->build_id[i]);
}

static int open_file(const char *path)
{
	int fd = ht_privilege_open_plain(path, O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int by_build_id(const char *root, const char *id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/usr/lib/debug/.build-id/%.2s/%s.debug",
		 root, id, id + 2);
	return open_file(path);
}

/* debuginfod-find leaves what it fetched here. */
static int by_debuginfod(const char *id)
{
	const char *dir = getenv("DEBUGINFOD_CACHE_PATH");
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	if (dir)
		snprintf(path, sizeof(path), "%s/%s/debuginfo", dir, id);
	else
		snprintf(path, sizeof(path),
			 "%s/.cache/debuginfod_client/%s/debuginfo",
			 home ? home : "/root", id);
	return open_file(path);
}

/* The three places that gdb looks at too. */
static int by_debuglink(const char *root, const char *path, const char *link)
{
	static const struct {
		const char *before, *behind;
	} forms[] = {{"", ""}, {"", "/.debug"}, {"/usr/lib/debug", ""}};
	const char *slash = strrchr(path, '/');
	char full[PATH_MAX];
	int dir = slash ? (int)(slash - path) : 0, fd = -1;

	if (strchr(link, '/'))
		return -1;
	for (size_t i = 0; i < 3 && fd < 0; i++) {
		snprintf(full, sizeof(full), "%s%s%.*s%s/%s", root,
			 forms[i].before, dir, path, forms[i].behind, link);
		fd = open_file(full);
	}
	return fd;
}

int ht_debugfile_open(pid_t pid, const char *path, const struct ht_facts *f)
{
	char id[2 * HT_BUILD_ID_MAX + 1], root[40] = "";
	int fd = -1;

	ht_build_id_text(f, id);
	if (pid > 0)
		snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	if (f->build_id_len > 1)
		fd = by_build_id("", id);
	if (fd < 0 && f->build_id_len > 1 && pid > 0)
		fd = by_build_id(root, id);
	if (fd < 0 && f->build_id_len > 1)
		fd = by_debuginfod(id);
	if (fd < 0 && f->debuglink[0])
		fd = by_debuglink(root, path, f->debuglink);
	return fd;
}
