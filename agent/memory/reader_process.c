/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live process: /proc/PID/mem (it also reads pages without read permission);
 * what that refuses, process_vm_readv; what that refuses too, word by word with
 * PTRACE_PEEKDATA, if the caller traces the process.
 *
 * process_vm_readv is a quarter faster, but it pins pages, and before it pins
 * one that a fork left shared the kernel copies it (gup_must_unshare, Linux
 * 5.19): a look at a worker that its server has forked would make all of its
 * memory private. So it comes first only for blocks of pages that nobody
 * shares.
 */
#include "agent/memory/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/memory/pagemap.h"
#include "common/cleanup.h"

#define BUDGET (UINT64_C(1) << 44) /* 16 TiB: far above any sane walk */
#define PAGE   4096u		   /* x86 */

struct process {
	pid_t pid;
	int mem_fd, pagemap_fd; /* -1: not to be had */
	bool may_trace;
};

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
/* Below, asking costs more than it saves. */
#define BLOCK_LEAST ((size_t)64 << 10)

/* Whether no page of the block is one that pinning would copy. */
static bool is_unshared(const struct process *p, uint64_t addr, size_t len)
{
	uint64_t entries[ENTRIES];
	uint64_t first = addr / PAGE, n = (addr + len - 1) / PAGE - first + 1;
	size_t bytes = n * sizeof(entries[0]);

	if (p->pagemap_fd < 0 || len < BLOCK_LEAST || n > ENTRIES ||
	    first > (uint64_t)INT64_MAX / sizeof(entries[0]) ||
	    pread(p->pagemap_fd, entries, bytes,
		  (off_t)(first * sizeof(entries[0]))) != (ssize_t)bytes)
		return false;
	for (size_t i = 0; i < n; i++)
		if (entries[i] & HT_PAGEMAP_PRESENT &&
		    !(entries[i] & (HT_PAGEMAP_EXCLUSIVE | HT_PAGEMAP_FILE)))
			return false;
	return true;
}

static size_t process_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct process *p = ctx;
	bool unshared = is_unshared(p, addr, len);
	size_t got = unshared ? read_vm(p, addr, buf, len)
			      : read_mem(p, addr, buf, len);

	if (got == 0)
		got = unshared ? read_mem(p, addr, buf, len)
			       : read_vm(p, addr, buf, len);
	if (got == 0)
		got = peek(p, addr, buf, len);
	return got;
}

static void process_close(void *ctx)
{
	struct process *p = ctx;

	if (p->mem_fd >= 0)
		close(p->mem_fd);
	if (p->pagemap_fd >= 0)
		close(p->pagemap_fd);
	free(p);
}

static const struct ht_reader_ops process_ops = {
	.name = "process",
	.read = process_read,
	.close = process_close,
};

enum ht_code ht_reader_open_process(pid_t pid, unsigned word, bool may_trace,
				    struct ht_reader *ret, struct ht_err *err)
{
	struct process *p = calloc(1, sizeof(*p));
	char path[64];

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for a reader");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	p->pid = pid;
	p->may_trace = may_trace;
	p->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (p->mem_fd < 0 && errno == ENOENT) {
		free(p);
		return ht_fail(err, HT_GONE, "process %d does not exist",
			       (int)pid);
	}
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	p->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	*ret = (struct ht_reader){&process_ops, p, word, 0, BUDGET};
	ret->asks = p->mem_fd < 0;
	return HT_OK;
}
