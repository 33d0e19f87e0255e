/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts: where control groups are mounted, by mountinfo: its lines of their
 * file systems alone, of what may be hundreds. Kept open, and read again when
 * the kernel says that something was mounted or unmounted.
 */
#ifndef HT_AGENT_MEMORY_MOUNTS_H
#define HT_AGENT_MEMORY_MOUNTS_H

#include "common/cleanup.h"

struct ht_mounts {
	const char *path; /* of mountinfo, borrowed */
	int fd;
	char *text; /* NULL: not read yet */
};

#define HT_MOUNTS_OF(file) ((struct ht_mounts){.path = (file), .fd = -1})
#define HT_MOUNTS_OWN	   HT_MOUNTS_OF("/proc/self/mountinfo")

/* As it is now, until the next call. NULL: errno says why. */
const char *ht_mounts_text(struct ht_mounts *m);
void ht_mounts_fini(struct ht_mounts *m);
#define HT_AUTO_MOUNTS HT_CLEANUP(ht_mounts_fini)

#endif
