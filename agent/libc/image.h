/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image: one loaded ELF file of a target: where it is mapped and how to open
 * the very file that is mapped: deleted, replaced, or in another root.
 */
#ifndef HT_AGENT_LIBC_IMAGE_H
#define HT_AGENT_LIBC_IMAGE_H

#include "agent/libc/locate_in.h"
#include "common/cleanup.h"

struct ht_image_at {
	const struct ht_vma *first; /* maps offset 0 of the file; borrowed */
	uint64_t start;		    /* of the first mapping */
	const char *path;	    /* as the target names it; borrowed */
	bool exe;		    /* the program itself */
};

struct ht_images {
	struct ht_image_at *v;
	size_t n;
};

/* Every file with executable code in it, once per load. */
enum ht_code ht_images_find(const struct ht_locate_in *in,
			    struct ht_images *ret,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_images_fini(struct ht_images *i);
#define HT_AUTO_IMAGES HT_CLEANUP(ht_images_fini)

/* Opens the file behind an image: /proc/PID/map_files first (the mapped inode
 * whatever became of its name), then the name under the target's own root.
 * HT_DENIED or HT_GONE: no way leads to it. Regular files only. */
enum ht_code ht_image_open(const struct ht_locate_in *in,
			   const struct ht_image_at *image, int *ret_fd,
			   struct ht_err *err) HT_MUST_CHECK;

/* Where no way leads to the file: a copy of what the process has mapped of it,
 * as a file of its own in memory, to be read with HT_FACTS_LIVE. Its addresses
 * are the target's (no load bias), its section headers are made. */
enum ht_code ht_image_copy(const struct ht_locate_in *in,
			   const struct ht_image_at *image, int *ret_fd,
			   struct ht_err *err) HT_MUST_CHECK;

/* End of what a loaded ELF file occupies in memory, .bss included, in whole
 * pages; 0: no ELF. start: of its first mapping. */
uint64_t ht_image_memory_end(struct ht_reader *r, uint64_t start);

#endif
