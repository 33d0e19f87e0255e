/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: which pages of a target are resident, swapped out, or never touched.
 *
 * From /proc/PID/pagemap: by the PAGEMAP_SCAN ioctl where the kernel has it
 * (6.7+, some 4 ms per resident GiB), else by reading entries (12-19 ms). Asked
 * before memory is read, so that reading never faults a page in.
 */
#ifndef HT_AGENT_PAGES_H
#define HT_AGENT_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum ht_page_state {
	HT_PAGE_ABSENT,	 /* never touched, or given back: reads as zero */
	HT_PAGE_PRESENT, /* resident */
	HT_PAGE_SWAPPED, /* reading it would swap it in */
	HT_PAGE_UNKNOWN, /* no pagemap (core file, no permission) */
	HT_PAGE_ZERO,	 /* the kernel's shared zero page: not in RSS */
};

/* States of a range of pages, one byte or less each. */
struct ht_pages {
	uint64_t start;	  /* page aligned */
	uint64_t count;	  /* pages */
	uint8_t *bits;	  /* for pages.c */
	uint64_t present; /* pages of that state in the range */
	uint64_t swapped;
	bool known;
};

/* Where states come from. Closed by ht_pages_source_close. */
struct ht_pages_source {
	int pagemap_fd; /* -1: none */
	bool has_scan;	/* PAGEMAP_SCAN works */
	unsigned page_size;
	/* For tests and core files: states for [start, start + count pages);
	 * used when not NULL. */
	void (*fill)(void *ctx, struct ht_pages *into);
	void *ctx;
};

enum ht_code ht_pages_source_open(pid_t pid, struct ht_pages_source *ret,
				  struct ht_err *err) HT_MUST_CHECK;
void ht_pages_source_close(struct ht_pages_source *s);

/* States of [start, end). Unknown, not an error, when pagemap is refused. */
enum ht_code ht_pages_get(struct ht_pages_source *s, uint64_t start,
			  uint64_t end, struct ht_pages *ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_pages_fini(struct ht_pages *p);
enum ht_page_state ht_pages_state(const struct ht_pages *p, uint64_t addr);
/* Resident bytes in [start, end), partial pages by their bytes. */
uint64_t ht_pages_resident(const struct ht_pages *p, uint64_t start,
			   uint64_t end);

#endif
