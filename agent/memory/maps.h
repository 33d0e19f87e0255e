/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps: the mappings of a target, sorted by address, as /proc/PID/maps (or a
 * core's program headers) has them. Example line:
 *   7f0a1c000000-7f0a1c021000 rw-p 00000000 00:00 0      [anon: glibc: malloc
 * arena] start        end          perm offset   dev   inode  path
 */
#ifndef HT_AGENT_MEMORY_MAPS_H
#define HT_AGENT_MEMORY_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum ht_vma_flag {
	HT_VMA_READ = 1,
	HT_VMA_WRITE = 2,
	HT_VMA_EXEC = 4,
	HT_VMA_SHARED = 8,
	HT_VMA_DELETED = 16, /* " (deleted)": the file was replaced */
};

struct ht_vma {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* in the file */
	uint64_t dev;	     /* makedev(major, minor), 0: no file */
	uint64_t inode;	     /* 0: no file */
	uint32_t flags;	     /* enum ht_vma_flag */
	uint32_t path;	     /* index into ht_maps.text; "" for anonymous */
};

struct ht_maps {
	struct ht_vma *v;
	size_t n;
	char *text; /* all paths, NUL-terminated, "(deleted)" taken off */
};

/* Reads /proc/PID/maps in large blocks. */
enum ht_code ht_maps_read(pid_t pid, struct ht_maps *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/* Parses maps text (len bytes, hostile): for tests and fuzzing, and inside
 * ht_maps_read. Lines that make no sense are HT_CORRUPT. */
enum ht_code ht_maps_parse(const char *text, size_t len, struct ht_maps *ret,
			   struct ht_err *err) HT_MUST_CHECK;
void ht_maps_fini(struct ht_maps *m);

/* The mapping that holds addr, or NULL. */
const struct ht_vma *ht_maps_at(const struct ht_maps *m, uint64_t addr);
/* The end of the run of readable and writable mappings from addr on without a
 * hole; addr itself when it lies in none. */
uint64_t ht_maps_writable_end(const struct ht_maps *m, uint64_t addr);
const char *ht_vma_path(const struct ht_maps *m, const struct ht_vma *v);

#endif
