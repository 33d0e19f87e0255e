/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Procs: which processes there are. /proc is listed once in HT_PROCS_ROUND
 * scans; between, the pids that the kernel gave out since are asked for, one by
 * one, as far as they can be told and are few. A process is read only when it
 * is new, young or its turn has come:
 *
 *   new    its pid, or the inode number of /proc/PID, was not there before
 *          (so a reused pid is new even when it was free for an instant only)
 *   young  for a few seconds every scan looks again, as most exec soon
 *   turn   then once in HT_PROCS_ROUND scans, for those that exec late
 *
 * A child of this process, an agent, is looked at once.
 *
 * Needs no privilege: /proc/PID/{stat,cmdline,cgroup} of everybody is readable;
 * /proc/PID/exe is not, so exe may stay unknown (see targets.h).
 */
#ifndef HT_DAEMON_REGISTRY_PROCS_H
#define HT_DAEMON_REGISTRY_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

#define HT_PROCS_ROUND 16

/* One process, read as far as somebody asked. */
struct ht_proc {
	pid_t pid;
	uint64_t start_ticks;
	char comm[64];
	pid_t parent;
	bool kernel; /* a kernel thread */
	bool zombie; /* all of it: a leader may end before its threads */
	/* read on demand by the functions below */
	unsigned have;
	uint64_t uid;	    /* effective */
	pid_t tracer;	    /* read with uid; 0: none */
	char cmdline[4096]; /* blanks between arguments */
	char argv0[256];
	char exe[256]; /* empty: not allowed to know */
	char cgroup[256];
	char unit[128];
};

/* HT_GONE when there is no such process (any more). */
enum ht_code ht_proc_read(pid_t pid, struct ht_proc *ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_proc_need_uid(struct ht_proc *p);
void ht_proc_need_cmdline(struct ht_proc *p);
void ht_proc_need_exe(struct ht_proc *p);
void ht_proc_need_cgroup(struct ht_proc *p);
/* A new process that is our own doing: a descendant of this process (an agent,
 * its layout role, a sink's command), an agent that outlived its parent, or one
 * that an agent of ours made and traces (the copy of snapshot mode). */
bool ht_proc_is_helper(struct ht_proc *p);

struct ht_procs; /* opaque */

struct ht_procs_events {
	/* New, or another program by now (exec), or looked at again. */
	void (*seen)(void *ctx, struct ht_proc *p, bool changed);
	void *ctx;
};

enum ht_code ht_procs_new(const struct ht_procs_events *events,
			  struct ht_procs **ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_procs_free(struct ht_procs *p);
/* One scan. full: reads every process again (after a change of targets). */
enum ht_code ht_procs_scan(struct ht_procs *p, bool full,
			   struct ht_err *err) HT_MUST_CHECK;
size_t ht_procs_count(const struct ht_procs *p);

#endif
