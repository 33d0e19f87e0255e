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
 *
 * And mappings under userfaultfd ("um", "ui"): what a page of them holds that
 * is absent only he knows who handles its faults. Zeros it is not; and to read
 * it in place would tell him of a fault that the process never had, and wait
 * for his answer. Nothing but smaps tells of them, either: it is read where an
 * absent page was met from which something of malloc's was to be read, for
 * there malloc itself leaves none (`doubted`), at most once a second.
 */
#ifndef HT_AGENT_MEMORY_VMFLAGS_H
#define HT_AGENT_MEMORY_VMFLAGS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/memory/maps.h"

struct ht_span {
	uint64_t start, end;
};

/* The mappings of one kind. */
struct ht_spans {
	struct ht_span *v; /* owned; sorted, apart */
	size_t n;
};

struct ht_vmflags {
	int fd;		    /* smaps, held open; -1: it is not */
	uint64_t signature; /* of what they were read for; 0: never read */
	int64_t read_at;    /* CLOCK_MONOTONIC; 0: never */
	int64_t until_ns;   /* nothing more is read of it then; 0: never */
	uint64_t asked;	    /* `refusing` of the last ht_vmflags_read */
	struct ht_spans refusing, withheld;
	/* Zeros were told of an absent page that may be somebody's to fill. */
	atomic_bool doubted;
	bool unread; /* and nobody could say: for agent/sample/withheld.c */
};

#define HT_VMFLAGS_NONE ((struct ht_vmflags){.fd = -1})

/* For whoever will open nothing later on. Where it cannot be opened f stays as
 * it is. */
void ht_vmflags_open(struct ht_vmflags *f, pid_t pid);
/* Brings f up to date for the process as it is now: `refusing` bytes of it are
 * locked or of the huge page pool. HT_OK without reading where there are none,
 * nothing is known to be under userfaultfd, and nothing is doubted.
 * HT_DENIED, HT_GONE, HT_SYS, HT_TIMEOUT: f knows nothing. */
enum ht_code ht_vmflags_read(pid_t pid, const struct ht_maps *maps,
			     uint64_t refusing, struct ht_vmflags *f,
			     struct ht_err *err) HT_MUST_CHECK;
/* Whether ht_vmflags_read has nothing to read, whatever the mappings are; it is
 * up to date then. */
bool ht_vmflags_settled(struct ht_vmflags *f, uint64_t refusing);
/* Sets HT_VMA_REFUSES in each mapping of m that f knows so. */
void ht_vmflags_mark(const struct ht_vmflags *f, struct ht_maps *m);
/* Whether the page at addr is somebody's to fill; *len, at least 1, is cut to
 * what is of the same kind. */
bool ht_vmflags_withheld(const struct ht_vmflags *f, uint64_t addr,
			 size_t *len);
/* Takes one smaps text (NUL-terminated, hostile), for ht_vmflags_read and for
 * tests. HT_SYS: a VmFlags line without a mapping before it; HT_NOMEM. */
enum ht_code ht_vmflags_parse(char *text, struct ht_vmflags *f,
			      struct ht_err *err) HT_MUST_CHECK;
void ht_vmflags_fini(struct ht_vmflags *f);

#endif
