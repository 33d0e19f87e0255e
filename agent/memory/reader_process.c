/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live process: /proc/PID/mem (it also reads pages without read permission);
 * what that refuses, process_vm_readv; what that refuses too, word by word with
 * PTRACE_PEEKDATA, if the caller traces the process.
 *
 * Only pages that are present are read: pagemap is asked before each read. What
 * an absent page holds is told without touching it (absent.h), a page that is
 * swapped out ends the read. Without a pagemap nothing of this can be known,
 * and all is read as it comes.
 *
 * process_vm_readv is a quarter faster, but it pins pages, and before it pins
 * one that a fork left shared the kernel copies it (gup_must_unshare, Linux
 * 5.19): a look at a worker that its server has forked would make all of its
 * memory private. So it comes first only for blocks of pages that nobody
 * shares.
 */
#include "agent/arch/arch.h"
#include "agent/memory/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/memory/absent.h"
#include "agent/memory/live_task.h"
#include "agent/memory/pagemap.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define BUDGET (UINT64_C(1) << 44) /* 16 TiB: far above any sane walk */

struct process {
	pid_t pid;
	int mem_fd, pagemap_fd; /* -1: not to be had */
	bool may_trace;
	struct ht_absent *absent;
	_Atomic int64_t deadline_ns; /* 0: none */
};

/* On a crowded machine each call may take long: who waits for the target's
 * mappings is behind all who change them. */
static bool is_late(const struct process *p)
{
	return p->deadline_ns && ht_mono_ns() >= p->deadline_ns;
}

/* Target addresses are numbers; the kernel's interface wants pointers. */
static void *remote(uint64_t addr)
{
	return (void *)(uintptr_t)addr; /* NOLINT(performance-no-int-to-ptr) */
}

static size_t read_vm(const struct process *p, uint64_t addr, void *buf,
		      size_t len)
{
	struct iovec local = {buf, len}, there = {remote(addr), len};
	ssize_t got = process_vm_readv(p->pid, &local, 1, &there, 1, 0);

	return got > 0 ? (size_t)got : 0;
}

static size_t read_mem(const struct process *p, uint64_t addr, void *buf,
		       size_t len)
{
	ssize_t got;

	if (p->mem_fd < 0 || addr > INT64_MAX)
		return 0;
	got = pread(p->mem_fd, buf, len, (off_t)addr);
	return got > 0 ? (size_t)got : 0;
}

static size_t peek(const struct process *p, uint64_t addr, void *buf,
		   size_t len)
{
	size_t got = 0;

	while (p->may_trace && got < len) {
		uint64_t at = (addr + got) & ~(uint64_t)(sizeof(long) - 1);
		size_t skip = (size_t)(addr + got - at);
		size_t n = sizeof(long) - skip;
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, p->pid, remote(at), NULL);
		if (errno)
			break;
		n = n < len - got ? n : len - got;
		memcpy((char *)buf + got, (char *)&word + skip, n);
		got += n;
	}
	return got;
}

#define ENTRIES 256
/* Of scattered pieces: so many at a time, and so many pages asked for at once,
 * which takes as long as a call for two of them. */
#define PIECES 256
#define WINDOW 512
/* Below, process_vm_readv gains nothing. */
#define BLOCK_LEAST ((size_t)64 << 10)
#define STATES	    (HT_PAGEMAP_PRESENT | HT_PAGEMAP_SWAPPED)

/* Reads what is there. pinnable: process_vm_readv would copy no page. */
static size_t read_present(const struct process *p, uint64_t addr, void *buf,
			   size_t len, bool pinnable)
{
	bool vm_first = pinnable && len >= BLOCK_LEAST;
	size_t got = vm_first ? read_vm(p, addr, buf, len)
			      : read_mem(p, addr, buf, len);

	if (got == 0)
		got = vm_first ? read_mem(p, addr, buf, len)
			       : read_vm(p, addr, buf, len);
	if (got == 0)
		got = peek(p, addr, buf, len);
	return got;
}

static bool is_shared(uint64_t entry)
{
	return entry & HT_PAGEMAP_PRESENT &&
	       !(entry & (HT_PAGEMAP_EXCLUSIVE | HT_PAGEMAP_FILE));
}

