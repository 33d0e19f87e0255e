/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/memory/pagemap.h"
#include "agent/memory/vmflags.h"
#include "agent/self/pace.h"
#include "common/cleanup.h"
#include "common/clock.h"

/*
 * The PAGEMAP_SCAN interface (Linux 6.7, admin-guide/mm/pagemap.rst), declared
 * here because Debian 12's kernel headers are older than the kernels we meet.
 */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};
#define SCAN_IOCTL    _IOWR('f', 16, struct scan_arg)
#define SCAN_FILE     (UINT64_C(1) << 2)
#define SCAN_PRESENT  (UINT64_C(1) << 3)
#define SCAN_SWAPPED  (UINT64_C(1) << 4)
#define SCAN_PFNZERO  (UINT64_C(1) << 5)
#define TOLD_WITHHELD (UINT64_C(1) << 62) /* by a test */
#define SCAN_ALONE    (UINT64_C(1) << 63) /* of ours: no category of a scan */
#define SCAN_ANON     (SCAN_PRESENT | SCAN_SWAPPED | SCAN_PFNZERO)
/* To tell a file's page the kernel looks at each page: twice the time. */
#define SCAN_ALL (SCAN_ANON | SCAN_FILE)

#define LEAST_PAGE 4096
/* The kernel holds the mmap lock during a whole call, and the target's mmap,
 * munmap and brk wait for it: some 30 us for as many pages, 30 ms for the 4 GiB
 * of a heap. Page tables that are not there take no time. */
#define PAGES_A_CALL 4096
#define ENTRIES	     2048

/* Receives runs of pages of one kind, in ascending order. */
typedef void run_fn(void *ctx, uint64_t start, uint64_t end,
		    uint64_t categories);

/* Asked before each question: on a crowded machine one may take long, and they
 * are many. */
static bool is_late(struct ht_pages_source *s)
{
	if (s->deadline_ns && ht_mono_ns() >= s->deadline_ns)
		s->late = true;
	return s->late;
}

/* One call: how many of the runs, up to `max`, it filled, and how far it came.
 * Negative: it failed. */
static int scan_some(struct ht_pages_source *s, uint64_t start, uint64_t end,
		     uint64_t categories, struct ht_page_run *runs, size_t max,
		     uint64_t *ret_end)
{
	/* The kernel makes as large a table, at each call. */
	const uint64_t pages = (end - start) / LEAST_PAGE + 1;
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)runs,
		.vec_len = pages < max ? pages : max,
		.max_pages = PAGES_A_CALL,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = categories,
	};
	int n = is_late(s) ? -1 : ioctl(s->pagemap_fd, SCAN_IOCTL, &arg);

	*ret_end = arg.walk_end;
	if (n >= 0 && arg.walk_end < end)
		ht_pace_lock();
	return n;
}

static bool scan(struct ht_pages_source *s, uint64_t start, uint64_t end,
		 uint64_t categories, run_fn *run, void *ctx)
{
	struct ht_page_run runs[HT_PAGE_RUNS];

	while (start < end) {
		uint64_t told;
		int n = scan_some(s, start, end, categories, runs, HT_PAGE_RUNS,
				  &told);

		if (n < 0)
			return false;
		for (int i = 0; i < n; i++)
			run(ctx, runs[i].start, runs[i].end,
			    runs[i].categories);
		if (told <= start)
			break; /* cannot be; never loop on it */
		start = told;
	}
	return true;
}

static uint64_t categories_of(uint64_t entry)
{
	return (entry & HT_PAGEMAP_PRESENT ? SCAN_PRESENT : 0) |
	       (entry & HT_PAGEMAP_EXCLUSIVE ? SCAN_ALONE : 0) |
	       (entry & HT_PAGEMAP_SWAPPED ? SCAN_SWAPPED : 0) |
	       (entry & HT_PAGEMAP_FILE ? SCAN_FILE : 0);
}

/* Kernels before 6.7: the same runs from 8 bytes a page. */
static bool read_entries(struct ht_pages_source *s, uint64_t start,
			 uint64_t end, run_fn *run, void *ctx)
{
	const unsigned page = s->page_size;
	uint64_t entries[ENTRIES];

	while (start < end) {
		size_t want = (end - start) / page;
		ssize_t got;

		if (is_late(s))
			return false;
		want = want < ENTRIES ? want : ENTRIES;
		got = pread(s->pagemap_fd, entries, want * sizeof(entries[0]),
			    (off_t)(start / page * sizeof(entries[0])));
		if (got < (ssize_t)sizeof(entries[0]))
			return false;
		ht_pace_lock();
		for (size_t i = 0; i < (size_t)got / sizeof(entries[0]); i++) {
			uint64_t what = categories_of(entries[i]);

			if (what & (SCAN_PRESENT | SCAN_SWAPPED))
				run(ctx, start, start + page, what);
			start += page;
		}
	}
	return true;
}

