/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of one process, and of a database. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/checks.h"
#include "cli/show.h"
#include "cli/target.h"

/* One line "KEY:\tVALUE" of /proc/PID/status. "" when it is not there. */
static void status_value(pid_t pid, const char *key, char *out, size_t len)
{
	char path[64], line[256];
	HT_AUTO_FILE FILE *f = NULL;
	size_t key_len = strlen(key);

	*out = '\0';
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, key_len) != 0 || line[key_len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, len, "%s",
			 line + key_len + 1 +
				 strspn(line + key_len + 1, "\t "));
		return;
	}
}

static void check_tracer(pid_t pid, struct ht_checks *c)
{
	char tracer[32], name[64];
	struct ht_check *one;

	status_value(pid, "TracerPid", tracer, sizeof(tracer));
	if (!strcmp(tracer, "0")) {
		ht_check_add(c, "tracer", HT_GOOD, "none");
		return;
	}
	status_value(atoi(tracer), "Name", name, sizeof(name));
	one = ht_check_add(
		c, "tracer", HT_NOTE,
		"%s, pid %s, traces it: only the default mode, which stops nobody, goes beside it",
		name, tracer);
	ht_check_mend(one, "end it, or wait: kill %s", tracer);
}

static void check_owner(pid_t pid, struct ht_checks *c)
{
	char uids[64];
	unsigned uid;

	status_value(pid, "Uid", uids, sizeof(uids));
	uid = (unsigned)strtoul(uids, NULL, 10);
	if (geteuid() == 0 || uid == geteuid())
		ht_check_add(c, "owner", HT_GOOD, "user id %u", uid);
	else
		ht_check_mend(
			ht_check_add(
				c, "owner", HT_NOTE,
				"user id %u; you are %u: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are needed",
				uid, geteuid()),
			"sudo heaptide diagnose %d", pid);
}

/* Does the process live in another namespace than we do? */
static bool elsewhere(pid_t pid, const char *kind)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	if (stat(path, &theirs))
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return !stat(path, &ours) && theirs.st_ino != ours.st_ino;
}

static void check_container(pid_t pid, struct ht_checks *c)
{
	if (elsewhere(pid, "user"))
		ht_check_mend(
			ht_check_add(
				c, "container", HT_NOTE,
				"in another user namespace: rights are needed there"),
			"run heaptide as root on the host");
	else if (elsewhere(pid, "pid") || elsewhere(pid, "mnt"))
		ht_check_add(
			c, "container", HT_GOOD,
			"in a container: its files are read through /proc/%d/root",
			pid);
	else
		ht_check_add(c, "container", HT_GOOD, "none");
}

/* "ID=debian" of the target's own os-release. */
static void distribution(pid_t pid, char *out, size_t len)
{
	char path[64], line[256];
	HT_AUTO_FILE FILE *f = NULL;

	*out = '\0';
	snprintf(path, sizeof(path), "/proc/%d/root/etc/os-release", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "ID=", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, len, "%.*s",
			 (int)strcspn(line + 3 + (line[3] == '"'), "\""),
			 line + 3 + (line[3] == '"'));
		return;
	}
}

static const struct {
	const char *id, *command;
} debug_packages[] = {
	{"debian", "apt-get install libc6-dbg"},
	{"ubuntu", "apt-get install libc6-dbg"},
	{"fedora", "dnf debuginfo-install glibc"},
	{"rhel", "dnf debuginfo-install glibc"},
	{"centos", "dnf debuginfo-install glibc"},
	{"almalinux", "dnf debuginfo-install glibc"},
	{"rocky", "dnf debuginfo-install glibc"},
	{"amzn", "dnf debuginfo-install glibc"},
	{"opensuse-leap", "zypper install glibc-debuginfo"},
	{"sles", "zypper install glibc-debuginfo"},
};

static void check_debug_info(pid_t pid, const struct ht_libc *libc,
			     struct ht_checks *c)
{
	struct ht_check *one;
	char id[64];

	if (!strcmp(libc->layout, "dwarf")) {
		ht_check_add(c, "debug info", HT_GOOD,
			     "found for build id %s: layout by DWARF",
			     libc->build_id);
		return;
	}
	one = ht_check_add(
		c, "debug info", HT_NOTE,
		"none for build id %s: layout by table (%s), found by %s; the figures are the same",
		*libc->build_id ? libc->build_id : "(none)", libc->layout_name,
		libc->located);
	distribution(pid, id, sizeof(id));
	for (size_t i = 0; i < sizeof(debug_packages) / sizeof(*debug_packages);
	     i++) {
		if (!strcmp(debug_packages[i].id, id))
			ht_check_mend(one, "%s", debug_packages[i].command);
	}
}

/* Growth is what is left where calls cannot be seen; a warning says why. */
static void check_way(struct ht_checks *c, const struct ht_snapshot *s,
		      const char *what)
{
	if (s->windows.v->way != HT_WAY_GROWTH)
		ht_check_add(c, "who", HT_GOOD,
			     "calls of malloc by links of uprobes, %s", what);
	else
		ht_check_add(c, "who", HT_NOTE, "by %s. %s", what,
			     s->warnings.n ? s->warnings.v[0].text : "");
}

/* Which links of uprobes `heaptide who` would have here: the probe is begun,
 * and opens none before it is asked for a window. */
