/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks: the threads of a process as /proc/PID/task shows them, without
 * touching them. A thread that sleeps in the kernel cannot change a heap: its
 * place is known from /proc/PID/task/TID/syscall, and its run counter tells
 * afterwards whether it slept all the time.
 */
#ifndef HT_AGENT_STOP_TASKS_H
#define HT_AGENT_STOP_TASKS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* Where a sleeping thread is. nr: system call, or none: a page fault, or it is
 * stopped. */
#define HT_SLEEP_NO_CALL HT_NO_CALL
struct ht_sleep {
	long nr;
	uint64_t arg[6];
	uint64_t sp, pc;
};

/* Opens /proc/PID/task; closedir() closes it. HT_GONE when there is none. */
enum ht_code ht_tasks_open(pid_t pid, DIR **ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* The next thread id; 0 at the end, after which it begins anew. */
pid_t ht_tasks_next(DIR *tasks);
/* Threads there are now. A listing that meets a thread just ending stops short:
 * it was whole only if it had this many. */
size_t ht_tasks_count(DIR *tasks);

/* Whether the thread sleeps in the kernel, and where. Needs the right to trace
 * it; false also when that is missing. */
bool ht_task_asleep(DIR *tasks, pid_t tid, struct ht_sleep *ret);
/* How often it was put on a processor so far; HT_RUNS_UNKNOWN when it is gone.
 * HT_RUNS_LATE is set in it by kernels that count when it leaves again. */
#define HT_RUNS_UNKNOWN UINT64_MAX
#define HT_RUNS_LATE	(UINT64_C(1) << 63)
uint64_t ht_task_runs(DIR *tasks, pid_t tid);
/* Where it is asked for again and again: the thread's schedstat, open; -1: not
 * to be had. It is that thread's for good. ht_task_runs_at is ht_task_runs, by
 * it where it tells. */
int ht_task_runs_open(DIR *tasks, pid_t tid);
uint64_t ht_task_runs_at(DIR *tasks, pid_t tid, int schedstat);
/* Whether a seccomp filter judges its system calls; true also when that cannot
 * be told. */
bool ht_task_filtered(DIR *tasks, pid_t tid);
/* How many filters it has; -1: the kernel does not tell (before Linux 5.9). */
long ht_task_filters(DIR *tasks, pid_t tid);
/* State letter of /proc/PID/task/TID/stat: R S D T t Z X; 0 when it is gone. */
char ht_task_state(DIR *tasks, pid_t tid);

#endif
