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
#include "agent/memory/live_task.h"
#include "common/cleanup.h"

static void hex(const uint8_t *bytes, size_t len,
		char out[2 * HT_BUILD_ID_MAX + 1])
{
	out[0] = 0;
	for (size_t i = 0; i < len && i < HT_BUILD_ID_MAX; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

void ht_build_id_text(const struct ht_facts *f,
		      char out[2 * HT_BUILD_ID_MAX + 1])
{
	hex(f->build_id, f->build_id_len, out);
}

/* A path below the target's root, or one of ours. */
static int try(const struct ht_debugfile_ask *ask, bool theirs,
	       const char *path)
{
	int fd = ht_foreign_open(
		&(struct ht_foreign){.pid = theirs ? ask->pid : 0,
				     .root = theirs ? ask->root : NULL,
				     .path = path,
				     .plain = true});

	if (fd < 0 || !ask->fits || ask->fits(ask->ctx, fd))
		return fd;
	close(fd);
	return -1;
}

static bool has_root(const struct ht_debugfile_ask *ask)
{
	return ask->pid > 0 || ask->root;
}

/* What the target names: there first; of ours only what is known to fit. */
static int try_both(const struct ht_debugfile_ask *ask, const char *path)
{
	int fd = has_root(ask) ? try(ask, true, path) : -1;

	return fd < 0 && (ask->fits || !has_root(ask)) ? try(ask, false, path)
						       : fd;
}

/* debuginfod-find leaves what it fetched here. The agent's file gives it rights
 * that its caller has not: no word of the environment counts then. */
static int by_debuginfod(const struct ht_debugfile_ask *ask, const char *id)
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
	return try(ask, false, path);
}

/* What is ours is not the target's to make up: here first. */
static int by_build_id(const struct ht_debugfile_ask *ask, const uint8_t *bytes,
		       size_t len)
{
	char id[2 * HT_BUILD_ID_MAX + 1], path[PATH_MAX];
	int fd;

	if (len < 2)
		return -1;
	hex(bytes, len, id);
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug",
		 id, id + 2);
	fd = try(ask, false, path);
	if (fd < 0 && has_root(ask))
		fd = try(ask, true, path);
	return fd < 0 ? by_debuginfod(ask, id) : fd;
}

/* The three places that gdb looks at too. */
static int by_debuglink(const struct ht_debugfile_ask *ask, const char *path,
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
		fd = try_both(ask, full);
	}
	return fd;
}

int ht_debugfile_open(const struct ht_debugfile_ask *ask, const char *path,
		      const struct ht_facts *f)
{
	int fd = by_build_id(ask, f->build_id, f->build_id_len);

	return fd < 0 && f->debuglink[0] ? by_debuglink(ask, path, f->debuglink)
					 : fd;
}

/* Where a link of /proc leads to; "" where that cannot be seen. */
static void read_link(const char *link, char path[PATH_MAX])
{
	ssize_t n = readlink(link, path, PATH_MAX - 1);

	path[n > 0 ? n : 0] = '\0';
}

/* A path as the target has it, which has its root in some folder. */
static const char *inside(const struct ht_debugfile_ask *ask, const char *path)
{
	char link[40], root[PATH_MAX];
	size_t len;

	snprintf(link, sizeof(link), "/proc/%d/root",
		 (int)ht_live_task(ask->pid));
	if (ask->pid > 0)
		read_link(link, root);
	else if (!ask->root || !realpath(ask->root, root))
		return path;
	len = strlen(root);
	return len > 1 && strncmp(path, root, len) == 0 && path[len] == '/'
		       ? path + len
		       : path;
}

/* A name from the folder of a file on. */
static int try_beside(const struct ht_debugfile_ask *ask, bool theirs,
		      const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char path[2 * PATH_MAX];

	if (!slash ||
	    (size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - file),
			     file, name) >= sizeof(path))
		return -1;
	return try(ask, theirs, path);
}

int ht_debugfile_shared(const struct ht_debugfile_ask *ask, int of,
			const char *name, const uint8_t *id, size_t id_len)
{
	char link[40], path[PATH_MAX];
	int fd = -1;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", of);
	read_link(link, path);
	if (*name == '/')
		fd = try_both(ask, name);
	else if (has_root(ask))
		fd = try_beside(ask, true, inside(ask, path), name);
	if (fd < 0 && *name != '/')
		fd = try_beside(ask, false, path, name);
	return fd < 0 ? by_build_id(ask, id, id_len) : fd;
}
