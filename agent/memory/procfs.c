/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/memory/cgroup.h"
#include "agent/memory/live_task.h"
#include "common/clock.h"

#define TEXT_MAX HT_PROC_TEXT_MAX
#define KIB	 1024u

static bool read_proc(pid_t pid, const char *name, char text[TEXT_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return ht_proc_read_text(path, text);
}

/* "Key:   123 kB" in a file of such lines, in bytes; HT_UNKNOWN: no such line.
 */
static uint64_t kib_line(const char *text, const char *key)
{
	size_t n = strlen(key);
	uint64_t value;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != ':')
			continue;
		if (sscanf(line + n + 1, "%" SCNu64, &value) != 1)
			return HT_UNKNOWN;
		return value * KIB;
	}
	return HT_UNKNOWN;
}

static enum ht_code fail_gone(pid_t pid, struct ht_err *err)
{
	if (errno == EACCES || errno == EPERM)
		return ht_fail_sys(err, HT_DENIED, errno, "read /proc/%d", pid);
	return ht_fail(err, HT_GONE, "there is no process %d", pid);
}

/* --- stat ---------------------------------------------------------------- */

/* The fields of /proc/PID/stat behind the command name, which may itself hold
 * blanks and brackets: counted from its last ')'. Numbers are proc(5)'s. */
struct stat_fields {
	uint64_t minflt, majflt, utime, stime, threads, start_ticks, vsize;
};

static bool parse_stat(const char *text, struct stat_fields *ret)
{
	uint64_t field[24] = {0};
	const char *rest;

	if (!text)
		return false;
	rest = strrchr(text, ')');
	errno = ESRCH;
	if (!rest || strlen(rest) < 4)
		return false;
	rest += 4; /* ") S ": the state is field 3 */
	for (unsigned i = 4; i < 24; i++) {
		char *end;

		field[i] = strtoull(rest, &end, 10);
		if (end == rest)
			return false;
		rest = end;
	}
	*ret = (struct stat_fields){field[10], field[12], field[14], field[15],
				    field[20], field[22], field[23]};
	return true;
}

/* --- head ---------------------------------------------------------------- */

static uint64_t ticks_ns(uint64_t ticks)
{
	return ticks * (uint64_t)(HT_NS_PER_S / sysconf(_SC_CLK_TCK));
}

/* Start times count from boot, suspended time included. */
static int64_t start_time(uint64_t start_ticks)
{
	int64_t boot = ht_wall_ns() - ht_clock_ns(CLOCK_BOOTTIME);

	return boot + (int64_t)ticks_ns(start_ticks);
}

static void first_line(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static const char *own_path(pid_t task, const char *path)
{
	char link[64], root[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/root", task);
	len = task > 0 ? readlink(link, root, sizeof(root)) : 0;
	if (len < 2 || strncmp(path, root, (size_t)len) != 0 ||
	    path[len] != '/')
		return path;
	return path + len;
}

const char *ht_procfs_own_path(pid_t pid, const char *path)
{
	return own_path(ht_live_task(pid), path);
}

static void read_exe(struct ht_proc_texts *t, struct ht_head *ret)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", t->task);
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		first_line(ret->exe, sizeof(ret->exe),
			   own_path(t->task, target));
	}
	ht_proc_exe(t, &ret->exe_dev, &ret->exe_inode);
}

/* As stat has it, between brackets. Kernels before 4.18 escape it there. */
static void read_comm(struct ht_proc_texts *t, struct ht_head *ret)
{
	const char *stat = ht_proc_texts_of(t, HT_PROC_STAT);
	const char *first = stat ? strchr(stat, '(') : NULL;
	const char *last = stat ? strrchr(stat, ')') : NULL;
	char text[TEXT_MAX];

	if (first && last > first &&
	    !memchr(first, '\\', (size_t)(last - first))) {
		snprintf(text, sizeof(text), "%.*s", (int)(last - first - 1),
			 first + 1);
		first_line(ret->comm, sizeof(ret->comm), text);
	} else if (read_proc(t->pid, "comm", text)) {
		first_line(ret->comm, sizeof(ret->comm), text);
	}
}

