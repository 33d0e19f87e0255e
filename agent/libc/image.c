/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/memory/procfs.h"
#include "agent/self/privilege.h"
#include "common/cleanup.h"

#define FLAGS (O_NONBLOCK | O_NOCTTY) /* a device or FIFO must not hold us */

/* Whether the file that begins at v[i] has an executable mapping before it
 * begins again (a second load) or another file takes over. */
static bool has_code(const struct ht_maps *m, size_t i)
{
	const struct ht_vma *first = &m->v[i];

	for (size_t k = i; k < m->n; k++) {
		const struct ht_vma *v = &m->v[k];

		if (v->inode == 0)
			continue; /* .bss, or a hole */
		if (v->inode != first->inode || v->dev != first->dev ||
		    (k > i && v->offset == 0))
			return false;
		if (v->flags & HT_VMA_EXEC)
			return true;
	}
	return false;
}

/* The executable's mapping as /proc/PID/exe has it; core files are told. */
static void exe_identity(const struct ht_locate_in *in, struct stat *ret)
{
	char path[64];

	memset(ret, 0, sizeof(*ret));
	if (in->pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)in->pid);
	if (stat(path, ret) != 0)
		memset(ret, 0, sizeof(*ret));
}

enum ht_code ht_images_find(const struct ht_locate_in *in,
			    struct ht_images *ret, struct ht_err *err)
{
	const struct ht_maps *m = in->maps;
	struct ht_images images = {0};
	struct stat exe;

	exe_identity(in, &exe);
	images.v = calloc(m->n + 1, sizeof(*images.v));
	if (!images.v)
		return ht_fail(err, HT_NOMEM, "list of %zu mappings", m->n);
	for (size_t i = 0; i < m->n; i++) {
		const struct ht_vma *v = &m->v[i];
		const char *path = ht_vma_path(m, v);

		if (v->offset != 0 || v->inode == 0 || path[0] != '/' ||
		    !has_code(m, i))
			continue;
		images.v[images.n] = (struct ht_image_at){
			.first = v,
			.start = v->start,
			.path = ht_procfs_own_path(in->pid, path),
			.exe = in->pid > 0     ? v->inode == exe.st_ino
			       : in->exe_start ? v->start == in->exe_start
					       : images.n == 0,
		};
		images.n++;
	}
	*ret = images;
	return HT_OK;
}

void ht_images_fini(struct ht_images *i)
{
	free(i->v);
	i->v = NULL;
	i->n = 0;
}

/* fd, if it is a regular file's; else -1 with errno. */
static int only_regular(int fd)
{
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

static int open_regular(const char *path)
{
	return only_regular(open(path, O_RDONLY | O_CLOEXEC | FLAGS));
}

/* By a path that the target may have bent: as we could open it ourselves, or
 * with CAP_DAC_READ_SEARCH if it is the very file that the target has mapped,
 * and thus may read. */
static int open_mapped(const char *path, const struct ht_vma *first)
{
	int fd = only_regular(ht_privilege_open_plain(path, FLAGS));
	struct stat st;

	if (fd >= 0 || errno != EACCES)
		return fd;
	fd = open_regular(path);
	if (fd < 0 || (fstat(fd, &st) == 0 && st.st_dev == first->dev &&
		       st.st_ino == first->inode))
		return fd;
	close(fd);
	errno = EACCES;
	return -1;
}

/* Inodes differ between /proc/PID/maps and stat() on some overlay file
 * systems, so only a live name with another inode AND another build id is
 * another file; the build id is compared by the caller. */
static int open_live(const struct ht_locate_in *in,
		     const struct ht_image_at *image)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)in->pid, image->first->start, image->first->end);
	fd = open_regular(path);
	if (fd >= 0)
		return fd;
	if (image->exe) {
		snprintf(path, sizeof(path), "/proc/%d/exe", (int)in->pid);
		fd = open_regular(path);
		if (fd >= 0)
			return fd;
	}
	if (image->first->flags & HT_VMA_DELETED) {
		errno = ESTALE;
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)in->pid,
		 image->path);
	return open_mapped(path, image->first);
}

enum ht_code ht_image_open(const struct ht_locate_in *in,
			   const struct ht_image_at *image, int *ret_fd,
			   struct ht_err *err)
{
	int fd, number;

	if (in->pid > 0)
		fd = open_live(in, image);
	else
		fd = open_regular(image->exe && in->exe_path ? in->exe_path
							     : image->path);
	if (fd >= 0) {
		*ret_fd = fd;
		return HT_OK;
	}
	number = errno;
	if (number == ESTALE)
		return ht_fail(err, HT_DENIED,
			       "open %s: the file was replaced since the "
			       "process started; CAP_CHECKPOINT_RESTORE opens "
			       "the mapped one",
			       image->path);
	return ht_fail_sys(
		err, number == EACCES || number == EPERM ? HT_DENIED : HT_GONE,
		number, "open %s", image->path);
}