/* Pages from addr on that are in one state. */
struct run {
	size_t len;	/* bytes */
	uint64_t state; /* of STATES; 0: absent */
	bool pinnable;	/* nobody shares one of them */
};

static struct run run_of(const uint64_t *entry, size_t n, uint64_t addr,
			 size_t len)
{
	struct run run = {HT_PAGE_SIZE - addr % HT_PAGE_SIZE, entry[0] & STATES,
			  !is_shared(entry[0])};

	for (size_t i = 1; i < n && (entry[i] & STATES) == run.state; i++) {
		run.len += HT_PAGE_SIZE;
		run.pinnable &= !is_shared(entry[i]);
	}
	run.len = run.len < len ? run.len : len;
	return run;
}

static size_t read_run(const struct process *p, uint64_t addr, void *buf,
		       const struct run *run)
{
	enum ht_absent_kind kind;
	size_t len;

	if (run->state & HT_PAGEMAP_SWAPPED) {
		errno = HT_READER_SWAPPED;
		return 0;
	}
	if (run->state & HT_PAGEMAP_PRESENT)
		return read_present(p, addr, buf, run->len, run->pinnable);
	kind = ht_absent_read(p->absent, addr, buf, run->len, &len);
	if (kind == HT_ABSENT_IN_PLACE)
		return read_present(p, addr, buf, len, false);
	if (kind == HT_ABSENT_WITHHELD)
		errno = HT_READER_WITHHELD;
	return kind == HT_ABSENT_TOLD ? len : 0;
}

/* Up to ENTRIES pages; less than len when more is to be had behind. */
static size_t read_block(const struct process *p, uint64_t addr, char *buf,
			 size_t len)
{
	uint64_t entry[ENTRIES], first = addr / HT_PAGE_SIZE;
	uint64_t n = (addr + len - 1) / HT_PAGE_SIZE - first + 1;
	size_t got = 0, more = 1;
	ssize_t bytes;

	n = n < ENTRIES ? n : ENTRIES;
	bytes = pread(p->pagemap_fd, entry, n * sizeof(entry[0]),
		      (off_t)(first * sizeof(entry[0])));
	if (bytes < (ssize_t)sizeof(entry[0]))
		return 0; /* beyond all that a process can have */
	n = (uint64_t)bytes / sizeof(entry[0]);
	if (len > (first + n) * HT_PAGE_SIZE - addr)
		len = (size_t)((first + n) * HT_PAGE_SIZE - addr);
	while (more > 0 && got < len && !is_late(p)) {
		uint64_t i = (addr + got) / HT_PAGE_SIZE - first;
		struct run run =
			run_of(&entry[i], n - i, addr + got, len - got);

		more = read_run(p, addr + got, buf + got, &run);
		got += more;
	}
	return got;
}

static size_t process_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct process *p = ctx;
	size_t got = 0, more;

	if (p->pagemap_fd < 0)
		return read_present(p, addr, buf, len, false);
	if (addr > INT64_MAX - len)
		return 0;
	do {
		more = read_block(p, addr + got, (char *)buf + got, len - got);
		got += more;
	} while (more > 0 && got < len && !is_late(p));
	return got;
}

/* --- many short pieces --------------------------------------------------- */

/* All of them with one call. What it does not come to is left. */
static void read_pinned(const struct process *p, struct ht_piece *const *v,
			size_t n)
{
	struct iovec here[PIECES], there[PIECES];
	size_t left, i = 0;
	ssize_t got;

	if (n == 0)
		return;
	do {
		here[i] = (struct iovec){v[i]->buf, v[i]->len};
		there[i] = (struct iovec){remote(v[i]->addr), v[i]->len};
	} while (++i < n);
	got = process_vm_readv(p->pid, here, n, there, n, 0);
	left = got > 0 ? (size_t)got : 0;
	for (i = 0; i < n && left >= v[i]->len; i++) {
		v[i]->ok = true;
		left -= v[i]->len;
	}
}

#define SPAN ((size_t)16 * HT_PAGE_SIZE)

/* The pieces of neighbouring pages, from the first on, with one read of all
 * that lies between them: it costs less than a call for each. Returns how many.
 */
