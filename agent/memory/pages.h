/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: which pages of a target are resident, swapped out, or never touched.
 *
 * From /proc/PID/pagemap: by the PAGEMAP_SCAN ioctl where the kernel has it
 * (6.7+, some 4 ms per resident GiB), else by reading entries (12-19 ms). Asked
 * before memory is read, so that reading never faults a page in.
 *
 * The kernel's shared zero page is absent here: it reads as zero and is not in
 * RSS. (Without PAGEMAP_SCAN it cannot be told from a resident page.)
 */
#ifndef HT_AGENT_MEMORY_PAGES_H
#define HT_AGENT_MEMORY_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum ht_page_state {
	HT_PAGE_ABSENT,	  /* never touched, or given back: reads as zero */
	HT_PAGE_PRESENT,  /* resident */
	HT_PAGE_SWAPPED,  /* reading it would swap it in */
	HT_PAGE_WITHHELD, /* absent, and somebody's to fill (vmflags.h) */
	HT_PAGE_UNKNOWN,  /* no pagemap (core file, no permission) */
};

struct ht_vmflags;

/* States of a range of pages. Fields are for pages.c; others use the functions
 * but for start, count and known. */
struct ht_pages {
	uint64_t start;	   /* page aligned */
	uint64_t count;	   /* pages */
	uint64_t *present; /* one bit a page */
	uint64_t *swapped;
	uint64_t *withheld;
	bool any_withheld;   /* there may be one */
	unsigned page_shift; /* log2 of the page size */
	bool known;	     /* false: every page is HT_PAGE_UNKNOWN */
};

/* Pages of a range, by kind. */
struct ht_page_tally {
	uint64_t anon;	  /* resident anonymous pages */
	uint64_t file;	  /* resident pages of files and shared memory */
	uint64_t swapped; /* swapped out */
};

/* Where states come from. Closed by ht_pages_source_close. */
struct ht_pages_source {
	int pagemap_fd; /* -1: none */
	int refused;	/* why none: errno of its open; 0: there is none */
	bool has_scan;	/* PAGEMAP_SCAN works */
	unsigned page_size;
	/* What is known of userfaultfd, borrowed; or NULL. */
	const struct ht_vmflags *vmflags;
	/* CLOCK_MONOTONIC, 0: none. No page is asked about later: it is
	 * unknown, and late says so. The caller sets both. */
	int64_t deadline_ns;
	_Atomic bool late;
	/* For tests: the state of the page at addr; used when not NULL. */
	enum ht_page_state (*state)(void *ctx, uint64_t addr);
	void *ctx;
};

/* HT_OK without a pagemap too (states are unknown then); HT_GONE when there is
 * no such process. */
enum ht_code ht_pages_source_open(pid_t pid, struct ht_pages_source *ret,
				  struct ht_err *err) HT_MUST_CHECK;
/* A source that knows nothing: for core files. */
void ht_pages_source_none(struct ht_pages_source *ret);
void ht_pages_source_close(struct ht_pages_source *s);
bool ht_pages_source_known(const struct ht_pages_source *s);
/* Sets the deadline, or none; it is not late yet. */
void ht_pages_source_limit(struct ht_pages_source *s, int64_t deadline_ns);

/* States of [start, end), widened to whole pages. Unknown, not an error, when
 * pagemap is refused. */
enum ht_code ht_pages_get(struct ht_pages_source *s, uint64_t start,
			  uint64_t end, struct ht_pages *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/* The same range with no page asked for: all count as absent until they are. */
enum ht_code ht_pages_blank(const struct ht_pages_source *s, uint64_t start,
			    uint64_t end, struct ht_pages *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* Asks for the states of a part of the range. */
void ht_pages_learn(struct ht_pages_source *s, struct ht_pages *p,
		    uint64_t start, uint64_t end);
void ht_pages_fini(struct ht_pages *p);

/* Addresses outside the range are HT_PAGE_UNKNOWN. */
enum ht_page_state ht_pages_state(const struct ht_pages *p, uint64_t addr);
/* Resident bytes in [start, end), partial pages by their bytes; 0 if unknown.
 * The part outside the range counts as nothing. */
uint64_t ht_pages_resident_long(const struct ht_pages *p, uint64_t start,
				uint64_t end);
static inline uint64_t ht_pages_resident(const struct ht_pages *p,
					 uint64_t start, uint64_t end)
{
	uint64_t i = (start - p->start) >> p->page_shift;

	/* Most free memory is small: within one page of the range. */
	if (start < p->start || start >= end || i >= p->count ||
	    (end - 1 - p->start) >> p->page_shift != i)
		return ht_pages_resident_long(p, start, end);
	return p->present[i / 64] >> i % 64 & 1 ? end - start : 0;
}
/* The same for many ranges that rise as a rule: pages are there for megabytes.
 * there: where all pages are resident, as the last call left it; both 0 at
 * first. The states must not change meanwhile. */
struct ht_pages_there {
	uint64_t start, end;
};
uint64_t ht_pages_resident_anew(const struct ht_pages *p,
				struct ht_pages_there *there, uint64_t start,
				uint64_t end);
static inline uint64_t ht_pages_resident_near(const struct ht_pages *p,
					      struct ht_pages_there *there,
					      uint64_t start, uint64_t end)
{
	return start >= there->start && start <= end && end <= there->end
		       ? end - start
		       : ht_pages_resident_anew(p, there, start, end);
}
uint64_t ht_pages_swapped(const struct ht_pages *p, uint64_t start,
			  uint64_t end);
uint64_t ht_pages_withheld(const struct ht_pages *p, uint64_t start,
			   uint64_t end);

/* Counts the pages of [start, end), page aligned, without keeping states.
 * anonymous: there are none of files among them, or they may count as anon;
 * takes half the time. false: unknown. */
bool ht_pages_tally(struct ht_pages_source *s, uint64_t start, uint64_t end,
		    bool anonymous, struct ht_page_tally *ret) HT_MUST_CHECK;

/* A run of pages of one kind: the kernel's own form (pages.c). */
struct ht_page_run {
	uint64_t start, end, categories;
};
#define HT_PAGE_RUNS 1024 /* a question; 24 KiB */

/* What one question told of many mappings. */
struct ht_page_ahead {
	uint64_t start, end; /* of these addresses; both 0: of none yet */
	size_t n, next;	     /* next: where the next is likely to be */
	struct ht_page_run run[HT_PAGE_RUNS];
};

/* As ht_pages_tally with files told apart, asked together with what follows up
 * to `until`: a process has many small mappings, and each question is a call.
 * a: start and end 0 at first, then as it was left. The rest of it need not be
 * set. */
bool ht_pages_tally_ahead(struct ht_pages_source *s, struct ht_page_ahead *a,
			  uint64_t start, uint64_t end, uint64_t until,
			  struct ht_page_tally *ret) HT_MUST_CHECK;

/* Bytes of the resident pages of [start, end), page aligned, that no other
 * process maps: what the machine gets when they are given back. 8 bytes are
 * read a page, some thousand at a time. HT_PAGES_UNKNOWN: no pagemap. */
#define HT_PAGES_UNKNOWN UINT64_MAX
uint64_t ht_pages_private(struct ht_pages_source *s, uint64_t start,
			  uint64_t end);

#endif
