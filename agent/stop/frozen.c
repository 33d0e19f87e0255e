/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/frozen.h"

#include <stdio.h>
#include <string.h>

#include "agent/memory/cgroup.h"
#include "agent/memory/live_task.h"
#include "common/cleanup.h"

/* Where a thread that v1 froze sleeps; v2's sleep among the stopped. */
#define ASLEEP_IN "__refrigerator"

static bool read_text(pid_t pid, const char *name, char *ret, size_t size)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "re");
	ret[f ? fread(ret, 1, size - 1, f) : 0] = '\0';
	return *ret;
}

enum ht_code ht_frozen_check_stop(pid_t pid, struct ht_err *err)
{
	char place[64];

	if (!read_text(ht_live_task(pid), "wchan", place, sizeof(place)) ||
	    strcmp(place, ASLEEP_IN) != 0)
		return HT_OK;
	return ht_fail(
		err, HT_REFUSED,
		"process %d is frozen (cgroup freezer): no thread of it can be stopped until it is thawed; mode none reads it as it is",
		(int)pid);
}

enum ht_code ht_frozen_check_run(pid_t pid, struct ht_err *err)
{
	HT_AUTO_MOUNTS struct ht_mounts mounts = HT_MOUNTS_OWN;
	enum ht_code code = ht_frozen_check_stop(pid, err);
	char groups[HT_PROC_TEXT_MAX];

	if (code != HT_OK ||
	    !read_text(ht_live_task(pid), "cgroup", groups, sizeof(groups)) ||
	    !ht_cgroup_frozen(groups, &mounts))
		return code;
	return ht_fail(
		err, HT_REFUSED,
		"process %d is frozen (its cgroup): no thread of it runs until it is thawed; mode none reads it as it is",
		(int)pid);
}