static size_t read_span(const struct process *p, struct ht_piece *const *v,
			size_t n)
{
	char span[SPAN];
	uint64_t from = v[0]->addr;
	size_t len = 0, k = 0;

	while (k < n && v[k]->addr >= from + len &&
	       v[k]->addr - (from + len) < HT_PAGE_SIZE &&
	       v[k]->addr + v[k]->len - from <= SPAN) {
		len = v[k]->addr + v[k]->len - from;
		k++;
	}
	if (k == 0 || read_mem(p, from, span, len) != len)
		return 0;
	for (size_t i = 0; i < k; i++) {
		memcpy(v[i]->buf, span + (v[i]->addr - from), v[i]->len);
		v[i]->ok = true;
	}
	return k;
}

/* Pieces in ascending order. */
struct sorted {
	struct ht_piece *v[PIECES];
	size_t n;
};

static int by_address(const void *x, const void *y)
{
	const struct ht_piece *const *a = x, *const *b = y;

	return ((*a)->addr > (*b)->addr) - ((*a)->addr < (*b)->addr);
}

/* Those that lie in one page each. */
static void sort(struct ht_piece *v, size_t n, struct sorted *ret)
{
	bool rises = true;

	ret->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i].addr > INT64_MAX ||
		    v[i].addr % HT_PAGE_SIZE + v[i].len > HT_PAGE_SIZE)
			continue;
		rises &= ret->n == 0 || ret->v[ret->n - 1]->addr <= v[i].addr;
		ret->v[ret->n++] = &v[i];
	}
	if (!rises)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_address);
}

/* From the first on, as many as lie within WINDOW pages: adds those whose
 * pages are there, and to `pinnable` of these those that may be pinned. Returns
 * how many it went over. */
static size_t ask_window(const struct process *p, struct ht_piece *const *v,
			 size_t n, struct sorted *present,
			 struct sorted *pinnable)
{
	uint64_t entry[WINDOW], first = v[0]->addr / HT_PAGE_SIZE, last = first;
	ssize_t bytes;
	size_t k = 0;

	for (; k < n && v[k]->addr / HT_PAGE_SIZE - first < WINDOW; k++)
		last = v[k]->addr / HT_PAGE_SIZE;
	bytes = pread(p->pagemap_fd, entry, (last - first + 1) * sizeof(*entry),
		      (off_t)(first * sizeof(*entry)));
	for (size_t i = 0; i < k && bytes > 0; i++) {
		uint64_t at = v[i]->addr / HT_PAGE_SIZE - first;

		if ((at + 1) * sizeof(*entry) > (uint64_t)bytes ||
		    !(entry[at] & HT_PAGEMAP_PRESENT))
			continue;
		present->v[present->n++] = v[i];
		if (!is_shared(entry[at]))
			pinnable->v[pinnable->n++] = v[i];
	}
	return k;
}

/* What is in pages that are there. */
static void read_pieces(const struct process *p, struct ht_piece *v, size_t n)
{
	struct sorted all, present = {.n = 0}, pinnable = {.n = 0};

	sort(v, n, &all);
	for (size_t i = 0; i < all.n && !is_late(p);)
		i += ask_window(p, all.v + i, all.n - i, &present, &pinnable);
	if (pinnable.n > 1)
		read_pinned(p, pinnable.v, pinnable.n);
	for (size_t i = 0; i < present.n && !is_late(p);) {
		size_t k = present.v[i]->ok
				   ? 1
				   : read_span(p, present.v + i, present.n - i);

		i += k ?: 1; /* what cannot be read at once is read alone */
	}
}

/* --- stretches of pages --------------------------------------------------- */

/* Whether all of its pages are there; *ret: and may be pinned. */
static bool is_present(const struct ht_piece *v, const uint64_t *entry,
		       size_t n, uint64_t first, bool *ret)
{
	uint64_t i = v->addr / HT_PAGE_SIZE - first;
	uint64_t last = (v->addr + v->len - 1) / HT_PAGE_SIZE - first;

	*ret = true;
	for (; i <= last && i < n && entry[i] & HT_PAGEMAP_PRESENT; i++)
		*ret &= !is_shared(entry[i]);
	return i > last;
}

/* From the first on, as many in ascending order as lie within ENTRIES pages:
 * one question, and one call for all that may be pinned. Returns how many it
 * went over; what it could not have is left. */
