/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system for SQLite in which things go wrong at a chosen moment: the
 * process is killed, the machine loses power, the disk is full or broken.
 *
 * Power loss: what was written and not yet synced is lost, or not, sector by
 * sector, as chance (the seed) has it. Moments are counted in writes, syncs,
 * truncations and deletions, from 1.
 */
#ifndef HT_TESTS_VFS_H
#define HT_TESTS_VFS_H

#include <stdint.h>

enum vfs_fault {
	VFS_NONE,
	VFS_KILL,  /* SIGKILL before the operation */
	VFS_POWER, /* the disk as after a power loss, then SIGKILL */
	VFS_FULL,  /* SQLITE_FULL from then on */
	VFS_FULL_ONCE,
	VFS_IOERR, /* SQLITE_IOERR from then on */
};

/* From one moment to the next. Sanitizers make each five times as slow, and
 * look for something else. */
#ifdef HT_ASAN
#define VFS_STRIDE 7
#else
#define VFS_STRIDE 1
#endif

/* Becomes the default of SQLite in this process. */
void vfs_install(enum vfs_fault fault, long at, uint64_t seed);
/* Operations so far. */
long vfs_count(void);

#endif
