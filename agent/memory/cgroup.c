/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

/* The two hierarchies differ in names only. */
static const struct hierarchy {
	const char *fs, *option; /* as /proc/self/mounts has it */
	const char *max_file;
	const char *used_keys[4]; /* of memory.stat */
} v1 = {"cgroup",
	"memory",
	"memory.limit_in_bytes",
	{"total_rss", "total_shmem", NULL}},
  v2 = {"cgroup2", NULL, "memory.max", {"anon", "shmem", "kernel", NULL}};

struct group {
	const struct hierarchy *of;
	char path[PATH_MAX / 2]; /* "/a/b", below the mount point */
	char root[PATH_MAX / 2]; /* the mount point */
};

/* "4:memory:/path" or "4:cpu,memory:/path": is `memory` among the names? */
static bool line_has_memory(const char *names, size_t n)
{
	for (const char *at = names; at < names + n;
	     at += strcspn(at, ",:") + 1)
		if (strncmp(at, "memory", 6) == 0 && strchr(",:", at[6]))
			return true;
	return false;
}

static bool find_path(const char *text, struct group *ret)
{
	for (const char *line = text; line && *line;
	     line = strchr(line, '\n')) {
		const char *names, *path;

		line += *line == '\n';
		names = strchr(line, ':');
		path = names ? strchr(names + 1, ':') : NULL;
		if (!path)
			break;
		if (line_has_memory(names + 1, (size_t)(path - names - 1)))
			ret->of = &v1;
		else if (path == names + 1 && !ret->of)
			ret->of = &v2;
		else
			continue;
		snprintf(ret->path, sizeof(ret->path), "%.*s",
			 (int)strcspn(path + 1, "\n"), path + 1);
	}
	return ret->of != NULL;
}

void ht_cgroup_name(const char *proc_cgroup, char *ret, size_t size)
{
	struct group g = {0};

	if (find_path(proc_cgroup, &g))
		snprintf(ret, size, "%s", g.path);
}

static bool find_mount(struct group *g)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent m;
	char line[4096];
	bool found = false;

	while (mounts && !found &&
	       getmntent_r(mounts, &m, line, sizeof(line))) {
		found = strcmp(m.mnt_type, g->of->fs) == 0 &&
			(!g->of->option || hasmntopt(&m, g->of->option));
		if (found)
			snprintf(g->root, sizeof(g->root), "%s", m.mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

static FILE *open_file(const struct group *g, const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s%s/%s", g->root, g->path, name);
	return fopen(path, "re");
}

/* "max", or v1's number near 2^63, is no limit. */
static bool read_max(const struct group *g, uint64_t *ret)
{
	HT_AUTO_FILE FILE *f = open_file(g, g->of->max_file);

	return f && fscanf(f, "%" SCNu64, ret) == 1 && *ret < INT64_MAX / 2;
}

static bool read_used(const struct group *g, uint64_t *ret)
{
	HT_AUTO_FILE FILE *f = open_file(g, "memory.stat");
	uint64_t value;
	char key[64];

	*ret = 0;
	while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2)
		for (const char *const *k = g->of->used_keys; *k; k++)
			if (strcmp(key, *k) == 0)
				*ret += value;
	return f != NULL;
}

void ht_cgroup_limit(const char *proc_cgroup, uint64_t *ret_max,
		     uint64_t *ret_used)
{
	struct group g = {0};
	uint64_t least = UINT64_MAX;
	char *slash;

	if (!find_path(proc_cgroup, &g) || !find_mount(&g))
		return;
	do {
		uint64_t max, used;

		if (read_max(&g, &max) && read_used(&g, &used)) {
			uint64_t room = max > used ? max - used : 0;

			if (room < least) {
				least = room;
				*ret_max = max;
				*ret_used = used;
			}
		}
		slash = strrchr(g.path, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
}