/* The states that a test made up. */
static bool ask_state(struct ht_pages_source *s, uint64_t start, uint64_t end,
		      run_fn *run, void *ctx)
{
	for (; start < end; start += s->page_size) {
		enum ht_page_state state =
			is_late(s) ? HT_PAGE_UNKNOWN : s->state(s->ctx, start);

		if (state == HT_PAGE_UNKNOWN)
			return false;
		if (state != HT_PAGE_ABSENT)
			run(ctx, start, start + s->page_size,
			    state == HT_PAGE_PRESENT	? SCAN_PRESENT
			    : state == HT_PAGE_WITHHELD ? TOLD_WITHHELD
							: SCAN_SWAPPED);
	}
	return true;
}

static bool each_run(struct ht_pages_source *s, uint64_t start, uint64_t end,
		     uint64_t categories, run_fn *run, void *ctx)
{
	if (s->state)
		return ask_state(s, start, end, run, ctx);
	if (s->pagemap_fd < 0)
		return false;
	if (s->has_scan)
		return scan(s, start, end, categories, run, ctx);
	return read_entries(s, start, end, run, ctx);
}

static void ignore_run(void *ctx, uint64_t start, uint64_t end,
		       uint64_t categories)
{
	(void)ctx, (void)start, (void)end, (void)categories;
}

void ht_pages_source_none(struct ht_pages_source *ret)
{
	*ret = (struct ht_pages_source){
		.pagemap_fd = -1, .page_size = (unsigned)sysconf(_SC_PAGESIZE)};
}

enum ht_code ht_pages_source_open(pid_t pid, struct ht_pages_source *ret,
				  struct ht_err *err)
{
	struct ht_pages_source s;

	ht_pages_source_none(&s);
	s.pagemap_fd = ht_pagemap_open(pid);
	s.refused = s.pagemap_fd < 0 ? errno : 0;
	if (s.refused == ENOENT && kill(pid, 0) < 0 && errno == ESRCH)
		return ht_fail(err, HT_GONE, "process %d does not exist",
			       (int)pid);
	s.has_scan = s.pagemap_fd >= 0 &&
		     scan(&s, 0, s.page_size, SCAN_ALL, ignore_run, NULL);
	*ret = s;
	return HT_OK;
}

void ht_pages_source_close(struct ht_pages_source *s)
{
	if (s->pagemap_fd >= 0)
		close(s->pagemap_fd);
	s->pagemap_fd = -1;
}

bool ht_pages_source_known(const struct ht_pages_source *s)
{
	return s->state || s->pagemap_fd >= 0;
}

void ht_pages_source_limit(struct ht_pages_source *s, int64_t deadline_ns)
{
	s->deadline_ns = deadline_ns;
	s->late = false;
}

/* --- states of a range --------------------------------------------------- */

static void set_bits(uint64_t *bits, uint64_t first, uint64_t last)
{
	for (; first < last && first % 64; first++)
		bits[first / 64] |= UINT64_C(1) << first % 64;
	for (; first + 64 <= last; first += 64)
		bits[first / 64] = UINT64_MAX;
	for (; first < last; first++)
		bits[first / 64] |= UINT64_C(1) << first % 64;
}

static void clear_bits(uint64_t *bits, uint64_t first, uint64_t last)
{
	for (; first < last; first++)
		bits[first / 64] &= ~(UINT64_C(1) << first % 64);
}

static uint64_t count_bits(const uint64_t *bits, uint64_t first, uint64_t last)
{
	uint64_t n = 0;

	for (; first < last && first % 64; first++)
		n += bits[first / 64] >> first % 64 & 1;
	for (; first + 64 <= last; first += 64)
		n += (unsigned)__builtin_popcountll(bits[first / 64]);
	for (; first < last; first++)
		n += bits[first / 64] >> first % 64 & 1;
	return n;
}

static void mark_run(void *ctx, uint64_t start, uint64_t end,
		     uint64_t categories)
{
	struct ht_pages *p = ctx;
	uint64_t first = (start - p->start) >> p->page_shift;
	uint64_t last = (end - p->start) >> p->page_shift;

	if (start < p->start || last > p->count)
		return; /* never beyond what was asked for */
	if (p->any_withheld)
		clear_bits(p->withheld, first, last);
	if (categories & TOLD_WITHHELD)
		set_bits(p->withheld, first, last);
	else if (categories & SCAN_SWAPPED)
		set_bits(p->swapped, first, last);
	else if (!(categories & SCAN_PFNZERO))
		set_bits(p->present, first, last);
}

