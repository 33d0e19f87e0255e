/* SPDX-License-Identifier: Apache-2.0 */
/* FILE-wal and FILE-shm beside a database are found by name alone. Where
 * another file was put in the place of FILE (a backup, moved over it), SQLite
 * would play the journal of the one before into it. Whose a journal is cannot
 * be read in it: who had both open knows it by what they were, and while
 * somebody has them open the locks tell. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "store/store_int.h"

enum {
	OLD_MOST = 99, /* journals set aside at one place */
	PAUSE_MS = 20,
};

/* Where SQLite locks, in every release: the file's pages of locks, and the byte
 * of FILE-shm that whoever uses it has locked as long as it does. */
#define FILE_LOCKS_AT 0x40000000
#define FILE_LOCKS    512
#define SHM_USED_AT   128

void ht_held_fini(struct ht_held *h)
{
	ht_cleanup_fd(&h->file);
	ht_cleanup_fd(&h->journal);
	*h = HT_HELD_NONE;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What has this name is what is held. */
static bool is_held(int held, const char *name, struct stat *is)
{
	struct stat was;

	return held >= 0 && fstat(held, &was) == 0 && lstat(name, is) == 0 &&
	       same(&was, is);
}

enum ht_code ht_held_take(struct ht_store *st, struct ht_held *ret,
			  struct ht_err *err)
{
	const int flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
	HT_AUTO_HELD struct ht_held h = HT_HELD_NONE;
	const char *file = sqlite3_db_filename(st->db, "main");
	char journal[PATH_MAX + 8];
	enum ht_code code;

	snprintf(journal, sizeof(journal), "%s-wal", file);
	h.file = open(file, flags);
	h.journal = open(journal, flags);
	code = ht_store_in_place(st, err); /* after: so it is that very file */
	if (code != HT_OK)
		return code;
	*ret = h;
	h = HT_HELD_NONE;
	return HT_OK;
}

/* Wherever the file is now, it is whole without its journal then, as far as
 * nobody reads an older state. */
static void give_back(struct ht_store *st)
{
	ht_store_forget_all(st);
	ht_store_sql_fini(st);
	sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_wal_checkpoint_v2(st->db, "main", SQLITE_CHECKPOINT_TRUNCATE,
				  NULL, NULL);
}

void ht_store_close_held(struct ht_store *st, struct ht_held *h)
{
	if (!st)
		return;
	ht_held_fini(h);
	*h = st->held;
	st->held = HT_HELD_NONE;
	if (!st->damaged && ht_store_in_place(st, NULL) != HT_OK)
		give_back(st);
	ht_store_close(st);
}

/* Never over what has that name: that is a journal, too. */
static bool rename_aside(const char *journal, char *ret, size_t size)
{
	for (int i = 1; i <= OLD_MOST; i++) {
		if (i == 1)
			snprintf(ret, size, "%s.old", journal);
		else
			snprintf(ret, size, "%s.old.%d", journal, i);
		if (renameat2(AT_FDCWD, journal, AT_FDCWD, ret,
			      RENAME_NOREPLACE) == 0)
			return true;
		if (errno == EINVAL && access(ret, F_OK) < 0 &&
		    rename(journal, ret) == 0) /* a file system without that */
			return true;
		if (errno != EEXIST && errno != EINVAL)
			return false;
	}
	return false;
}

enum ht_code ht_held_set_aside(const struct ht_held *h, const char *path,
			       char *ret, size_t size, struct ht_err *err)
{
	char file[PATH_MAX], journal[PATH_MAX + 8], shm[PATH_MAX + 8];
	struct stat is;

	ret[0] = '\0';
	if (!realpath(path, file)) /* as SQLite names what lies beside it */
		snprintf(file, sizeof(file), "%s", path);
	snprintf(journal, sizeof(journal), "%s-wal", file);
	snprintf(shm, sizeof(shm), "%s-shm", file);
	if (is_held(h->file, file, &is) || !is_held(h->journal, journal, &is))
		return HT_OK;
	if (is.st_size == 0 ? unlink(journal) < 0
			    : !rename_aside(journal, ret, size)) {
		ret[0] = '\0';
		return ht_fail_sys(
			err, HT_STORE, errno,
			"%s: the journal of another file cannot be set aside",
			journal);
	}
	unlink(shm); /* what SQLite remembers of that journal */
	return HT_OK;
}

/* Some process has locked a byte there; *pid: one that has. Opens and closes
 * the file, which gives up all locks that this process has on it. */
static bool is_locked(const char *name, off_t at, off_t bytes, pid_t *pid)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	HT_AUTO_FD int fd = open(name, flags);
	struct flock lock = {.l_type = F_WRLCK,
			     .l_whence = SEEK_SET,
			     .l_start = at,
			     .l_len = bytes};

	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return false;
	*pid = lock.l_pid;
	return true;
}

enum ht_code ht_journal_check(const char *path, int wait_ms, struct ht_err *err)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
	char file[PATH_MAX], shm[PATH_MAX + 8];
	int64_t until = ht_mono_ns() + wait_ms * HT_NS_PER_MS;
	pid_t pid, other;

	if (!realpath(path, file))
		return HT_OK; /* it is to be made */
	snprintf(shm, sizeof(shm), "%s-shm", file);
	/* One that ends gives up the two one after the other. */
	while (is_locked(shm, SHM_USED_AT, 1, &pid) &&
	       !is_locked(file, FILE_LOCKS_AT, FILE_LOCKS, &other)) {
		if (ht_mono_ns() > until)
			return ht_fail_hint(
				err, HT_STORE, HT_HINT_LOCKED,
				"%s: it was put in the place of another file, whose journal beside it (-wal) process %d has open still",
				path, (int)pid);
		nanosleep(&pause, NULL);
	}
	return HT_OK;
}
