/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proc texts: the small files of /proc/PID that several ask for in one look,
 * each read once, when the first asks: with a thousand processes watched these
 * reads are what a look costs. What they tell is then of one moment, too.
 * Whoever must see what changed meanwhile begins anew.
 */
#ifndef HT_AGENT_MEMORY_PROC_TEXTS_H
#define HT_AGENT_MEMORY_PROC_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The largest of these files is status, some 1.5 KB as a rule. */
#define HT_PROC_TEXT_MAX 8192

/* A small file that is asked for in each look, held open in between: read from
 * its start each time. One of a process is that process's for good: after its
 * end nothing can be read of it, whoever has its id then. Zeroed: not open. */
struct ht_kept_file {
	_Atomic int held; /* descriptor + 1 */
};

/* Opens it by its path where it is not, or cannot be read any more. false:
 * errno says why. size: HT_PROC_TEXT_MAX, or enough for all of it. */
bool ht_kept_read(struct ht_kept_file *k, const char *path, char *text,
		  size_t size);
void ht_kept_close(struct ht_kept_file *k);

enum ht_proc_file {
	HT_PROC_STAT,
	HT_PROC_STATUS,
	HT_PROC_CGROUP,
	/* of the task whose files show the memory (live_task.h) */
	HT_PROC_TASK_STAT,
	HT_PROC_TASK_STATUS,
	HT_PROC_FILES
};

/* Of one process, which is looked at again and again; zeroed: none yet. */
struct ht_proc_kept {
	struct ht_kept_file file[HT_PROC_TASK_STAT]; /* of the process itself */
	struct ht_kept_file limits, uid_map;
};
void ht_proc_kept_close(struct ht_proc_kept *k);

struct ht_proc_text {
	int number; /* errno; 0: text holds it; -1: not asked for yet */
	char text[HT_PROC_TEXT_MAX];
};

struct ht_proc_texts {
	pid_t pid, task;
	int exe_number; /* as above */
	uint64_t exe_dev, exe_inode;
	struct ht_proc_kept *kept; /* borrowed; NULL: nothing is held open */
	struct ht_proc_text file[HT_PROC_FILES];
};

/* Nothing is read but which task it is. kept: of this pid, or NULL. */
void ht_proc_texts_begin(struct ht_proc_texts *t, pid_t pid,
			 struct ht_proc_kept *kept);
/* The file, NUL-terminated; NULL: errno says why. */
const char *ht_proc_texts_of(struct ht_proc_texts *t, enum ht_proc_file file);
/* As ht_exe_identity(). */
bool ht_proc_exe(struct ht_proc_texts *t, uint64_t *ret_dev,
		 uint64_t *ret_inode);

/* A whole small file, NUL-terminated, by its path. false: errno says why. */
bool ht_proc_read_text(const char *path, char text[HT_PROC_TEXT_MAX]);

#endif