static size_t read_near(const struct process *p, struct ht_piece *v, size_t n)
{
	uint64_t entry[ENTRIES], first = v[0].addr / HT_PAGE_SIZE, pages = 0;
	struct ht_piece *pinned[PIECES];
	size_t k = 0, pinnable = 0;
	ssize_t bytes;

	while (k < n && v[k].addr / HT_PAGE_SIZE >= first + pages - (k > 0) &&
	       (v[k].addr + v[k].len - 1) / HT_PAGE_SIZE - first < ENTRIES) {
		pages = (v[k].addr + v[k].len - 1) / HT_PAGE_SIZE - first + 1;
		k++;
	}
	if (k == 0)
		return 1;
	bytes = pread(p->pagemap_fd, entry, pages * sizeof(*entry),
		      (off_t)(first * sizeof(*entry)));
	for (size_t i = 0; i < k && bytes > 0; i++) {
		bool may_pin;

		if (!is_present(&v[i], entry, (size_t)bytes / sizeof(*entry),
				first, &may_pin))
			continue;
		if (may_pin)
			pinned[pinnable++] = &v[i];
		else
			v[i].ok = read_mem(p, v[i].addr, v[i].buf, v[i].len) ==
				  v[i].len;
	}
	read_pinned(p, pinned, pinnable);
	return k;
}

static bool are_short(const struct ht_piece *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].len > HT_PAGE_SIZE)
			return false;
	return true;
}

static void process_batch(void *ctx, struct ht_piece *v, size_t n)
{
	const struct process *p = ctx;

	for (size_t i = 0; p->pagemap_fd >= 0 && i < n; i += PIECES) {
		size_t some = n - i < PIECES ? n - i : PIECES;

		if (are_short(v + i, some))
			read_pieces(p, v + i, some);
		else
			for (size_t k = 0; k < some && !is_late(p);)
				k += read_near(p, v + i + k, some - k);
	}
}

static void process_limit(void *ctx, int64_t deadline_ns)
{
	struct process *p = ctx;

	p->deadline_ns = deadline_ns;
}

static void process_heed(void *ctx, struct ht_vmflags *f)
{
	const struct process *p = ctx;

	ht_absent_heed(p->absent, f);
}

static void process_close(void *ctx)
{
	struct process *p = ctx;

	if (p->mem_fd >= 0)
		close(p->mem_fd);
	if (p->pagemap_fd >= 0)
		close(p->pagemap_fd);
	ht_absent_close(p->absent);
	free(p);
}

static const struct ht_reader_ops process_ops = {
	.name = "process",
	.read = process_read,
	.batch = process_batch,
	.limit = process_limit,
	.heed = process_heed,
	.close = process_close,
};

/* Asked for a page that nobody has: who may read is told so (EFAULT). */
static bool is_refused(const struct process *p)
{
	struct iovec local = {&(char){0}, 1}, there = {NULL, 1};

	return p->mem_fd < 0 &&
	       process_vm_readv(p->pid, &local, 1, &there, 1, 0) < 0 &&
	       (errno == EPERM || errno == EACCES);
}

enum ht_code ht_reader_open_process(pid_t pid, unsigned word, bool may_trace,
				    struct ht_reader *ret, struct ht_err *err)
{
	struct process *p = calloc(1, sizeof(*p));
	char path[64];

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for a reader");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)ht_live_task(pid));
	p->pid = ht_live_task(pid);
	p->may_trace = may_trace;
	p->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p->mem_fd < 0 && errno == ENOENT) {
		free(p);
		return ht_fail(err, HT_GONE, "process %d does not exist",
			       (int)pid);
	}
	if (is_refused(p)) {
		free(p);
		return ht_fail(err, HT_DENIED,
			       "the memory of process %d may not be read",
			       (int)pid);
	}
	p->pagemap_fd = ht_pagemap_open(pid);
	p->absent = ht_absent_open(pid);
	*ret = (struct ht_reader){&process_ops, p, word, 0, BUDGET};
	ret->asks = p->mem_fd < 0;
	if (p->absent)
		return HT_OK;
	ht_reader_close(ret);
	return ht_fail(err, HT_NOMEM, "no memory for a reader");
}
