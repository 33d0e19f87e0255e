/* SPDX-License-Identifier: Apache-2.0 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/size.h"

const char *ht_file_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "a file";
	}
}

static enum ht_code check_kind(const char *path, const struct stat *st,
			       uint64_t max_bytes, enum ht_code code,
			       struct ht_err *err)
{
	char most[32];

	if (!S_ISREG(st->st_mode))
		return ht_fail(err, code, "%s is %s, not a file", path,
			       ht_file_kind(st->st_mode));
	if (max_bytes && (uint64_t)st->st_size > max_bytes)
		return ht_fail(err, code, "%s is larger than %s", path,
			       ht_size_text(max_bytes, most, sizeof(most)));
	return HT_OK;
}

/* The very file that was looked at, whatever its name leads to by now. */
static int open_again(int looked_at, const char *path, const struct stat *was)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char link[40];
	struct stat is;
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", looked_at);
	fd = open(link, flags);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, flags); /* no /proc here */
	if (fd >= 0 && (fstat(fd, &is) < 0 || is.st_dev != was->st_dev ||
			is.st_ino != was->st_ino)) {
		close(fd);
		errno = ESTALE;
		return -1;
	}
	return fd;
}

enum ht_code ht_file_open(const char *path, uint64_t max_bytes,
			  enum ht_code code, int *ret, struct ht_err *err)
{
	HT_AUTO_FD int at = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int fd;

	if (at < 0 || fstat(at, &st) < 0)
		return ht_fail_sys(err, code, errno, "read %s", path);
	if (check_kind(path, &st, max_bytes, code, err) != HT_OK)
		return code;
	fd = open_again(at, path, &st);
	if (fd < 0)
		return ht_fail_sys(err, code, errno, "read %s", path);
	*ret = fd;
	return HT_OK;
}

enum ht_code ht_file_check(const char *path, enum ht_code code,
			   struct ht_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return HT_OK; /* to be made, or told by who opens it */
	return check_kind(path, &st, 0, code, err);
}
