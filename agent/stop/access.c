/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/access.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/memory/live_task.h"
#include "agent/stop/frozen.h"
#include "common/cleanup.h"

#define KERNEL_THREAD 0x00200000ul /* PF_KTHREAD in /proc/PID/stat's flags */

/* What /proc/PID/status and stat say about who it is. */
struct identity {
	char comm[64];
	char state;
	pid_t tracer;
	unsigned uid;
	uint64_t cap_permitted, cap_effective;
	unsigned long flags;
	bool filtered; /* by seccomp */
	long threads;  /* the leader counts, ended or not */
};

/* The number after "Key:\t"; 0 when there is none. */
static uint64_t field(const char *status, const char *key, int base)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

static bool identify_by(struct ht_proc_texts *t, struct identity *ret)
{
	const char *text = ht_proc_texts_of(t, HT_PROC_STATUS), *paren;

	*ret = (struct identity){0};
	if (!text)
		return false;
	ret->tracer = (pid_t)field(text, "\nTracerPid:", 10);
	ret->uid = (unsigned)field(text, "\nUid:", 10);
	ret->cap_permitted = field(text, "\nCapPrm:", 16);
	ret->cap_effective = field(text, "\nCapEff:", 16);
	ret->filtered = field(text, "\nSeccomp:", 10) == 2;
	if (sscanf(text, "Name:\t%63[^\n]", ret->comm) != 1)
		ret->comm[0] = '\0';
	text = ht_proc_texts_of(t, HT_PROC_STAT);
	paren = text ? strrchr(text, ')') : NULL;
	return paren &&
	       sscanf(paren + 1,
		      " %c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
		      &ret->state, &ret->flags, &ret->threads) == 3;
}

static bool identify(pid_t pid, struct identity *ret)
{
	struct ht_proc_texts t;

	ht_proc_texts_begin(&t, pid, NULL);
	return identify_by(&t, ret);
}

/* What /proc keeps from all but a tracer is not kept from us: where an open is
 * refused all the same, it is by the file's owner and mode. */
static bool may_look(pid_t pid)
{
	char path[48], to[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)ht_live_task(pid));
	return readlink(path, to, sizeof(to)) >= 0;
}

static enum ht_code traced(pid_t pid, const struct identity *who,
			   struct ht_err *err)
{
	struct identity tracer;

	if (!identify(who->tracer, &tracer))
		snprintf(tracer.comm, sizeof(tracer.comm),
			 "outside this container");
	return ht_fail(err, HT_TRACED,
		       "process %d (%s) is traced by process %d (%s)", (int)pid,
		       who->comm, (int)who->tracer, tracer.comm);
}

/* It can be sent signals, or would if we were allowed to, and is not in /proc.
 */
