/* SPDX-License-Identifier: Apache-2.0 */
/* One process of /proc. Declared in procs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/registry/procs.h"

enum { HAVE_UID = 1, HAVE_CMDLINE = 2, HAVE_EXE = 4, HAVE_CGROUP = 8 };

#define FOREFATHERS_MAX 16
#define PF_KTHREAD	0x00200000u /* include/linux/sched.h; stat's 9th field */

/* At most len - 1 bytes and a NUL; what was read, or -1. */
static ssize_t read_file(pid_t pid, const char *name, char *to, size_t len)
{
	char path[64];
	HT_AUTO_FD int fd = -1;
	ssize_t n;

	to[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, to, len - 1);
	if (n >= 0)
		to[n] = '\0';
	return n;
}

/* "PID (COMM) S PPID ...": COMM may hold blanks and brackets, so the last
 * bracket ends it. Fields are counted as in proc(5). */
enum ht_code ht_proc_read(pid_t pid, struct ht_proc *ret, struct ht_err *err)
{
	char stat[1024];
	char *open, *close, state;
	unsigned flags;
	int parent;
	long threads;
	unsigned long long start;

	if (read_file(pid, "stat", stat, sizeof(stat)) <= 0)
		return ht_fail(err, HT_GONE, "process %d is not there",
			       (int)pid);
	open = strchr(stat, '(');
	close = strrchr(stat, ')');
	if (!open || !close ||
	    sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
		   &state, &parent, &flags, &threads, &start) != 5)
		return ht_fail(err, HT_SYS, "/proc/%d/stat is not as expected",
			       (int)pid);
	/* members read on demand stay as they are: have == 0 says so */
	ret->pid = pid;
	ret->start_ticks = start;
	ret->kernel = (flags & PF_KTHREAD) != 0;
	/* a leader may end before its other threads */
	ret->zombie = (state == 'Z' || state == 'X') && threads < 2;
	ret->parent = parent;
	ret->have = 0;
	*close = '\0';
	snprintf(ret->comm, sizeof(ret->comm), "%s", open + 1);
	return HT_OK;
}

void ht_proc_need_uid(struct ht_proc *p)
{
	char status[2048];
	const char *line;
	unsigned long real, effective;
	int tracer;

	if (p->have & HAVE_UID)
		return;
	p->have |= HAVE_UID;
	p->uid = UINT64_MAX;
	p->tracer = 0;
	if (read_file(p->pid, "status", status, sizeof(status)) <= 0)
		return;
	line = strstr(status, "\nUid:");
	if (line && sscanf(line, "\nUid: %lu %lu", &real, &effective) == 2)
		p->uid = effective;
	line = strstr(status, "\nTracerPid:");
	if (line && sscanf(line, "\nTracerPid: %d", &tracer) == 1)
		p->tracer = tracer;
}

/* Whether one of its forefathers is this very process. */
static bool descends_from_us(pid_t pid)
{
	struct ht_proc p;

	for (int i = 0; i < FOREFATHERS_MAX && pid > 1; i++) {
		if (pid == getpid())
			return true;
		if (ht_proc_read(pid, &p, NULL) != HT_OK)
			return false;
		pid = p.parent;
	}
	return false;
}

bool ht_proc_is_helper(struct ht_proc *p)
{
	if (p->parent > 1 && descends_from_us(p->parent))
		return true;
	ht_proc_need_uid(p);
	if (p->tracer > 1 && descends_from_us(p->tracer))
		return true;
	return p->parent <= 1 && p->uid == geteuid() &&
	       strcmp(p->comm, "heaptide-agent") == 0;
}

void ht_proc_need_cmdline(struct ht_proc *p)
{
	ssize_t n;

	if (p->have & HAVE_CMDLINE)
		return;
	p->have |= HAVE_CMDLINE;
	n = read_file(p->pid, "cmdline", p->cmdline, sizeof(p->cmdline));
	snprintf(p->argv0, sizeof(p->argv0), "%.255s", p->cmdline);
	while (n > 0 && p->cmdline[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++) {
		if (p->cmdline[i] == '\0')
			p->cmdline[i] = ' ';
	}
}

void ht_proc_need_exe(struct ht_proc *p)
{
	static const char deleted[] = " (deleted)";
	char path[64];
	ssize_t n;

	if (p->have & HAVE_EXE)
		return;
	p->have |= HAVE_EXE;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)p->pid);
	n = readlink(path, p->exe, sizeof(p->exe) - 1);
	p->exe[n > 0 ? n : 0] = '\0';
	n -= (ssize_t)sizeof(deleted) - 1;
	if (n > 0 && strcmp(p->exe + n, deleted) == 0)
		p->exe[n] = '\0'; /* upgraded on disk: still this program */
}

void ht_proc_need_cgroup(struct ht_proc *p)
{
	char text[1024];
	const char *line;
	char *unit = NULL;

	if (p->have & HAVE_CGROUP)
		return;
	p->have |= HAVE_CGROUP;
	p->cgroup[0] = p->unit[0] = '\0';
	if (read_file(p->pid, "cgroup", text, sizeof(text)) <= 0)
		return;
	line = strstr(text, "0::"); /* v2; the only line where v1 is unused */
	if (line)
		snprintf(p->cgroup, sizeof(p->cgroup), "%.*s",
			 (int)strcspn(line + 3, "\n"), line + 3);
	if (sd_pid_get_unit(p->pid, &unit) >= 0)
		snprintf(p->unit, sizeof(p->unit), "%s", unit);
	free(unit);
}
