/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/proc_texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/memory/live_task.h"
#include "common/cleanup.h"

bool ht_proc_read_text(const char *path, char text[HT_PROC_TEXT_MAX])
{
	HT_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	while (used < HT_PROC_TEXT_MAX - 1 &&
	       (got = read(fd, text + used, HT_PROC_TEXT_MAX - 1 - used)) !=
		       0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		used += (size_t)got;
	}
	text[used] = '\0';
	return true;
}

/* Not the texts, which are large: each is written before it is read. */
void ht_proc_texts_begin(struct ht_proc_texts *t, pid_t pid)
{
	t->pid = pid;
	t->task = ht_live_task(pid);
	t->exe_number = -1;
	for (int i = 0; i < HT_PROC_FILES; i++)
		t->file[i].number = -1;
}

static void read_file(struct ht_proc_text *f, pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	f->number = ht_proc_read_text(path, f->text) ? 0 : errno;
}

/* The leader's file, where it is the same. */
static enum ht_proc_file place_of(const struct ht_proc_texts *t,
				  enum ht_proc_file file)
{
	if (t->task != t->pid)
		return file;
	if (file == HT_PROC_TASK_STAT)
		return HT_PROC_STAT;
	return file == HT_PROC_TASK_STATUS ? HT_PROC_STATUS : file;
}

const char *ht_proc_texts_of(struct ht_proc_texts *t, enum ht_proc_file file)
{
	static const struct {
		const char *name;
		bool of_task;
	} files[HT_PROC_FILES] = {
		[HT_PROC_STAT] = {"stat", false},
		[HT_PROC_STATUS] = {"status", false},
		[HT_PROC_CGROUP] = {"cgroup", false},
		[HT_PROC_TASK_STAT] = {"stat", true},
		[HT_PROC_TASK_STATUS] = {"status", true},
	};
	enum ht_proc_file at = place_of(t, file);
	struct ht_proc_text *f = &t->file[at];

	if (f->number < 0)
		read_file(f, files[at].of_task ? t->task : t->pid,
			  files[at].name);
	if (f->number == 0)
		return f->text;
	errno = f->number;
	return NULL;
}

bool ht_proc_exe(struct ht_proc_texts *t, uint64_t *ret_dev,
		 uint64_t *ret_inode)
{
	if (t->exe_number < 0)
		t->exe_number =
			ht_exe_of_task(t->task, &t->exe_dev, &t->exe_inode)
				? 0
				: errno;
	if (t->exe_number == 0) {
		*ret_dev = t->exe_dev;
		*ret_inode = t->exe_inode;
	}
	errno = t->exe_number;
	return t->exe_number == 0;
}
