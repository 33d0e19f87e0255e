/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VmFlags: mappings whose pages the kernel does not take back when malloc_trim
 * calls madvise(MADV_DONTNEED): locked ones ("lo": EINVAL) and those of the
 * huge page pool ("ht": malloc's ranges are not whole huge pages, EINVAL as
 * well).
 *
 * Only /proc/PID/smaps tells, for which the kernel walks every page table. So
 * it is read only where /proc/PID/status says that there are such pages, and
 * again only when that figure or the mappings changed.
 */
#ifndef HT_AGENT_MEMORY_VMFLAGS_H
#define HT_AGENT_MEMORY_VMFLAGS_H

#include "agent/memory/maps.h"

struct ht_vmflags {
	uint64_t signature; /* of what they were read for; 0: never read */
	struct {
		uint64_t start, end;
	} * v; /* owned; sorted, apart */
	size_t n;
};

/* Brings f up to date for the process as it is now: `refusing` bytes of it are
 * locked or of the huge page pool. HT_OK without reading where there are none.
 * HT_DENIED, HT_GONE, HT_SYS: f knows nothing. */
enum ht_code ht_vmflags_read(pid_t pid, const struct ht_maps *maps,
			     uint64_t refusing, struct ht_vmflags *f,
			     struct ht_err *err) HT_MUST_CHECK;
/* Sets HT_VMA_REFUSES in each mapping of m that f knows so. */
void ht_vmflags_mark(const struct ht_vmflags *f, struct ht_maps *m);
/* Takes one smaps text (NUL-terminated, hostile), for ht_vmflags_read and for
 * tests. HT_SYS: a VmFlags line without a mapping before it; HT_NOMEM. */
enum ht_code ht_vmflags_parse(char *text, struct ht_vmflags *f,
			      struct ht_err *err) HT_MUST_CHECK;
void ht_vmflags_fini(struct ht_vmflags *f);

#endif
