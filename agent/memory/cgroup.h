/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup: the limits that a process will meet first, from the text of its
 * /proc/PID/cgroup. Both hierarchies are known: v2 ("0::/path") and v1
 * ("4:memory:/path"). */
#ifndef HT_AGENT_MEMORY_CGROUP_H
#define HT_AGENT_MEMORY_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/memory/mounts.h"

/* Path of the group that accounts memory: v1's if there is one, else v2's. */
void ht_cgroup_name(const char *proc_cgroup, char *ret, size_t size);

enum ht_cgroup_found {
	HT_CGROUP_NONE,	  /* every group up to the root was read: no limit */
	HT_CGROUP_LIMIT,  /* there is one */
	HT_CGROUP_UNREAD, /* there may be one */
};

/* A limit, what is used of it, and the group that has it; or why not even that
 * is known. */
struct ht_cgroup_limit {
	uint64_t max, used;
	char path[256]; /* as /proc/PID/cgroup names it: "/a/b" */
	char why[176];
};

/* Bytes: the group, from its own up to the root, with the least room; used are
 * the bytes charged to it that cannot be reclaimed (anonymous, shared memory,
 * kernel). ret: max, used and path for LIMIT alone, why for UNREAD alone.
 *
 * NONE is said only where each group's directory was there, and its file said
 * so or was not there (the root has none, nor has a group for which nobody
 * enabled the controller); and where the last was the root of the hierarchy,
 * not one that a namespace or a mount shows as such. A limit below such a one
 * is told: it holds, whatever stands above. One below a group that could not be
 * read is not: which of the two is nearer is not known. */
enum ht_cgroup_found ht_cgroup_memory(const char *proc_cgroup,
				      struct ht_mounts *mounts,
				      struct ht_cgroup_limit *ret);
/* The same of threads (pids.max). */
enum ht_cgroup_found ht_cgroup_pids(const char *proc_cgroup,
				    struct ht_mounts *mounts,
				    struct ht_cgroup_limit *ret);

/* Whether its group of v2 is frozen, by itself or from above; false also where
 * it is not to be seen. */
bool ht_cgroup_frozen(const char *proc_cgroup, struct ht_mounts *mounts);

#endif
