/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's checks. */
#include "cli/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/hint.h"
#include "cli/target.h"
#include "common/cleanup.h"
#include "common/forbidden.h"
#include "common/line.h"
#include "common/system.h"

struct ht_check *ht_check_add(struct ht_checks *c, const char *name,
			      enum ht_grade grade, const char *fmt, ...)
{
	char found[HT_CHECK_TEXT];
	struct ht_check *one;
	va_list ap;

	if (c->n == HT_CHECKS_MAX)
		return NULL;
	one = &c->v[c->n++];
	*one = (struct ht_check){.name = name, .grade = grade};
	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	/* Names are the processes' own choice. */
	ht_line_escape(found, one->found, sizeof(one->found));
	return one;
}

void ht_check_mend(struct ht_check *c, const char *fmt, ...)
{
	va_list ap;

	if (!c)
		return;
	va_start(ap, fmt);
	vsnprintf(c->mend, sizeof(c->mend), fmt, ap);
	va_end(ap);
}

void ht_check_mend_err(struct ht_check *c, const struct ht_cli *cli,
		       const struct ht_err *err)
{
	char hint[HT_HINT_TEXT];

	ht_check_mend(c, "%s",
		      ht_hint_text(err, "doctor", ht_options_target(&cli->opt),
				   hint));
}

#define BIT(capability) (UINT64_C(1) << (capability))
#define BOTH		(BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH))
#define GRANT		"setcap cap_dac_read_search,cap_sys_ptrace=p"

/* The file capabilities that the agent gets where it is installed. */
static uint64_t of_file(const char *path)
{
	struct vfs_ns_cap_data data = {0};

	if (getxattr(path, "security.capability", &data, sizeof(data)) <= 0)
		return 0;
	return data.data[0].permitted;
}

/* A set of ours, as /proc/self/status has it. */
static uint64_t of_process(const char *key)
{
	HT_AUTO_FILE FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t set = 0;
	size_t len = strlen(key);

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			sscanf(line + len + 1, "%" SCNx64, &set);
	}
	return set;
}

static void check_agent(struct ht_checks *c, char agent[4096],
			uint64_t *ret_caps)
{
	struct ht_check *one;
	struct ht_err err;

	*ret_caps = 0;
	if (ht_client_find_agent(agent, 4096, &err) != HT_OK) {
		one = ht_check_add(c, "agent", HT_BAD, "%s", err.msg);
		ht_check_mend(
			one, "%s",
			err.hint != HT_HINT_CODE
				? ht_err_hint(&err)
				: "export HEAPTIDE_AGENT=/path/to/heaptide-agent");
		*agent = '\0';
		return;
	}
	*ret_caps = of_file(agent);
	ht_check_add(c, "agent", HT_GOOD, "%s%s%s", agent,
		     *ret_caps & BIT(CAP_SYS_PTRACE) ? ", cap_sys_ptrace" : "",
		     *ret_caps & BIT(CAP_DAC_READ_SEARCH)
			     ? ", cap_dac_read_search"
			     : "");
}

static int yama_scope(void)
{
	HT_AUTO_FILE FILE *f =
		fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope;

	return f && fscanf(f, "%d", &scope) == 1 ? scope : -1;
}

/* Why the agent's file gives what it should, and its process gets less. */
static bool check_taken_away(struct ht_checks *c, uint64_t lacks)
{
	struct ht_check *one;

	if (of_process("NoNewPrivs")) {
		one = ht_check_add(
			c, "capability", HT_BAD,
			"no_new_privs is set: the agent's file capabilities do not count");
		ht_check_mend(
			one,
			"NoNewPrivileges=no in the unit; in a container allowPrivilegeEscalation: true");
		return true;
	}
	lacks &= ~of_process("CapBnd");
	if (!lacks)
		return false;
	one = ht_check_add(
		c, "capability", HT_BAD,
		"the bounding set lacks%s%s: what the agent's file gives does not count",
		lacks & BIT(CAP_SYS_PTRACE) ? " CAP_SYS_PTRACE" : "",
		lacks & BIT(CAP_DAC_READ_SEARCH) ? " CAP_DAC_READ_SEARCH" : "");
	ht_check_mend(
		one,
		"CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE in the unit; in a container add both");
	return true;
}

static void check_capabilities(struct ht_checks *c, const char *agent,
			       uint64_t agent_caps, uint64_t has)
{
	struct ht_check *one;

	if ((has & BOTH) == BOTH) {
		ht_check_add(
			c, "capability", HT_GOOD,
			"CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH: processes of all users can be measured");
		return;
	}
	if (check_taken_away(c, agent_caps & ~has & BOTH))
		return;
	one = ht_check_add(
		c, "capability", HT_NOTE, "%s",
		has & BIT(CAP_SYS_PTRACE)
			? "no CAP_DAC_READ_SEARCH: of other users' processes residency stays unknown, and none is stopped"
			: "no CAP_SYS_PTRACE: only this user's own processes can be measured");
	ht_check_mend(one, "sudo " GRANT " %s", agent);
}

