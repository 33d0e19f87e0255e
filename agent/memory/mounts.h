/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts: where control groups are mounted, by mountinfo: its lines of their
 * file systems alone, of what may be hundreds. Kept open, and read again when
 * the kernel says that something was mounted or unmounted.
 */
#ifndef HT_AGENT_MEMORY_MOUNTS_H
#define HT_AGENT_MEMORY_MOUNTS_H

#include <stddef.h>

#include "agent/memory/proc_texts.h"
#include "common/cleanup.h"

/* Files of one group that are read in each look (cgroup.c), held open: of a
 * group that was removed nothing can be read, and one of the same name is
 * opened anew. */
struct ht_mounts_group {
	const void *of; /* which hierarchy */
	char *path;	/* its directory */
	struct ht_kept_file max, used, binds;
	enum { HT_MOUNTS_MAYBE_ROOT, HT_MOUNTS_ROOT, HT_MOUNTS_NO_ROOT } root;
	bool bare; /* the root, and has no limit */
};
#define HT_MOUNTS_GROUPS 16

struct ht_mounts {
	const char *path; /* of mountinfo, borrowed */
	int fd;
	char *text;		       /* NULL: not read yet */
	struct ht_mounts_group *group; /* HT_MOUNTS_GROUPS; NULL: none yet */
	size_t groups;
};

#define HT_MOUNTS_OF(file) ((struct ht_mounts){.path = (file), .fd = -1})
#define HT_MOUNTS_OWN	   HT_MOUNTS_OF("/proc/self/mountinfo")

/* As it is now, until the next call. NULL: errno says why. */
const char *ht_mounts_text(struct ht_mounts *m);
/* What is kept of this directory while the mounts stay as they are; NULL: no
 * memory. */
struct ht_mounts_group *ht_mounts_group(struct ht_mounts *m, const void *of,
					const char *path);
void ht_mounts_fini(struct ht_mounts *m);
#define HT_AUTO_MOUNTS HT_CLEANUP(ht_mounts_fini)

#endif
