/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live process: process_vm_readv; what that refuses, /proc/PID/mem (it also
 * reads pages without read permission); what that refuses too, word by word
 * with PTRACE_PEEKDATA, if the caller traces the process.
 */
#include "agent/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"

#define IOV_PIECES 1024		       /* IOV_MAX */
#define BUDGET	   (UINT64_C(1) << 44) /* 16 TiB: far above any sane walk */

struct process {
	pid_t pid;
	int mem_fd; /* -1: not to be had */
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

static size_t process_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	size_t got = read_vm(ctx, addr, buf, len);

	if (got == 0)
		got = read_mem(ctx, addr, buf, len);
	if (got == 0)
		got = peek(ctx, addr, buf, len);
	return got;
}

/* One system call for n pieces; returns how many were filled, from the first
 * on: the kernel stops at the first page that is not there. */
static size_t read_vector(const struct process *p, struct ht_piece *pieces,
			  size_t n)
{
	struct iovec local[IOV_PIECES], there[IOV_PIECES];
	size_t done = 0;
	ssize_t got;

	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){pieces[i].buf, pieces[i].len};
		there[i] =
			(struct iovec){remote(pieces[i].addr), pieces[i].len};
	}
	got = process_vm_readv(p->pid, local, n, there, n, 0);
	while (done < n && got >= (ssize_t)pieces[done].len) {
		got -= (ssize_t)pieces[done].len;
		pieces[done++].ok = true;
	}
	return done;
}

static void process_read_batch(void *ctx, struct ht_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t some = n - i < IOV_PIECES ? n - i : IOV_PIECES;

		i += read_vector(ctx, pieces + i, some);
		if (i < n) /* the one that stopped it, by the other ways */
			pieces[i].ok =
				process_read(ctx, pieces[i].addr, pieces[i].buf,
					     pieces[i].len) == pieces[i].len;
	}
}

static void process_close(void *ctx)
{
	struct process *p = ctx;

	if (p->mem_fd >= 0)
		close(p->mem_fd);
	free(p);
}

static const struct ht_reader_ops process_ops = {
	.name = "process",
	.read = process_read,
	.read_batch = process_read_batch,
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
	*ret = (struct ht_reader){&process_ops, p, word, 0, BUDGET};
	return HT_OK;
}