static void check_rights(struct ht_checks *c, const char *agent,
			 uint64_t agent_caps)
{
	uint64_t has = of_process("CapEff");
	int scope = yama_scope();
	struct ht_check *one;
	bool capable;

	if (!of_process("NoNewPrivs"))
		has |= agent_caps & of_process("CapBnd");
	capable = has & BIT(CAP_SYS_PTRACE);
	check_capabilities(c, agent, agent_caps, has);
	if (scope <= 0)
		ht_check_add(c, "Yama", HT_GOOD, "%s",
			     scope < 0 ? "not in this kernel"
				       : "ptrace_scope 0: no restriction");
	else if (scope == 3) {
		one = ht_check_add(
			c, "Yama", HT_BAD,
			"ptrace_scope 3: nobody may trace until the next boot");
		ht_check_mend(
			one,
			"set kernel.yama.ptrace_scope=1 in /etc/sysctl.d and reboot");
	} else {
		one = ht_check_add(
			c, "Yama", capable ? HT_GOOD : HT_BAD,
			"ptrace_scope %d: only %s", scope,
			scope == 1 ? "a parent, or who has CAP_SYS_PTRACE"
				   : "who has CAP_SYS_PTRACE");
		if (!capable)
			ht_check_mend(
				one,
				"sudo heaptide ..., or sudo sysctl kernel.yama.ptrace_scope=0");
	}
}

/* PAGEMAP_SCAN (Linux 6.7): one range of one page; the kernel knows the request
 * or answers ENOTTY. */
static bool has_pagemap_scan(void)
{
	uint64_t arg[12] = {sizeof(arg)};
	HT_AUTO_FD int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	arg[2] = arg[3] = (uint64_t)(uintptr_t)arg & ~UINT64_C(4095);
	return fd >= 0 && (ioctl(fd, _IOWR('f', 16, uint64_t[12]), arg) >= 0 ||
			   errno != ENOTTY);
}

/* What a container's seccomp profile, or a unit's, takes from us. */
static void check_filter(struct ht_checks *c)
{
	unsigned forbidden = ht_forbidden_find();
	char names[128], quoted[128];
	struct ht_check *one;

	if (forbidden == 0)
		return;
	one = ht_check_add(
		c, "filter", HT_NOTE,
		"a seccomp filter that heaptide was started under (a container's, a unit's) forbids %s: %s",
		ht_forbidden_text(forbidden, ", ", " and ", names,
				  sizeof(names)),
		forbidden & 1u << HT_FORBIDDEN_PTRACE
			? "no thread can be stopped (modes but the default, owners, leaks, trim)"
		: forbidden & 1u << HT_FORBIDDEN_PROCESS_VM_READV
			? "memory is read more slowly"
			: "calls of malloc or page faults cannot be seen ('heaptide who')");
	ht_check_mend(
		one,
		"{\"names\": [\"%s\"], \"action\": \"SCMP_ACT_ALLOW\"} among the syscalls of the profile; of a unit: SystemCallFilter=%s",
		ht_forbidden_text(forbidden, "\", \"", "\", \"", quoted,
				  sizeof(quoted)),
		ht_forbidden_text(forbidden, " ", " ", names, sizeof(names)));
}

static void check_kernel(struct ht_checks *c)
{
	HT_AUTO_FD int self = ht_pidfd_open(getpid());
	struct utsname name;

	uname(&name);
	ht_check_add(c, "kernel", HT_GOOD, "Linux %s, %s", name.release,
		     name.machine);
	if (self < 0)
		ht_check_add(c, "pidfd", HT_BAD,
			     "pidfd_open is missing: Linux 5.3 is needed");
	else
		ht_check_add(c, "pidfd", HT_GOOD, "there");
	if (has_pagemap_scan())
		ht_check_add(c, "PAGEMAP_SCAN", HT_GOOD, "there");
	else
		ht_check_add(
			c, "PAGEMAP_SCAN", HT_NOTE,
			"missing (Linux 6.7): residency is read page by page, four times slower");
}

/* A child that waits for its own end. */
static pid_t waiting_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_PTRACER, (unsigned long)getppid(), 0, 0, 0);
		pause();
		_exit(0);
	}
	return pid;
}

/* The proof of all the rest: stop, read and walk a process that is ours. */
static void check_measurement(struct ht_cli *cli, bool who, struct ht_checks *c)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_check *one;
	pid_t pid = waiting_child();
	struct ht_err err = {0};
	enum ht_code code;

	ht_snapshot_init(&s);
	if (pid < 0)
		return;
	code = ht_target_measure(cli, pid, 0, &s, &err);
	if (code == HT_OK)
		ht_check_add(
			c, "measurement", HT_GOOD,
			"a child of ours was measured, stopped for %" PRIu64
			" us",
			s.stop.pause_us);
	if (code == HT_OK && who)
		ht_check_who(cli, pid, c);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (code == HT_OK)
		return;
	one = ht_check_add(c, "measurement", HT_BAD, "%s", err.msg);
	ht_check_mend_err(one, cli, &err);
}

void ht_check_machine(struct ht_cli *cli, bool who, struct ht_checks *c)
{
	char agent[4096];
	uint64_t agent_caps;

	check_agent(c, agent, &agent_caps);
	check_rights(c, agent, agent_caps);
	check_kernel(c);
	check_filter(c);
	if (*agent)
		check_measurement(cli, who, c);
}
