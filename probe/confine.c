/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/self/guard.h"
#include "link/probe.h"

#define FIRST_SURPLUS_FD 4 /* behind the parent's socket */

/* Numbers that libcap-ng's headers of Linux before 5.8 lack. */
#define PERFMON 38
#define BPF	39
#define ADMIN	CAP_SYS_ADMIN
#define PTRACE	CAP_SYS_PTRACE
#define KEPT	4

#define RT_PRIORITY 50
#define RT_BURST_US 2000000

static void set_limit(int which, rlim_t value)
{
	const struct rlimit l = {value, value};

	setrlimit((__rlimit_resource_t)which, &l);
}

/* What is permitted of them; where they are missing the kernel says so when it
 * is asked. */
static int keep_some(void)
{
	static const unsigned kept[KEPT] = {PERFMON, BPF, ADMIN, PTRACE};
	bool has[KEPT];

	if (capng_get_caps_process() < 0)
		return -1;
	for (int i = 0; i < KEPT; i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (int i = 0; i < KEPT; i++)
		if (has[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				     kept[i]);
	return capng_apply(CAPNG_SELECT_CAPS);
}

static int fill(scmp_filter_ctx f)
{
	static const unsigned long of_events[] = {PERF_EVENT_IOC_ENABLE,
						  PERF_EVENT_IOC_DISABLE,
						  PERF_EVENT_IOC_PERIOD};
	static const int calls[] = {
		SCMP_SYS(bpf),
		SCMP_SYS(recvmsg),
		SCMP_SYS(read),
		SCMP_SYS(sendto),
		SCMP_SYS(close),
		SCMP_SYS(munmap),
		SCMP_SYS(brk),
		SCMP_SYS(nanosleep),
		SCMP_SYS(clock_nanosleep),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(sched_setscheduler),
		SCMP_SYS(futex),
		SCMP_SYS(restart_syscall),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(exit),
		SCMP_SYS(exit_group),
		SCMP_SYS(getpid),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(capset),
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; i < 3 && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, of_events[i]));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r
		       ?: seccomp_rule_add(
				  f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
				  SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0));
}

enum ht_code ht_confine(struct ht_err *err)
{
	enum ht_code code = ht_guard_arrive(FIRST_SURPLUS_FD, err);
	scmp_filter_ctx f;
	int r;

	if (code != HT_OK)
		return code;
	/* Opening and closing come first (window.c), where that may be had. */
	set_limit(RLIMIT_RTPRIO, RT_PRIORITY);
	set_limit(RLIMIT_RTTIME, RT_BURST_US);
	if (keep_some() < 0)
		return ht_fail_sys(err, HT_SYS, errno, "set capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ht_fail_sys(err, HT_SYS, errno, "no_new_privs");
	f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	r = f ? fill(f) : -ENOMEM;
#ifndef HT_ASAN /* the sanitizer's own calls are many */
	if (r == 0)
		r = seccomp_load(f);
#endif
	seccomp_release(f);
	return r < 0 ? ht_fail_sys(err, HT_SYS, -r, "seccomp filter") : HT_OK;
}

/* By the call itself: libcap-ng makes others, too, that the filter kills for.
 */
enum ht_code ht_confine_settle(uint32_t way, struct ht_err *err)
{
	static const unsigned wanted[][3] = {
		[HT_PROBE_SESSION] = {PERFMON, BPF, BPF},
		[HT_PROBE_MULTI] = {PERFMON, BPF, BPF},
		[HT_PROBE_PERF] = {PERFMON, BPF, ADMIN},
		[HT_PROBE_GROWTH] = {PERFMON, PTRACE, PTRACE},
	};
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2] = {0};

	for (int i = 0; i < 3; i++) {
		unsigned cap = wanted[way][i];

		if (capng_have_capability(CAPNG_PERMITTED, cap))
			caps[cap / 32].permitted |= CAP_TO_MASK(cap);
	}
	for (int i = 0; i < 2; i++)
		caps[i].effective = caps[i].permitted;
	return syscall(SYS_capset, &head, caps) == 0
		       ? HT_OK
		       : ht_fail_sys(err, HT_SYS, errno, "drop a capability");
}
