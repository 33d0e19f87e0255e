/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Procfs: what the kernel says of a process as a whole. Cheap files only (stat,
 * statm, status, cgroup), but for ht_procfs_rollup.
 *
 * What the kernel does not tell stays HT_UNKNOWN. The only errors are that the
 * process is gone or may not be looked at.
 */
#ifndef HT_AGENT_MEMORY_PROCFS_H
#define HT_AGENT_MEMORY_PROCFS_H

#include <sys/types.h>

#include "agent/memory/cgroup.h"
#include "agent/memory/maps.h"
#include "agent/memory/proc_texts.h"
#include "schema/snapshot.h"

/* Who: all of head but taken_at and arch. HT_GONE: no such process. */
enum ht_code ht_procfs_head(struct ht_proc_texts *t, struct ht_head *ret,
			    struct ht_err *err) HT_MUST_CHECK;

/* The kernel names files as we see them; a process in a root of its own
 * (chroot) names them from there. The part of `path` that it would use itself:
 * borrowed, `path` as it is where it does not lie under that root. pid 0 is no
 * process. */
const char *ht_procfs_own_path(pid_t pid, const char *path);

/* How large: all of process but what follows. rss and rss_* are the kernel's
 * counters, which lag by some pages per processor; the walk replaces them by
 * exact sums where it can. */
enum ht_code ht_procfs_process(struct ht_proc_texts *t, struct ht_process *ret,
			       struct ht_err *err) HT_MUST_CHECK;
/* Of process: what its mappings say, mappings and writable_private. */
void ht_procfs_mappings(const struct ht_maps *maps, struct ht_process *ret);

/* PSS and USS, from smaps_rollup: see ht_rollup_us (schema/snapshot.h) first.
 */
void ht_procfs_rollup(pid_t pid, struct ht_process *ret);
/* Does a stop signal hold it: SIGSTOP, or job control? Not known: false. */
bool ht_procfs_stopped(struct ht_proc_texts *t);

/* No limit has no number, either: what of the limits could not be read. */
struct ht_limits_unread {
	char memory[176], pids[176]; /* why, of the cgroups; empty: read */
	bool rlimits;		     /* /proc/PID/limits */
	/* A file of /proc/PID, or of /proc ("/loadavg"), that threads_max
	 * wants; or NULL. */
	const char *threads;
};

/* How large it may become: rlimits, the tightest memory cgroup above it (v2 or
 * v1), the machine. Never fails: what cannot be read stays unknown; threads_max
 * does where one of the limits that it is the nearest of is. */
void ht_procfs_limits(struct ht_proc_texts *t, struct ht_mounts *mounts,
		      struct ht_limits *ret, struct ht_limits_unread *unread);
/* Of these the memory of the machine and of the cgroup alone: for whoever asks
 * again and again how much is left. */
void ht_procfs_memory_limits(pid_t pid, struct ht_limits *ret);

#endif
