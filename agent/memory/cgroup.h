/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup: the limits that a process will meet first, from the text of its
 * /proc/PID/cgroup. Both hierarchies are known: v2 ("0::/path") and v1
 * ("4:memory:/path"). */
#ifndef HT_AGENT_MEMORY_CGROUP_H
#define HT_AGENT_MEMORY_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Path of the group that accounts memory: v1's if there is one, else v2's. */
void ht_cgroup_name(const char *proc_cgroup, char *ret, size_t size);

/* A limit, what is used of it, and the group that has it. */
struct ht_cgroup_limit {
	uint64_t max, used;
	char path[256]; /* "/a/b", below the mount point */
};

/* Bytes: the group, from its own up to the root, with the least room; used are
 * the bytes charged to it that cannot be reclaimed (anonymous, shared memory,
 * kernel). Left alone when no group has a limit or none can be read. */
void ht_cgroup_memory(const char *proc_cgroup, struct ht_cgroup_limit *ret);
/* The same of threads (pids.max). */
void ht_cgroup_pids(const char *proc_cgroup, struct ht_cgroup_limit *ret);

#endif