enum ht_code ht_pages_blank(const struct ht_pages_source *s, uint64_t start,
			    uint64_t end, struct ht_pages *ret,
			    struct ht_err *err)
{
	uint64_t page = s->page_size;
	struct ht_pages p = {.page_shift =
				     (unsigned)__builtin_ctz(s->page_size)};
	size_t words;

	p.start = start & ~(page - 1);
	end = (end + page - 1) & ~(page - 1);
	p.count = end > p.start ? (end - p.start) / page : 0;
	words = p.count / 64 + 1;
	p.present = calloc(words, 3 * sizeof(*p.present));
	if (!p.present)
		return ht_fail(err, HT_NOMEM, "no memory for page states");
	p.swapped = p.present + words;
	p.withheld = p.swapped + words;
	p.known = true;
	*ret = p;
	return HT_OK;
}

/* Of [start, end), as if all of it were absent. */
static void withhold(const struct ht_pages_source *s, struct ht_pages *p,
		     uint64_t start, uint64_t end)
{
	const struct ht_spans *spans =
		s->vmflags ? &s->vmflags->withheld : NULL;

	for (size_t i = 0; spans && i < spans->n; i++) {
		uint64_t from = spans->v[i].start, to = spans->v[i].end;

		from = from > start ? from : start;
		to = to < end ? to : end;
		if (from >= to)
			continue;
		p->any_withheld = true;
		set_bits(p->withheld, (from - p->start) >> p->page_shift,
			 (to - p->start) >> p->page_shift);
	}
}

void ht_pages_learn(struct ht_pages_source *s, struct ht_pages *p,
		    uint64_t start, uint64_t end)
{
	const uint64_t page = UINT64_C(1) << p->page_shift;
	const uint64_t last = p->start + p->count * page;

	start &= ~(page - 1);
	end = (end + page - 1) & ~(page - 1);
	if (start < p->start)
		start = p->start;
	if (end > last)
		end = last;
	if (start >= end)
		return;
	withhold(s, p, start, end);
	p->known &= each_run(s, start, end, SCAN_ANON, mark_run, p);
}

enum ht_code ht_pages_get(struct ht_pages_source *s, uint64_t start,
			  uint64_t end, struct ht_pages *ret,
			  struct ht_err *err)
{
	enum ht_code code = ht_pages_blank(s, start, end, ret, err);

	if (code == HT_OK)
		ht_pages_learn(s, ret, start, end);
	return code;
}

void ht_pages_fini(struct ht_pages *p)
{
	free(p->present);
	*p = (struct ht_pages){0};
}

enum ht_page_state ht_pages_state(const struct ht_pages *p, uint64_t addr)
{
	uint64_t i = (addr - p->start) >> p->page_shift;

	if (!p->known || addr < p->start || i >= p->count)
		return HT_PAGE_UNKNOWN;
	if (p->swapped[i / 64] >> i % 64 & 1)
		return HT_PAGE_SWAPPED;
	if (p->withheld[i / 64] >> i % 64 & 1)
		return HT_PAGE_WITHHELD;
	return p->present[i / 64] >> i % 64 & 1 ? HT_PAGE_PRESENT
						: HT_PAGE_ABSENT;
}

static uint64_t bytes_of(const struct ht_pages *p, const uint64_t *bits,
			 uint64_t start, uint64_t end)
{
	const uint64_t page = UINT64_C(1) << p->page_shift;
	uint64_t first, last, bytes;

	if (!p->known)
		return 0;
	if (start < p->start)
		start = p->start;
	if (end > p->start + p->count * page)
		end = p->start + p->count * page;
	if (start >= end)
		return 0;
	start -= p->start;
	end -= p->start;
	first = start >> p->page_shift;
	last = (end - 1) >> p->page_shift;
	if (first == last)
		return bits[first / 64] >> first % 64 & 1 ? end - start : 0;
	bytes = count_bits(bits, first, last + 1) * page;
	if (bits[first / 64] >> first % 64 & 1)
		bytes -= start % page;
	if (bits[last / 64] >> last % 64 & 1)
		bytes -= (last + 1) * page - end;
	return bytes;
}

uint64_t ht_pages_resident_long(const struct ht_pages *p, uint64_t start,
				uint64_t end)
{
	return bytes_of(p, p->present, start, end);
}

/* Where the resident pages from an address on end; the address: it lies in
 * none.
 */
