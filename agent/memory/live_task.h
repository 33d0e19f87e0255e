/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live task: whose /proc files show a process's memory. Mostly the leader's,
 * /proc/PID; but main() may end by pthread_exit() while others run. The leader
 * is a zombie then, its maps are empty, exe and root are gone; each thread that
 * lives has them in /proc/TID, of the whole process.
 */
#ifndef HT_AGENT_MEMORY_LIVE_TASK_H
#define HT_AGENT_MEMORY_LIVE_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* pid, or where its leader has ended the first thread that has not; pid again
 * where there is none. */
pid_t ht_live_task(pid_t pid);

/* Device and inode of the executable, as the kernel has them: a file system
 * that does not answer is not asked. false: not there, errno says why. */
bool ht_exe_identity(pid_t pid, uint64_t *ret_dev, uint64_t *ret_inode);
/* The same, of what ht_live_task() said. */
bool ht_exe_of_task(pid_t task, uint64_t *ret_dev, uint64_t *ret_inode);

#endif
