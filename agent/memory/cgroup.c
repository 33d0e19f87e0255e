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
	const char *max_file, *used_file;
	const char *used_keys[4]; /* of used_file; none: it is one number */
} memory_v1 = {"cgroup",
	       "memory",
	       "memory.limit_in_bytes",
	       "memory.stat",
	       {"total_rss", "total_shmem", NULL}},
  memory_v2 = {"cgroup2",
	       NULL,
	       "memory.max",
	       "memory.stat",
	       {"anon", "shmem", "kernel", NULL}},
  pids_v1 = {"cgroup", "pids", "pids.max", "pids.current", {NULL}},
  pids_v2 = {"cgroup2", NULL, "pids.max", "pids.current", {NULL}};

/* What is limited: v1's name of the controller, and both hierarchies. */
struct controller {
	const char *name;
	const struct hierarchy *v1, *v2;
};
static const struct controller memory = {"memory", &memory_v1, &memory_v2};
static const struct controller pids = {"pids", &pids_v1, &pids_v2};

struct group {
	const struct hierarchy *of;
	char path[PATH_MAX / 2]; /* "/a/b", below the mount point */
	char root[PATH_MAX / 2]; /* the mount point */
};

/* "4:memory:/path" or "4:cpu,memory:/path": is it among the names? */
static bool line_has(const char *names, size_t n, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; at < names + n;
	     at += strcspn(at, ",:") + 1)
		if (strncmp(at, name, len) == 0 && strchr(",:", at[len]))
			return true;
	return false;
}

static bool find_path(const char *text, const struct controller *of,
		      struct group *ret)
{
	for (const char *line = text; line && *line;
	     line = strchr(line, '\n')) {
		const char *names, *path;

		line += *line == '\n';
		names = strchr(line, ':');
		path = names ? strchr(names + 1, ':') : NULL;
		if (!path)
			break;
		if (line_has(names + 1, (size_t)(path - names - 1), of->name))
			ret->of = of->v1;
		else if (path == names + 1 && !ret->of)
			ret->of = of->v2;
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

	if (find_path(proc_cgroup, &memory, &g))
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
	HT_AUTO_FILE FILE *f = open_file(g, g->of->used_file);
	uint64_t value;
	char key[64];

	*ret = 0;
	if (!g->of->used_keys[0])
		return f && fscanf(f, "%" SCNu64, ret) == 1;
	while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2)
		for (const char *const *k = g->of->used_keys; *k; k++)
			if (strcmp(key, *k) == 0)
				*ret += value;
	return f != NULL;
}

static void nearest(const char *proc_cgroup, const struct controller *of,
		    struct ht_cgroup_limit *ret)
{
	struct group g = {0};
	uint64_t least = UINT64_MAX;
	char *slash;

	if (!find_path(proc_cgroup, of, &g) || !find_mount(&g))
		return;
	do {
		uint64_t max, used;

		if (read_max(&g, &max) && read_used(&g, &used)) {
			uint64_t room = max > used ? max - used : 0;

			if (room < least) {
				least = room;
				ret->max = max;
				ret->used = used;
				snprintf(ret->path, sizeof(ret->path), "%.255s",
					 g.path[0] ? g.path : "/");
			}
		}
		slash = strrchr(g.path, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
}

void ht_cgroup_memory(const char *proc_cgroup, struct ht_cgroup_limit *ret)
{
	nearest(proc_cgroup, &memory, ret);
}

void ht_cgroup_pids(const char *proc_cgroup, struct ht_cgroup_limit *ret)
{
	nearest(proc_cgroup, &pids, ret);
}