static uint64_t effective_uid(const char *status)
{
	const char *line = strstr(status, "\nUid:");
	uint64_t real, effective;

	if (!line ||
	    sscanf(line, "\nUid: %" SCNu64 " %" SCNu64, &real, &effective) != 2)
		return HT_UNKNOWN;
	return effective;
}

/* The same as long as the machine runs, and we with it. */
static void put_boot_id(char *to, size_t size)
{
	static char id[TEXT_MAX]; /* one page of it is ever touched */

	if (!id[0] && !ht_proc_read_text("/proc/sys/kernel/random/boot_id", id))
		id[0] = '\0';
	first_line(to, size, id);
}

enum ht_code ht_procfs_head(struct ht_proc_texts *t, struct ht_head *ret,
			    struct ht_err *err)
{
	struct stat_fields stat;
	const char *known;

	if (!parse_stat(ht_proc_texts_of(t, HT_PROC_STAT), &stat))
		return fail_gone(t->pid, err);
	ret->pid = (uint64_t)t->pid;
	ret->start_ticks = stat.start_ticks;
	ret->started_at = start_time(stat.start_ticks);
	ret->cpu_ns = ticks_ns(stat.utime + stat.stime);
	read_comm(t, ret);
	known = ht_proc_texts_of(t, HT_PROC_STATUS);
	if (known)
		ret->uid = effective_uid(known);
	put_boot_id(ret->boot_id, sizeof(ret->boot_id));
	known = ht_proc_texts_of(t, HT_PROC_CGROUP);
	if (known)
		ht_cgroup_name(known, ret->cgroup, sizeof(ret->cgroup));
	read_exe(t, ret);
	return HT_OK;
}

/* --- process ------------------------------------------------------------- */

void ht_procfs_mappings(const struct ht_maps *maps, struct ht_process *ret)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < maps->n; i++) {
		const struct ht_vma *v = &maps->v[i];

		if ((v->flags & (HT_VMA_WRITE | HT_VMA_SHARED)) == HT_VMA_WRITE)
			sum += v->end - v->start;
	}
	ret->writable_private = sum;
	ret->mappings = maps->n;
}

void ht_procfs_rollup(pid_t pid, struct ht_process *ret)
{
	char text[TEXT_MAX];
	uint64_t clean, dirty;

	if (!read_proc(ht_live_task(pid), "smaps_rollup", text))
		return;
	ret->pss = kib_line(text, "Pss");
	ret->anon_huge = kib_line(text, "AnonHugePages");
	clean = kib_line(text, "Private_Clean");
	dirty = kib_line(text, "Private_Dirty");
	if (clean != HT_UNKNOWN && dirty != HT_UNKNOWN)
		ret->uss = clean + dirty;
}

/* The size of the folder from Linux 6.2 on, which all may ask for; it was 0
 * before, and entries are counted. */
