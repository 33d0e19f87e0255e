/* SPDX-License-Identifier: Apache-2.0 */
#include "common/forbidden.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

const char *const ht_forbidden_names[HT_FORBIDDEN_COUNT] = {
	[HT_FORBIDDEN_PERF_EVENT_OPEN] = "perf_event_open",
	[HT_FORBIDDEN_BPF] = "bpf",
	[HT_FORBIDDEN_PTRACE] = "ptrace",
	[HT_FORBIDDEN_PROCESS_VM_READV] = "process_vm_readv",
};

#define BIT_BPF	    39 /* the number of CAP_BPF, which older headers lack */
#define MAY_BPF	    (UINT64_C(1) << BIT_BPF | UINT64_C(1) << CAP_SYS_ADMIN)
#define NO_REQUEST  0x7fffffff
#define NO_SIZE	    (1u << 30) /* of an argument of bpf(2) */
#define NO_FLAG	    (~0ul)
#define STATUS_LINE 256

struct status {
	bool filtered;
	bool may_bpf;
};

static struct status read_status(void)
{
	HT_AUTO_FILE FILE *f = fopen("/proc/self/status", "re");
	char line[STATUS_LINE];
	struct status ret = {0};

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Seccomp:", 8) == 0)
			ret.filtered = strtol(line + 8, NULL, 10) == 2;
		if (strncmp(line, "CapEff:", 7) == 0)
			ret.may_bpf = strtoull(line + 7, NULL, 16) & MAY_BPF;
	}
	return ret;
}

/* What the kernel says to a call that cannot be meant: what it looks at first.
 */
static int number_of(enum ht_forbidden call)
{
	static const long none;

	errno = 0;
	switch (call) {
	case HT_FORBIDDEN_PERF_EVENT_OPEN:
		syscall(SYS_perf_event_open, NULL, 0, -1, -1, NO_FLAG);
		break;
	case HT_FORBIDDEN_BPF:
		syscall(SYS_bpf, NO_REQUEST, NULL, NO_SIZE);
		break;
	case HT_FORBIDDEN_PTRACE:
		syscall(SYS_ptrace, NO_REQUEST, 0, NULL, NULL);
		break;
	case HT_FORBIDDEN_PROCESS_VM_READV:
		syscall(SYS_process_vm_readv, getpid(), &none, 0, &none, 0,
			NO_FLAG);
		break;
	case HT_FORBIDDEN_COUNT:
		break;
	}
	return errno;
}

/* Before Linux 5.16 bpf(2) refuses whoever has no right to it first of all. */
static bool is_refused(enum ht_forbidden call, const struct status *s)
{
	int number = number_of(call);

	if (number == EPERM && call == HT_FORBIDDEN_BPF)
		return s->may_bpf;
	return number == EPERM || number == EACCES || number == ENOSYS;
}

static bool is_forbidden(enum ht_forbidden call, const struct status *s)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core, if it dies */
		_exit(is_refused(call, s));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

unsigned ht_forbidden_find(void)
{
	struct status s = read_status();
	unsigned ret = 0;

	for (unsigned i = 0; s.filtered && i < HT_FORBIDDEN_COUNT; i++)
		if (is_forbidden((enum ht_forbidden)i, &s))
			ret |= 1u << i;
	return ret;
}

char *ht_forbidden_text(unsigned forbidden, const char *between,
			const char *before_last, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	for (unsigned i = 0; i < HT_FORBIDDEN_COUNT; i++) {
		bool last = forbidden >> i == 1;

		if (!(forbidden >> i & 1) || n >= size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s",
				      n == 0 ? ""
				      : last ? before_last
					     : between,
				      ht_forbidden_names[i]);
	}
	return out;
}
