/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/proc_texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/memory/live_task.h"
#include "common/cleanup.h"

/* The kernel makes such a text whole, in pieces of a page at most: behind a
 * short one nothing follows, unless it were a line of half a page. */
#define SHORT 2048

/* From its start. false: errno says why. */
static bool read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t got = SHORT;

	while (got >= SHORT && used < size - 1) {
		got = pread(fd, text + used, size - 1 - used, (off_t)used);
		if (got < 0 && errno == EINTR)
			got = SHORT;
		else if (got < 0)
			return false;
		else
			used += (size_t)got;
	}
	text[used] = '\0';
	return true;
}

bool ht_proc_read_text(const char *path, char text[HT_PROC_TEXT_MAX])
{
	HT_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read_all(fd, text, HT_PROC_TEXT_MAX);
}

/* --- held open ----------------------------------------------------------- */

void ht_kept_close(struct ht_kept_file *k)
{
	int held = atomic_exchange(&k->held, 0);

	if (held)
		close(held - 1);
}

bool ht_kept_read(struct ht_kept_file *k, const char *path, char *text,
		  size_t size)
{
	int held = k->held, none = 0, fd;

	if (held && read_all(held - 1, text, size))
		return true;
	ht_kept_close(k); /* it ended, or another stands in its place */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!read_all(fd, text, size)) {
		int number = errno;

		close(fd);
		errno = number;
		return false;
	}
	if (!atomic_compare_exchange_strong(&k->held, &none, fd + 1))
		close(fd); /* another thread was faster */
	return true;
}

void ht_proc_kept_close(struct ht_proc_kept *k)
{
	for (int i = 0; i < HT_PROC_TASK_STAT; i++)
		ht_kept_close(&k->file[i]);
	ht_kept_close(&k->limits);
	ht_kept_close(&k->uid_map);
}

/* --- of one process ------------------------------------------------------ */

/* Not the texts, which are large: each is written before it is read. */
void ht_proc_texts_begin(struct ht_proc_texts *t, pid_t pid,
			 struct ht_proc_kept *kept)
{
	t->pid = pid;
	t->kept = kept;
	t->task = ht_live_task(pid);
	t->exe_number = -1;
	for (int i = 0; i < HT_PROC_FILES; i++)
		t->file[i].number = -1;
}

static void read_file(struct ht_proc_text *f, pid_t pid, const char *name,
		      struct ht_kept_file *kept)
{
	char path[64];
	bool done;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	done = kept ? ht_kept_read(kept, path, f->text, sizeof(f->text))
		    : ht_proc_read_text(path, f->text);
	f->number = done ? 0 : errno;
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
			  files[at].name,
			  t->kept && !files[at].of_task ? &t->kept->file[at]
							: NULL);
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
