/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forbidden: system calls that we may not make by a seccomp filter which we
 * were started under: a container's profile, a unit's SystemCallFilter. Each is
 * tried with arguments that the kernel itself refuses for another reason, in a
 * child, since a filter may kill for it.
 */
#ifndef HT_COMMON_FORBIDDEN_H
#define HT_COMMON_FORBIDDEN_H

#include <stddef.h>

enum ht_forbidden {
	HT_FORBIDDEN_PERF_EVENT_OPEN,
	HT_FORBIDDEN_BPF,
	HT_FORBIDDEN_PTRACE,
	HT_FORBIDDEN_PROCESS_VM_READV,
	HT_FORBIDDEN_COUNT
};

/* Their names, as profiles have them. */
extern const char *const ht_forbidden_names[HT_FORBIDDEN_COUNT];

/* Bits, 1 << enum ht_forbidden; 0: none, or there is no filter. Before a filter
 * of our own. */
unsigned ht_forbidden_find(void);
/* Their names, of bits, with this between two, and before the last; returns
 * out. */
char *ht_forbidden_text(unsigned forbidden, const char *between,
			const char *before_last, char *out, size_t size);

#endif
