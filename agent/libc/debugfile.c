/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/debugfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/memory/foreign.h"
#include "common/cleanup.h"

void ht_build_id_text(const struct ht_facts *f,
		      char out[2 * HT_BUILD_ID_MAX + 1])
{
	out[0] = 0;
	for (unsigned i = 0; i < f->build_id_len && i < HT_BUILD_ID_MAX; i++)
		snprintf(out + 2 * i, 3, "%02x", f->build_id[i]);
}

/* A path that the target named, below its root (0: the folder, or ours), or one
 * of ours. */
static int open_file(pid_t pid, const char *root, const char *path)
{
	return ht_foreign_open(&(struct ht_foreign){
		.pid = pid, .root = root, .path = path, .plain = true});
}

static int by_build_id(pid_t pid, const char *root, const char *id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug",
		 id, id + 2);
	return open_file(pid, root, path);
}

/* debuginfod-find leaves what it fetched here. The agent's file gives it rights
 * that its caller has not: no word of the environment counts then. */
static int by_debuginfod(const char *id)
{
	const char *dir = secure_getenv("DEBUGINFOD_CACHE_PATH");
	const char *home = secure_getenv("HOME");
	char path[PATH_MAX];

	if (dir)
		snprintf(path, sizeof(path), "%s/%s/debuginfo", dir, id);
	else
		snprintf(path, sizeof(path),
			 "%s/.cache/debuginfod_client/%s/debuginfo",
			 home ? home : "/root", id);
	return open_file(0, NULL, path);
}

/* The three places that gdb looks at too. */
static int by_debuglink(pid_t pid, const char *root, const char *path,
			const char *link)
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
		snprintf(full, sizeof(full), "%s%.*s%s/%s", forms[i].before,
			 dir, path, forms[i].behind, link);
		fd = open_file(pid, root, full);
	}
	return fd;
}

int ht_debugfile_open(pid_t pid, const char *root, const char *path,
		      const struct ht_facts *f)
{
	char id[2 * HT_BUILD_ID_MAX + 1];
	int fd = -1;

	ht_build_id_text(f, id);
	if (f->build_id_len > 1)
		fd = by_build_id(0, NULL, id);
	if (fd < 0 && f->build_id_len > 1 && (pid > 0 || root))
		fd = by_build_id(pid, root, id);
	if (fd < 0 && f->build_id_len > 1)
		fd = by_debuginfod(id);
	if (fd < 0 && f->debuglink[0])
		fd = by_debuglink(pid, root, path, f->debuglink);
	return fd;
}
