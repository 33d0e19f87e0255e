/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/vfs.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 16 };

/* A file as it would be after a power loss, but for what chance saves. */
struct disk {
	char path[256];
	char *durable; /* contents at the last sync */
	size_t n;
	bool used;
};

struct file {
	sqlite3_file base;
	struct disk *disk; /* NULL: the -shm, or temporary */
	sqlite3_file *real;
};

static struct {
	sqlite3_vfs vfs, *real;
	struct disk disks[FILES];
	enum vfs_fault fault;
	long at, count;
	uint64_t chance;
} shim;

static struct file *of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

/* --- power loss ---------------------------------------------------------- */

static uint64_t chance(void)
{
	shim.chance = shim.chance * 6364136223846793005u + 1442695040888963407u;
	return shim.chance >> 33;
}

static char *read_whole(const char *path, size_t *ret_n)
{
	int fd = open(path, O_RDONLY);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	char *bytes = malloc((size_t)size + 1);

	*ret_n = 0;
	if (fd >= 0 && bytes && pread(fd, bytes, (size_t)size, 0) == size)
		*ret_n = (size_t)size;
	if (fd >= 0)
		close(fd);
	return bytes;
}

/* Sectors that differ between the synced contents and the written ones are the
 * old or the new, by chance. The length too. */
static void lose_power_on(struct disk *d)
{
	size_t n, kept;
	char *now = read_whole(d->path, &n);
	int fd;

	if (!now)
		abort();
	kept = n != d->n && chance() % 2 ? d->n : n;
	for (size_t at = 0; at < kept; at += SECTOR) {
		size_t length = kept - at < SECTOR ? kept - at : SECTOR;

		if (at + length > n) {
			/* was cut after the sync: the cut is lost */
			now = realloc(now, kept + 1);
			if (!now)
				abort();
			memcpy(now + at, d->durable + at, length);
			n = at + length;
		} else if (at + length <= d->n && chance() % 2) {
			memcpy(now + at, d->durable + at, length);
		} else if (at + length > d->n && chance() % 2) {
			memset(now + at, 0, length); /* never arrived */
		}
	}
	fd = open(d->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || pwrite(fd, now, kept, 0) != (ssize_t)kept)
		abort();
	close(fd);
	free(now);
}

static void lose_power(void)
{
	char shm[300];

	for (size_t i = 0; i < FILES; i++) {
		if (!shim.disks[i].used || access(shim.disks[i].path, F_OK) < 0)
			continue;
		lose_power_on(&shim.disks[i]);
		snprintf(shm, sizeof(shm), "%s-shm", shim.disks[i].path);
		unlink(shm); /* memory */
	}
}

/* Counts; SQLITE_OK, or what the operation must fail with. */
static int moment(int full_or_ioerr)
{
	bool now = ++shim.count == shim.at, since = shim.count >= shim.at;

	if (shim.fault == VFS_POWER && now)
		lose_power();
	if ((shim.fault == VFS_KILL || shim.fault == VFS_POWER) && now)
		raise(SIGKILL);
	if (full_or_ioerr && ((shim.fault == VFS_FULL && since) ||
			      (shim.fault == VFS_FULL_ONCE && now)))
		return SQLITE_FULL;
	if (shim.fault == VFS_IOERR && since)
		return SQLITE_IOERR_WRITE;
	return SQLITE_OK;
}

/* --- files --------------------------------------------------------------- */

static int x_close(sqlite3_file *f)
{
	struct file *file = of(f);
	int result = file->real->pMethods->xClose(file->real);

	return result;
}

static int x_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	return of(f)->real->pMethods->xRead(of(f)->real, to, n, at);
}

static int x_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	int bad = of(f)->disk ? moment(1) : SQLITE_OK;

	return bad ? bad
		   : of(f)->real->pMethods->xWrite(of(f)->real, from, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int bad = of(f)->disk ? moment(0) : SQLITE_OK;

	return bad ? bad : of(f)->real->pMethods->xTruncate(of(f)->real, size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	struct disk *d = of(f)->disk;
	int bad = d ? moment(0) : SQLITE_OK;

	if (bad)
		return bad;
	bad = of(f)->real->pMethods->xSync(of(f)->real, flags);
	if (!bad && d && shim.fault == VFS_POWER) {
		free(d->durable);
		d->durable = read_whole(d->path, &d->n);
	}
	return bad;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return of(f)->real->pMethods->xFileSize(of(f)->real, size);
}

static int x_lock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int x_unlock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int x_reserved(sqlite3_file *f, int *ret)
{
	return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, ret);
}

static int x_control(sqlite3_file *f, int what, void *arg)
{
	return of(f)->real->pMethods->xFileControl(of(f)->real, what, arg);
}

static int x_sector(sqlite3_file *f)
{
	(void)f;
	return SECTOR;
}

/* None: no power-safe overwrite, no atomic writes. */
static int x_traits(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend,
		     void volatile **ret)
{
	return of(f)->real->pMethods->xShmMap(of(f)->real, page, size, extend,
					      ret);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return of(f)->real->pMethods->xShmLock(of(f)->real, offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
	of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int x_shm_unmap(sqlite3_file *f, int delete)
{
	return of(f)->real->pMethods->xShmUnmap(of(f)->real, delete);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_reserved,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_traits,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static struct disk *disk_of(const char *path)
{
	for (size_t i = 0; i < FILES; i++) {
		struct disk *d = &shim.disks[i];

		if (d->used && !strcmp(d->path, path))
			return d;
		if (!d->used) {
			d->used = true;
			snprintf(d->path, sizeof(d->path), "%s", path);
			d->durable = read_whole(path, &d->n);
			return d;
		}
	}
	abort();
}

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		  int flags, int *ret_flags)
{
	struct file *file = of(f);
	int result;

	(void)vfs;
	memset(file, 0, sizeof(*file));
	file->real = (sqlite3_file *)(void *)(file + 1);
	result =
		shim.real->xOpen(shim.real, name, file->real, flags, ret_flags);
	if (result != SQLITE_OK)
		return result;
	if (name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL |
			      SQLITE_OPEN_MAIN_JOURNAL)))
		file->disk = disk_of(name);
	file->base.pMethods = &methods;
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	int bad = moment(0);

	(void)vfs;
	return bad ? bad : shim.real->xDelete(shim.real, name, sync_dir);
}

void vfs_install(enum vfs_fault fault, long at, uint64_t seed)
{
	shim.real = sqlite3_vfs_find(NULL);
	shim.vfs = *shim.real;
	shim.vfs.zName = "shim";
	shim.vfs.szOsFile = (int)sizeof(struct file) + shim.real->szOsFile;
	shim.vfs.xOpen = x_open;
	shim.vfs.xDelete = x_delete;
	shim.fault = fault;
	shim.at = at;
	shim.count = 0;
	shim.chance = seed;
	sqlite3_vfs_register(&shim.vfs, 1);
}

long vfs_count(void)
{
	return shim.count;
}
