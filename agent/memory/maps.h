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

#include "agent/memory/proc_texts.h"
#include "common/err.h"

enum ht_vma_flag {
	HT_VMA_READ = 1,
	HT_VMA_WRITE = 2,
	HT_VMA_EXEC = 4,
	HT_VMA_SHARED = 8,
	HT_VMA_DELETED = 16, /* " (deleted)": the file was replaced */
	HT_VMA_REFUSES = 32, /* madvise(MADV_DONTNEED) fails; vmflags.h */
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
	struct ht_vma *v; /* sorted; no two overlap */
	size_t n;
	char *text; /* all paths, NUL-terminated, "(deleted)" taken off */
	/* Bytes by which they do not add up to what the kernel counts: they
	 * changed while they were read, at each of some tries, so that one may
	 * be missing or stand twice. 0: nothing was lost. */
	uint64_t unsure;
};

/* /proc/PID/maps, kept open: it can be read anew after all privileges were
 * given up. Closed by ht_maps_source_close. */
struct ht_maps_source {
	pid_t pid, task; /* whose files they are (live_task.h) */
	int fd;		 /* -1: not open */
	struct ht_kept_file statm;
	size_t len; /* of its text, when it was read last */
};

/* HT_GONE, HT_DENIED or HT_SYS. */
enum ht_code ht_maps_source_open(pid_t pid, struct ht_maps_source *ret,
				 struct ht_err *err) HT_MUST_CHECK;
void ht_maps_source_close(struct ht_maps_source *s);
/*
 * Reads all of it. The kernel gives it in pieces of some 4 KiB, and mappings
 * change in between: they are put together as ht_maps_parse says. Where one
 * could be lost (their sum is not the total that the kernel keeps, statm's
 * first figure) they are read again, a few times.
 * HT_GONE: the process ended, or replaced its program.
 */
enum ht_code ht_maps_source_read(struct ht_maps_source *s, struct ht_maps *ret,
				 struct ht_err *err) HT_MUST_CHECK;
/* Opens, reads and closes. */
enum ht_code ht_maps_read(pid_t pid, struct ht_maps *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/*
 * Parses maps text (len bytes, hostile): for tests and fuzzing, and inside
 * ht_maps_read. A line that begins below the end of those before it was told
 * later than they were: it stands as it is, they are clipped or left out.
 * Lines that make no sense, and those that end no later than the ones before
 * them (the kernel only ever goes on), are HT_SYS.
 */
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