static uint64_t resident_end(const struct ht_pages *p, uint64_t addr)
{
	uint64_t first = (addr - p->start) >> p->page_shift, i = first;

	if (!p->known || addr < p->start)
		return addr;
	while (i < p->count && p->present[i / 64] >> i % 64 & 1)
		i += i % 64 == 0 && p->count - i >= 64 &&
				     p->present[i / 64] == UINT64_MAX
			     ? 64
			     : 1;
	return i == first ? addr : p->start + (i << p->page_shift);
}

uint64_t ht_pages_resident_anew(const struct ht_pages *p,
				struct ht_pages_there *there, uint64_t start,
				uint64_t end)
{
	if (start >= there->end)
		*there = (struct ht_pages_there){start, resident_end(p, start)};
	return ht_pages_resident(p, start, end);
}

uint64_t ht_pages_swapped(const struct ht_pages *p, uint64_t start,
			  uint64_t end)
{
	return bytes_of(p, p->swapped, start, end);
}

uint64_t ht_pages_withheld(const struct ht_pages *p, uint64_t start,
			   uint64_t end)
{
	return bytes_of(p, p->withheld, start, end);
}

/* --- counts of a range --------------------------------------------------- */

struct counting {
	struct ht_page_tally tally;
	unsigned page_size;
};

static void count_run(void *ctx, uint64_t start, uint64_t end,
		      uint64_t categories)
{
	struct counting *c = ctx;
	uint64_t pages = (end - start) / c->page_size;

	if (categories & SCAN_SWAPPED)
		c->tally.swapped += pages;
	else if (categories & SCAN_PFNZERO)
		return;
	else if (categories & SCAN_FILE)
		c->tally.file += pages;
	else
		c->tally.anon += pages;
}

bool ht_pages_tally(struct ht_pages_source *s, uint64_t start, uint64_t end,
		    bool anonymous, struct ht_page_tally *ret)
{
	struct counting c = {.page_size = s->page_size};

	if (!each_run(s, start, end, anonymous ? SCAN_ANON : SCAN_ALL,
		      count_run, &c))
		return false;
	*ret = c.tally;
	return true;
}

/* --- the same of what lies side by side ----------------------------------- */

static bool look_ahead(struct ht_pages_source *s, struct ht_page_ahead *a,
		       uint64_t start, uint64_t until)
{
	uint64_t told;
	int n = scan_some(s, start, until, SCAN_ALL, a->run, HT_PAGE_RUNS,
			  &told);

	if (n < 0 || told <= start)
		return false;
	a->start = start;
	a->end = told < until ? told : until;
	a->n = (size_t)n;
	a->next = 0;
	return true;
}

/* What was told of [start, end), which lies within. */
static void count_told(struct ht_page_ahead *a, uint64_t start, uint64_t end,
		       struct counting *c)
{
	if (a->next >= a->n || a->run[a->next].start > start)
		a->next = 0; /* not in ascending order */
	while (a->next < a->n && a->run[a->next].end <= start)
		a->next++;
	for (size_t i = a->next; i < a->n && a->run[i].start < end; i++) {
		const struct ht_page_run *r = &a->run[i];

		count_run(c, r->start > start ? r->start : start,
			  r->end < end ? r->end : end, r->categories);
	}
}

bool ht_pages_tally_ahead(struct ht_pages_source *s, struct ht_page_ahead *a,
			  uint64_t start, uint64_t end, uint64_t until,
			  struct ht_page_tally *ret)
{
	struct counting c = {.page_size = s->page_size};

	if (s->state || !s->has_scan)
		return ht_pages_tally(s, start, end, false, ret);
	while (start < end) {
		uint64_t stop;

		if ((start < a->start || start >= a->end) &&
		    !look_ahead(s, a, start, until > end ? until : end))
			return false;
		stop = a->end < end ? a->end : end;
		count_told(a, start, stop, &c);
		start = stop;
	}
	*ret = c.tally;
	return true;
}

/* --- what is this process's alone ---------------------------------------- */

static void count_alone(void *ctx, uint64_t start, uint64_t end,
			uint64_t categories)
{
	uint64_t *bytes = ctx;

	if (categories & SCAN_ALONE)
		*bytes += end - start;
}

uint64_t ht_pages_private(struct ht_pages_source *s, uint64_t start,
			  uint64_t end)
{
	uint64_t bytes = 0;

	if (s->state || s->pagemap_fd < 0 ||
	    !read_entries(s, start, end, count_alone, &bytes))
		return HT_PAGES_UNKNOWN;
	return bytes;
}