static bool is_hidden(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

enum ht_code ht_access_check_by(struct ht_proc_texts *t, struct ht_err *err)
{
	const pid_t pid = t->pid;
	struct identity who;
	bool known = pid > 0 && identify_by(t, &who);

	if (pid > 0 && !known && is_hidden(pid))
		return ht_fail(
			err, HT_DENIED,
			"process %d is there, and /proc hides it from user %u (hidepid): CAP_SYS_PTRACE, or the group of its mount option gid=, sees it",
			(int)pid, (unsigned)geteuid());
	if (!known)
		return ht_fail(err, HT_GONE, "no process has the id %d",
			       (int)pid);
	/* main() may end by pthread_exit() while other threads go on. */
	if ((who.state == 'Z' || who.state == 'X') && who.threads < 2)
		return ht_fail(
			err, HT_GONE,
			"process %d (%s) is a zombie: it ended, its memory is gone, its parent has not waited for it",
			(int)pid, who.comm);
	if (who.flags & KERNEL_THREAD)
		return ht_fail(
			err, HT_UNSUPPORTED,
			"process %d (%s) is a kernel thread: it has no memory of its own",
			(int)pid, who.comm);
	return HT_OK;
}

enum ht_code ht_access_check(pid_t pid, struct ht_err *err)
{
	struct ht_proc_texts t;

	ht_proc_texts_begin(&t, pid, NULL);
	return ht_access_check_by(&t, err);
}

enum ht_code ht_access_check_stop(pid_t pid, struct ht_err *err)
{
	struct identity who;
	enum ht_code code = ht_access_check(pid, err);

	if (code == HT_OK && identify(pid, &who) && who.tracer != 0)
		code = traced(pid, &who, err);
	return code == HT_OK ? ht_frozen_check_stop(pid, err) : code;
}

static long yama_scope(void)
{
	HT_AUTO_FILE FILE *f =
		fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	long scope = 0;

	if (f && fscanf(f, "%ld", &scope) != 1)
		scope = 0;
	return scope;
}

/* The link names a user namespace, "user:[4026531837]": equal for both? */
static bool other_user_namespace(pid_t pid)
{
	char path[48], theirs[64] = "", ours[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (readlink(path, theirs, sizeof(theirs) - 1) < 0 ||
	    readlink("/proc/self/ns/user", ours, sizeof(ours) - 1) < 0)
		return false;
	return strcmp(theirs, ours) != 0;
}

/* Not the machine's first: its map is not one of all user ids. Then the
 * process's own cannot be asked for, and our capabilities end at ours. */
static bool in_user_namespace(void)
{
	unsigned long inside, outside, count = 0;
	HT_AUTO_FILE FILE *f = fopen("/proc/self/uid_map", "re");

	return f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
	       count < UINT32_MAX;
}

/* The first reason that applies, in the order in which the kernel asks. */
static const char *reason(pid_t tid, const struct identity *who,
			  const struct identity *me, char *buf, size_t size)
{
	bool capable = me->cap_effective >> CAP_SYS_PTRACE & 1;

	if (yama_scope() == 3)
		return "kernel.yama.ptrace_scope is 3, which forbids tracing to all";
	if (capable && other_user_namespace(tid))
		return "it lives in another user namespace (a container), for which our CAP_SYS_PTRACE does not count";
	if (capable && in_user_namespace())
		return "heaptide lives in a user namespace (a container): its capabilities count for the processes of that one";
	if (capable && me->filtered)
		return "a seccomp filter over heaptide (its container's, its unit's), or a security module, forbids it";
	if (capable)
		return "a security module (SELinux, AppArmor) forbids it";
	if (who->uid != geteuid()) {
		snprintf(
			buf, size,
			"it belongs to user %u, we run as user %u without CAP_SYS_PTRACE",
			who->uid, (unsigned)geteuid());
		return buf;
	}
	if (yama_scope() > 0) {
		snprintf(
			buf, size,
			"kernel.yama.ptrace_scope is %ld and we lack CAP_SYS_PTRACE",
			yama_scope());
		return buf;
	}
	if (who->cap_permitted & ~me->cap_permitted)
		return "it holds capabilities that we do not";
	return "it is marked as not dumpable (set-uid, by prctl, or its executable may not be read), and we lack CAP_SYS_PTRACE";
}

enum ht_code ht_access_explain(pid_t tid, int os_errno, struct ht_err *err)
{
	struct identity who, me;
	char buf[160];

	if (os_errno == ESRCH || os_errno == ENOENT || !identify(tid, &who) ||
	    !identify(getpid(), &me))
		return ht_fail(err, HT_GONE, "process %d ended", (int)tid);
	if (os_errno != EPERM && os_errno != EACCES)
		return ht_fail_sys(err, HT_SYS, os_errno,
				   "trace thread %d (%s)", (int)tid, who.comm);
	if (who.tracer != 0 && who.tracer != getpid())
		return traced(tid, &who, err);
	return ht_fail(err, HT_DENIED, "may not trace process %d (%s): %s",
		       (int)tid, who.comm,
		       reason(tid, &who, &me, buf, sizeof(buf)));
}

static void why_by_mode(const char *path, char *buf, size_t size)
{
	struct stat st = {0};

	if (stat(path, &st) == 0)
		snprintf(
			buf, size,
			"%s may be read by user %u alone (mode %04o), and we are user %u without CAP_DAC_READ_SEARCH (heaptide doctor says how to grant it)",
			path, (unsigned)st.st_uid, st.st_mode & 07777,
			(unsigned)geteuid());
	else
		snprintf(
			buf, size,
			"%s may be read by its owner alone, and we lack CAP_DAC_READ_SEARCH",
			path);
}

void ht_access_why_file(pid_t pid, const char *name, int os_errno, char *buf,
			size_t size)
{
	struct identity who, me;
	char path[64], text[160];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (!identify(pid, &who) || !identify(getpid(), &me))
		snprintf(buf, size, "process %d ended", (int)pid);
	else if (os_errno == ENOENT)
		snprintf(buf, size,
			 "this kernel has no %s (CONFIG_PROC_PAGE_MONITOR)",
			 path);
	else if (os_errno != EACCES && os_errno != EPERM)
		snprintf(buf, size, "%s: %s", path, strerror(os_errno));
	else if (may_look(pid))
		why_by_mode(path, buf, size);
	else
		snprintf(buf, size, "may not look at process %d (%s): %s",
			 (int)pid, who.comm,
			 reason(pid, &who, &me, text, sizeof(text)));
}

enum ht_code ht_access_check_naps(pid_t pid, struct ht_err *err)
{
	HT_AUTO_FD int fd = -1;
	char path[48], why[200];
	int number;

	/* A leader that ended is root's, whoever it was. */
	snprintf(path, sizeof(path), "/proc/%d/syscall",
		 (int)ht_live_task(pid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	number = errno;
	/* Whoever may not look is told so by PTRACE_SEIZE, and better. */
	if (fd >= 0 || (number != EACCES && number != EPERM) || !may_look(pid))
		return HT_OK;
	ht_access_why_file(pid, "syscall", number, why, sizeof(why));
	return ht_fail(
		err, HT_DENIED,
		"which threads sleep cannot be told, and their system calls might notice a stop: %s",
		why);
}
