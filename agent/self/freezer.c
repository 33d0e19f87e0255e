/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/freezer.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Where every distribution mounts it. */
#define ROOT "/sys/fs/cgroup/freezer"

/* The group we are in, of the freezer hierarchy of v1: "9:freezer:/a/b". False:
 * there is none. ret_alone: no other controller shares the hierarchy. */
static bool find_group(char *ret, size_t size, bool *ret_alone)
{
	HT_AUTO_FILE FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		char *names = strchr(line, ':');
		char *path = names ? strchr(names + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (!strstr(names, "freezer"))
			continue;
		path[strcspn(path, "\n")] = '\0';
		snprintf(ret, size, "%s", path);
		*ret_alone = strcmp(names + 1, "freezer") == 0;
		return true;
	}
	return false;
}

/* Only the true root has no state: in a namespace of its own a container's
 * group is called "/", too. */
static bool can_be_frozen(const char *group)
{
	return strcmp(group, "/") != 0 ||
	       access(ROOT "/freezer.state", F_OK) == 0;
}

void ht_freezer_leave(void)
{
	HT_AUTO_FD int fd = -1;
	char group[4096];
	bool alone;

	if (!find_group(group, sizeof(group), &alone) || !alone ||
	    !can_be_frozen(group))
		return;
	fd = open(ROOT "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	/* Where that is not allowed ht_freezer_check() tells. */
	if (fd >= 0 && write(fd, "0", 1) < 0)
		return;
}

enum ht_code ht_freezer_check(struct ht_err *err)
{
	char group[4096];
	bool alone;

	if (!find_group(group, sizeof(group), &alone) || !can_be_frozen(group))
		return HT_OK;
	return ht_fail(
		err, HT_REFUSED,
		"whoever freezes our own cgroup (freezer:%.200s) would leave the process stopped; mode none stops nothing",
		group);
}