void ht_check_who(struct ht_cli *cli, pid_t pid, struct ht_checks *c)
{
	static const char *const since[HT_WAY_COUNT] = {
		"session (Linux 6.13): only calls of the size that is asked for pay for the return",
		"uprobe_multi (Linux 6.6): each call in a window pays for the return",
		"perf (Linux 5.15): the same, and windows take longer to close",
		"growth: who is the first to write to new pages of the heap"};
	HT_AUTO_CLIENT struct ht_client client = HT_CLIENT_NONE;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_request r =
		ht_target_request(&cli->opt, HT_WHO | HT_WHO_GROWTH_LAST);
	struct ht_err err = {0};
	enum ht_code code;

	ht_snapshot_init(&s);
	r.flags |= HT_NO_DEBUG_INFO;
	code = ht_target_start(&cli->opt, pid, &client, &err);
	if (code == HT_OK)
		code = ht_client_sample(&client, &r, &s, NULL, NULL, &err);
	if (code == HT_OK && s.windows.n == 1 &&
	    s.windows.v->way < HT_WAY_COUNT)
		check_way(c, &s, since[s.windows.v->way]);
	else
		ht_check_add(c, "who", HT_NOTE,
			     "'heaptide who' cannot look at it: %s", err.msg);
}

static void check_libc(struct ht_cli *cli, pid_t pid, struct ht_checks *c)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_check *one;
	struct ht_err err = {0};
	enum ht_code code;

	ht_snapshot_init(&s);
	code = ht_target_measure(cli, pid, 0, &s, &err);
	if (code != HT_OK) {
		one = ht_check_add(c, "measurement", HT_BAD, "%s", err.msg);
		if (code == HT_DENIED && geteuid() != 0)
			ht_check_mend(one, "sudo heaptide diagnose %d", pid);
		else
			ht_check_mend_err(one, cli, &err);
		return;
	}
	ht_check_add(c, "measurement", HT_GOOD,
		     "%zu arenas, stopped for %" PRIu64 " us", s.arenas.n,
		     s.stop.pause_us);
	one = ht_check_add(
		c, "malloc", s.arenas.n ? HT_GOOD : HT_BAD, "%s %s in %s",
		*s.libc.allocator ? s.libc.allocator : "unknown",
		s.libc.version, *s.libc.path ? s.libc.path : "(not found)");
	if (s.arenas.n) {
		check_debug_info(pid, &s.libc, c);
		ht_check_who(cli, pid, c);
	} else if (ht_show_no_heap(&s, &err) != HT_OK) {
		ht_check_mend_err(one, cli, &err);
	}
	for (size_t i = 0; i < s.warnings.n; i++)
		ht_check_add(c, "warning", HT_NOTE, "%s", s.warnings.v[i].text);
}

#define ANOTHER "name a process that runs: 'ps -e' lists them"

/* Nothing of it is in /proc. */
static void check_absent(pid_t pid, struct ht_checks *c)
{
	struct ht_check *one;

	if (kill(pid, 0) < 0 && errno == ESRCH) {
		one = ht_check_add(c, "process", HT_BAD, "there is no pid %d",
				   pid);
		ht_check_mend(one, ANOTHER);
		return;
	}
	one = ht_check_add(
		c, "process", HT_BAD,
		"pid %d is there, and /proc hides it (mounted with hidepid)",
		pid);
	ht_check_mend(one, "mount -o remount,gid=heaptide /proc, or sudo");
}

/* A leader may end, by pthread_exit() in main(), before its other threads. */
static bool has_threads(pid_t pid)
{
	char threads[16];

	status_value(pid, "Threads", threads, sizeof(threads));
	return atoi(threads) > 1;
}

void ht_check_process(struct ht_cli *cli, pid_t pid, struct ht_checks *c)
{
	char name[64], state[64], kernel[8];
	struct ht_check *one;

	status_value(pid, "Name", name, sizeof(name));
	if (!*name) {
		check_absent(pid, c);
		return;
	}
	status_value(pid, "State", state, sizeof(state));
	status_value(pid, "VmSize", kernel, sizeof(kernel));
	if (*state == 'Z' && !has_threads(pid)) {
		one = ht_check_add(
			c, "process", HT_BAD,
			"%s, pid %d, is a zombie: it has ended and its parent has not noticed",
			name, pid);
		ht_check_mend(one, ANOTHER);
		return;
	}
	if (*state == 'Z') {
		snprintf(state, sizeof(state), "its main thread has ended");
	} else if (!*kernel) {
		one = ht_check_add(
			c, "process", HT_BAD,
			"%s, pid %d, is a kernel thread: it has no heap", name,
			pid);
		ht_check_mend(one, ANOTHER);
		return;
	}
	ht_check_add(c, "process", HT_GOOD, "%s, pid %d, %s", name, pid, state);
	check_owner(pid, c);
	check_tracer(pid, c);
	check_container(pid, c);
	check_libc(cli, pid, c);
}

static int count_process(void *ctx, const struct ht_store_process *p)
{
	uint64_t *counts = ctx;

	counts[0]++;
	counts[1] += p->samples;
	return 0;
}

void ht_check_history(struct ht_cli *cli, struct ht_checks *c)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	uint64_t counts[2] = {0, 0};
	struct ht_check *one;
	struct ht_err err = {0};
	enum ht_code code = ht_history_open(&cli->opt, &store, &err);

	if (code == HT_OK)
		code = ht_store_processes(store, count_process, counts, &err);
	if (code == HT_OK && cli->opt.db)
		code = ht_store_check(store, &err);
	if (code == HT_OK) {
		ht_check_add(c, "database", HT_GOOD,
			     "%" PRIu64 " samples of %" PRIu64 " processes",
			     counts[1], counts[0]);
		return;
	}
	one = ht_check_add(c, "database", cli->opt.db ? HT_BAD : HT_NOTE, "%s",
			   err.msg);
	if (cli->opt.db)
		ht_check_mend(
			one,
			"name a database with --db FILE that 'heaptide record' or heaptided wrote");
	else
		ht_check_mend(
			one,
			"heaptide record %s -o FILE.db, or systemctl start heaptided",
			ht_options_target(&cli->opt));
}