static uint64_t descriptors(pid_t pid)
{
	HT_AUTO_DIR DIR *all = NULL;
	uint64_t n = 0;
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(path, &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	all = opendir(path);
	if (!all)
		return HT_UNKNOWN;
	for (const struct dirent *d = readdir(all); d; d = readdir(all))
		n += d->d_name[0] != '.';
	return n;
}

static void put_memory(const char *status, struct ht_process *ret)
{
	ret->rss = kib_line(status, "VmRSS");
	ret->swap = kib_line(status, "VmSwap");
	ret->rss_anon = kib_line(status, "RssAnon");
	ret->rss_file = kib_line(status, "RssFile");
	ret->rss_shmem = kib_line(status, "RssShmem");
	ret->locked = kib_line(status, "VmLck");
	ret->huge_pool = kib_line(status, "HugetlbPages");
}

/* The live task's counters are the process's. */
enum ht_code ht_procfs_process(struct ht_proc_texts *t, struct ht_process *ret,
			       struct ht_err *err)
{
	struct stat_fields stat;
	const char *status;

	if (!parse_stat(ht_proc_texts_of(t, HT_PROC_TASK_STAT), &stat))
		return fail_gone(t->task, err);
	ret->vsz = stat.vsize;
	ret->minflt = stat.minflt;
	ret->majflt = stat.majflt;
	ret->threads = stat.threads;
	status = ht_proc_texts_of(t, HT_PROC_TASK_STATUS);
	if (status)
		put_memory(status, ret);
	ret->descriptors = descriptors(t->task);
	return HT_OK;
}

bool ht_procfs_stopped(struct ht_proc_texts *t)
{
	const char *status = ht_proc_texts_of(t, HT_PROC_TASK_STATUS);

	return status && strstr(status, "\nState:\tT ");
}

/* --- the machine --------------------------------------------------------- */

enum machine_file {
	MEMINFO,
	LOADAVG,
	THREADS_MAX,
	PID_MAX,
	MAX_MAP_COUNT,
	CPUS_ONLINE,
	MACHINE_FILES
};

static bool read_machine(enum machine_file file, char text[TEXT_MAX])
{
	static const char *const paths[MACHINE_FILES] = {
		[MEMINFO] = "/proc/meminfo",
		[LOADAVG] = "/proc/loadavg",
		[THREADS_MAX] = "/proc/sys/kernel/threads-max",
		[PID_MAX] = "/proc/sys/kernel/pid_max",
		[MAX_MAP_COUNT] = "/proc/sys/vm/max_map_count",
		[CPUS_ONLINE] = "/sys/devices/system/cpu/online"};
	static struct ht_kept_file kept[MACHINE_FILES];

	return ht_kept_read(&kept[file], paths[file], text, TEXT_MAX);
}

/* "0-3,7\n": five. */
static uint64_t processors_online(void)
{
	char text[TEXT_MAX], *at = text;
	uint64_t n = 0;
	bool known = read_machine(CPUS_ONLINE, text);

	while (known && *at >= '0' && *at <= '9') {
		uint64_t first = strtoull(at, &at, 10), last = first;

		if (*at == '-')
			last = strtoull(at + 1, &at, 10);
		known = last >= first;
		n += last - first + 1;
		at += *at == ',';
	}
	return known && n ? n : (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
}

/* --- limits -------------------------------------------------------------- */

/* The soft limit in a line of /proc/PID/limits, which all may read: prlimit(2)
 * wants CAP_SYS_RESOURCE for another user's. No limit has no number. false:
 * there is no such line. */
static bool soft_limit(const char *text, const char *name, uint64_t *ret)
{
	const char *line = strstr(text, name);

	if (line && sscanf(line + strlen(name), "%" SCNu64, ret) != 1)
		*ret = HT_UNKNOWN;
	return line;
}

/* A file of the process, held open where its others are. */
static bool read_kept(const struct ht_proc_texts *t, const char *name,
		      struct ht_kept_file *kept, char text[TEXT_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)t->pid, name);
	return kept ? ht_kept_read(kept, path, text, TEXT_MAX)
		    : ht_proc_read_text(path, text);
}

/* CAP_IPC_LOCK of the first user namespace, whose ids are all ids: then
 * RLIMIT_MEMLOCK does not bind. */
static bool may_lock_all(struct ht_proc_texts *t)
{
	const char *status = ht_proc_texts_of(t, HT_PROC_STATUS), *line;
	uint64_t capabilities, first, outer, n;
	char ids[TEXT_MAX];

	if (!status || !(line = strstr(status, "\nCapEff:")) ||
	    sscanf(line, "\nCapEff: %" SCNx64, &capabilities) != 1 ||
	    !(capabilities >> CAP_IPC_LOCK & 1) ||
	    !read_kept(t, "uid_map", t->kept ? &t->kept->uid_map : NULL, ids) ||
	    sscanf(ids, "%" SCNu64 " %" SCNu64 " %" SCNu64, &first, &outer,
		   &n) != 3)
		return false;
	return first == outer && n == UINT32_MAX;
}

static bool read_rlimits(struct ht_proc_texts *t, uint64_t *threads,
			 struct ht_limits *ret)
{
	const struct {
		const char *line;
		uint64_t *to;
	} wanted[] = {
		{"\nMax address space", &ret->rlimit_as},
		{"\nMax data size", &ret->rlimit_data},
		{"\nMax open files", &ret->rlimit_nofile},
		{"\nMax stack size", &ret->rlimit_stack},
		{"\nMax processes", threads},
		{"\nMax locked memory", &ret->rlimit_memlock},
	};
	char text[TEXT_MAX];
	bool all =
		read_kept(t, "limits", t->kept ? &t->kept->limits : NULL, text);

	for (size_t i = 0; all && i < sizeof(wanted) / sizeof(*wanted); i++)
		all = soft_limit(text, wanted[i].line, wanted[i].to);
	if (may_lock_all(t))
		ret->rlimit_memlock = HT_UNKNOWN;
	return all;
}

static bool number_in(enum machine_file file, uint64_t *ret)
{
	char text[TEXT_MAX];

	return read_machine(file, text) && sscanf(text, "%" SCNu64, ret) == 1;
}

/* Threads of the whole machine: "0.10 0.20 0.30 2/345 6789". */
static bool all_threads(uint64_t *ret)
{
	char text[TEXT_MAX];

	return read_machine(LOADAVG, text) &&
	       sscanf(text, "%*s %*s %*s %*u/%" SCNu64, ret) == 1;
}

/* Room for threads by one limit, and its name: the nearest wins. */
static void nearest_threads(uint64_t max, uint64_t used, const char *of,
			    uint64_t *room, struct ht_limits *ret)
{
	uint64_t left = max > used ? max - used : 0;

	if (max == HT_UNKNOWN || left >= *room)
		return;
	*room = left;
	snprintf(ret->threads_max_of, sizeof(ret->threads_max_of), "%s", of);
}

/* What the machine allows to all together. The file that could not be read, or
 * NULL. */
static const char *machine_threads(uint64_t *room, struct ht_limits *ret)
{
	uint64_t all, max, pid_max;

	if (!all_threads(&all))
		return "/loadavg";
	if (!number_in(THREADS_MAX, &max))
		return "/sys/kernel/threads-max";
	if (!number_in(PID_MAX, &pid_max))
		return "/sys/kernel/pid_max";
	nearest_threads(max, all, "kernel.threads-max", room, ret);
	nearest_threads(pid_max, all, "kernel.pid_max", room, ret);
	return NULL;
}

/* RLIMIT_NPROC counts all threads of the user, of which the process's own are
 * some: what it leaves is an upper bound. It does not bind root. */
static void limit_threads(struct ht_proc_texts *t, uint64_t nproc,
			  const struct ht_cgroup_limit *pids,
			  struct ht_limits *ret,
			  struct ht_limits_unread *unread)
{
	uint64_t room = HT_UNKNOWN, uid = HT_UNKNOWN;
	const char *status = ht_proc_texts_of(t, HT_PROC_STATUS);
	char of[sizeof(ret->threads_max_of)];
	struct stat_fields stat;

	if (!parse_stat(ht_proc_texts_of(t, HT_PROC_STAT), &stat))
		return;
	snprintf(of, sizeof(of), "pids.max of cgroup %.55s", pids->path);
	nearest_threads(pids->max, pids->used, of, &room, ret);
	unread->threads = machine_threads(&room, ret);
	if (status)
		uid = effective_uid(status);
	if (uid == HT_UNKNOWN)
		unread->threads = "status";
	if (uid != 0 && unread->rlimits)
		unread->threads = "limits";
	if (uid != 0)
		nearest_threads(nproc, stat.threads, "RLIMIT_NPROC", &room,
				ret);
	if (unread->threads || unread->pids[0])
		ret->threads_max_of[0] = '\0';
	else
		ret->threads_max = stat.threads + room;
}

/* The text of its cgroup file. NULL: it has none, or why is set. */
static const char *cgroup_text(struct ht_proc_texts *t, char *why, size_t size)
{
	const char *text = ht_proc_texts_of(t, HT_PROC_CGROUP);

	if (text && strlen(text) < TEXT_MAX - 1)
		return text;
	/* a kernel that knows no control groups has no such files */
	if (access("/proc/self/cgroup", F_OK) == 0)
		snprintf(why, size, "/proc/%d/cgroup could not be read",
			 (int)t->pid);
	return NULL;
}

static void limit_memory(const char *cgroup, struct ht_mounts *mounts,
			 struct ht_limits *ret, char *why, size_t size)
{
	struct ht_cgroup_limit memory;
	enum ht_cgroup_found found = ht_cgroup_memory(cgroup, mounts, &memory);

	if (found == HT_CGROUP_UNREAD) {
		snprintf(why, size, "%s", memory.why);
	} else if (found == HT_CGROUP_LIMIT) {
		ret->cgroup_max = memory.max;
		ret->cgroup_used = memory.used;
		snprintf(ret->cgroup_path, sizeof(ret->cgroup_path), "%s",
			 memory.path);
	}
}

static void read_machine_memory(struct ht_limits *ret)
{
	char text[TEXT_MAX];

	if (!read_machine(MEMINFO, text))
		return;
	ret->mem_total = kib_line(text, "MemTotal");
	ret->mem_available = kib_line(text, "MemAvailable");
	ret->swap_free = kib_line(text, "SwapFree");
}

void ht_procfs_memory_limits(pid_t pid, struct ht_limits *ret)
{
	HT_AUTO_MOUNTS struct ht_mounts mounts = HT_MOUNTS_OWN;
	struct ht_proc_texts t;
	const char *cgroup;
	char why[8];

	ht_proc_texts_begin(&t, pid, NULL);
	read_machine_memory(ret);
	cgroup = cgroup_text(&t, why, sizeof(why));
	if (cgroup)
		limit_memory(cgroup, &mounts, ret, why, sizeof(why));
}

static void limit_by_groups(struct ht_proc_texts *t, struct ht_mounts *mounts,
			    struct ht_cgroup_limit *pids_limit,
			    struct ht_limits *ret,
			    struct ht_limits_unread *unread)
{
	const char *cgroup =
		cgroup_text(t, unread->memory, sizeof(unread->memory));
	enum ht_cgroup_found found;

	pids_limit->max = HT_UNKNOWN;
	if (!cgroup) {
		snprintf(unread->pids, sizeof(unread->pids), "%s",
			 unread->memory);
		return;
	}
	limit_memory(cgroup, mounts, ret, unread->memory,
		     sizeof(unread->memory));
	found = ht_cgroup_pids(cgroup, mounts, pids_limit);
	if (found == HT_CGROUP_UNREAD)
		snprintf(unread->pids, sizeof(unread->pids), "%s",
			 pids_limit->why);
	if (found != HT_CGROUP_LIMIT)
		pids_limit->max = HT_UNKNOWN;
}

void ht_procfs_limits(struct ht_proc_texts *t, struct ht_mounts *mounts,
		      struct ht_limits *ret, struct ht_limits_unread *unread)
{
	struct ht_cgroup_limit pids_limit = {0};
	uint64_t nproc = HT_UNKNOWN;

	*unread = (struct ht_limits_unread){0};
	read_machine_memory(ret);
	ret->cpus = processors_online();
	if (!number_in(MAX_MAP_COUNT, &ret->max_map_count))
		ret->max_map_count = HT_UNKNOWN;
	unread->rlimits = !read_rlimits(t, &nproc, ret);
	limit_by_groups(t, mounts, &pids_limit, ret, unread);
	limit_threads(t, nproc, &pids_limit, ret, unread);
}
