/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/memory/foreign.h"
#include "agent/memory/live_task.h"
#include "agent/memory/procfs.h"
#include "common/cleanup.h"

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

enum ht_code ht_images_find(const struct ht_locate_in *in,
			    struct ht_images *ret, struct ht_err *err)
{
	const struct ht_maps *m = in->maps;
	struct ht_images images = {0};
	uint64_t dev, exe_inode = 0;

	if (in->pid <= 0 || !ht_exe_identity(in->pid, &dev, &exe_inode))
		exe_inode = 0; /* core files are told */
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
			.exe = in->pid > 0     ? v->inode == exe_inode
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

static int open_link(const char *link)
{
	return ht_foreign_open(&(struct ht_foreign){.link = link});
}

/* By a path that the target may have bent: as we could open it ourselves, or
 * with CAP_DAC_READ_SEARCH if it is the very file that the target has mapped,
 * and thus may read. */
static int open_mapped(pid_t pid, const char *path, const struct ht_vma *first)
{
	struct ht_foreign f = {.pid = pid, .path = path, .plain = true};
	int fd = ht_foreign_open(&f);
	struct stat st;

	if (fd >= 0 || errno != EACCES)
		return fd;
	f.plain = false;
	fd = ht_foreign_open(&f);
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
	char link[80];
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)ht_live_task(in->pid), image->first->start,
		 image->first->end);
	fd = open_link(link);
	if (fd >= 0 || errno == ETIMEDOUT)
		return fd;
	if (image->exe) {
		snprintf(link, sizeof(link), "/proc/%d/exe",
			 (int)ht_live_task(in->pid));
		fd = open_link(link);
		if (fd >= 0 || errno == ETIMEDOUT)
			return fd;
	}
	if (image->first->flags & HT_VMA_DELETED) {
		errno = ESTALE;
		return -1;
	}
	return open_mapped(in->pid, image->path, image->first);
}

enum ht_code ht_image_open(const struct ht_locate_in *in,
			   const struct ht_image_at *image, int *ret_fd,
			   struct ht_err *err)
{
	int fd, number;

	if (in->pid > 0)
		fd = open_live(in, image);
	else
		fd = image->exe && in->exe_path
			     ? ht_foreign_open(&(struct ht_foreign){
				       .path = in->exe_path})
			     : ht_foreign_open(&(struct ht_foreign){
				       .root = in->sysroot,
				       .path = image->path});
	if (fd >= 0) {
		*ret_fd = fd;
		return HT_OK;
	}
	number = errno;
	if (number == ESTALE)
		return ht_fail(
			err, HT_DENIED,
			"open %s: the file was replaced since the process started; CAP_CHECKPOINT_RESTORE opens the mapped one",
			image->path);
	if (number == ETIMEDOUT)
		return ht_fail(err, HT_TIMEOUT,
			       "open %s: its file system does not answer",
			       image->path);
	return ht_fail_sys(
		err, number == EACCES || number == EPERM ? HT_DENIED : HT_GONE,
		number, "open %s", image->path);
}
