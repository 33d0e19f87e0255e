/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

enum ht_code ht_tasks_open(pid_t pid, DIR **ret, struct ht_err *err)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	*ret = opendir(path);
	if (*ret)
		return HT_OK;
	return ht_fail_sys(err, errno == ENOENT ? HT_GONE : HT_SYS, errno, "%s",
			   path);
}

pid_t ht_tasks_next(DIR *tasks)
{
	const struct dirent *e;

	while ((e = readdir(tasks)))
		if (e->d_name[0] != '.')
			return (pid_t)strtol(e->d_name, NULL, 10);
	rewinddir(tasks);
	return 0;
}

/* The kernel counts a link for each thread, beside "." and "..". */
size_t ht_tasks_count(DIR *tasks)
{
	struct stat st;

	return fstat(dirfd(tasks), &st) == 0 && st.st_nlink > 2
		       ? st.st_nlink - 2
		       : 0;
}

/* The whole of a small file of one thread; false when it cannot be read. */
static bool read_file(DIR *tasks, pid_t tid, const char *name, char *buf,
		      size_t size)
{
	HT_AUTO_FD int fd = -1;
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
	fd = openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* "202 0x7f.. 0x80 0x0 0x0 0x0 0x0 0xSP 0xPC", "-1 0xSP 0xPC", "running". */
bool ht_task_asleep(DIR *tasks, pid_t tid, struct ht_sleep *ret)
{
	struct ht_sleep sleep = {0};
	char buf[256];
	int n;

	if (!read_file(tasks, tid, "syscall", buf, sizeof(buf)))
		return false;
	n = sscanf(buf,
		   "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &sleep.nr, &sleep.arg[0], &sleep.arg[1], &sleep.arg[2],
		   &sleep.arg[3], &sleep.arg[4], &sleep.arg[5], &sleep.sp,
		   &sleep.pc);
	if (n == 3) {
		sleep.sp = sleep.arg[0];
		sleep.pc = sleep.arg[1];
	}
	if (n != 9 && n != 3)
		return false;
	*ret = sleep;
	return true;
}

int ht_task_runs_open(DIR *tasks, pid_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "%d/schedstat", (int)tid);
	return openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
}

/* Of a schedstat: nanoseconds on a processor, time waiting for one, times put
 * on one, the last counted before the thread runs. Each of the first and last
 * only grows, so their sum is a counter too. */
static bool runs_in(int schedstat, uint64_t *ret)
{
	char buf[128];
	uint64_t ns, runs;
	ssize_t n =
		schedstat < 0 ? -1 : pread(schedstat, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	if (sscanf(buf, "%" SCNu64 " %*s %" SCNu64, &ns, &runs) != 2 ||
	    runs == 0)
		return false;
	*ret = ns + runs;
	return true;
}

uint64_t ht_task_runs_at(DIR *tasks, pid_t tid, int schedstat)
{
	char buf[4096];
	uint64_t ns, runs;
	const char *at;

	if (runs_in(schedstat, &runs))
		return runs;
	/* A kernel without schedstat counts switches in status. */
	if (!read_file(tasks, tid, "status", buf, sizeof(buf)))
		return HT_RUNS_UNKNOWN;
	at = strstr(buf, "\nvoluntary_ctxt_switches:");
	if (!at || sscanf(at,
			  "\nvoluntary_ctxt_switches: %" SCNu64
			  " nonvoluntary_ctxt_switches: %" SCNu64,
			  &ns, &runs) != 2)
		return HT_RUNS_UNKNOWN;
	return (ns + runs) | HT_RUNS_LATE;
}

uint64_t ht_task_runs(DIR *tasks, pid_t tid)
{
	HT_AUTO_FD int schedstat = ht_task_runs_open(tasks, tid);

	return ht_task_runs_at(tasks, tid, schedstat);
}

bool ht_task_filtered(DIR *tasks, pid_t tid)
{
	char buf[4096];
	const char *at;

	if (!read_file(tasks, tid, "status", buf, sizeof(buf)))
		return true;
	at = strstr(buf, "\nSeccomp:\t");
	return at && at[10] != '0'; /* no line: a kernel without */
}

long ht_task_filters(DIR *tasks, pid_t tid)
{
	static const char line[] = "\nSeccomp_filters:\t";
	char buf[4096];
	const char *at = NULL;

	if (read_file(tasks, tid, "status", buf, sizeof(buf)))
		at = strstr(buf, line);
	return at ? strtol(at + sizeof(line) - 1, NULL, 10) : -1;
}

char ht_task_state(DIR *tasks, pid_t tid)
{
	char buf[512];
	const char *paren;

	if (!read_file(tasks, tid, "stat", buf, sizeof(buf)))
		return 0;
	paren = strrchr(buf, ')'); /* the command name may hold anything */
	return paren && paren[1] == ' ' ? paren[2] : 0;
}
