/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope guards: the local says what it owns, and `take` is the only way out.
 * For our own types a module defines its guard beside its `_fini`.
 */
#ifndef HT_COMMON_CLEANUP_H
#define HT_COMMON_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HT_CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void ht_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void ht_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void ht_cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void ht_cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define HT_AUTO_FD   HT_CLEANUP(ht_cleanup_fd)	 /* int, -1: none */
#define HT_AUTO_FREE HT_CLEANUP(ht_cleanup_free) /* malloc'ed pointer */
#define HT_AUTO_FILE HT_CLEANUP(ht_cleanup_file)
#define HT_AUTO_DIR  HT_CLEANUP(ht_cleanup_dir)

/* Moves a descriptor out of its guard. */
static inline int ht_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Moves a pointer out of its guard. */
#define ht_take_ptr(p)                                                         \
	({                                                                     \
		__typeof__(p) taken_ = (p);                                    \
		(p) = NULL;                                                    \
		taken_;                                                        \
	})

#endif
