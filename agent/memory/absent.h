/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Absent: what a page of a process holds that is in no page table of it, told
 * without touching it. Reading such a page in place would allocate it (an
 * anonymous one; where the kernel has a shared zero page it maps that) or map
 * it (one of a file).
 *
 *   private anonymous memory   zeros: never touched, or given back; under
 *                              userfaultfd: unknown, and not to be asked for
 *   a private file mapping     what the file holds there
 *   shared memory, devices     unknown
 *
 * A file is opened by /proc/PID/map_files, or by its path below the process's
 * root if that still is this very file. Where neither may be, as with a library
 * that was replaced since, the page can only be had in place: that takes none
 * of the process's anonymous memory, and the page mostly is in the page cache.
 */
#ifndef HT_AGENT_ABSENT_H
#define HT_AGENT_ABSENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct ht_vmflags;
struct ht_absent; /* opaque; several threads may ask */

/* NULL: no memory. A process that is gone has no pages at all. */
struct ht_absent *ht_absent_open(pid_t pid);
void ht_absent_close(struct ht_absent *a);
/* What is known of userfaultfd, borrowed until the close; zeros that are told
 * of memory that could be under it are noted there. */
void ht_absent_heed(struct ht_absent *a, struct ht_vmflags *f);

enum ht_absent_kind {
	HT_ABSENT_NONE,	    /* no mapping, or nobody can know */
	HT_ABSENT_TOLD,	    /* the first *ret_len bytes are in buf */
	HT_ABSENT_IN_PLACE, /* the first *ret_len bytes may be read there */
	HT_ABSENT_WITHHELD, /* only who handles its faults knows (vmflags.h) */
};
/* What absent pages from addr on hold; len bytes of them, at least 1. */
enum ht_absent_kind ht_absent_read(struct ht_absent *a, uint64_t addr,
				   void *buf, size_t len, size_t *ret_len);

#endif
