/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/arch/arch.h"
#include "common/system.h"

/* Allowed with any argument. */
static const int calls[] = {
	/* the target's memory and what /proc says */
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(stat), /* as glibc before 2.33 calls it */
	SCMP_SYS(lstat),
	SCMP_SYS(statx),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(ioctl),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	/* the target's threads */
	SCMP_SYS(waitid),
	SCMP_SYS(wait4),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(kill),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_getattr),
	SCMP_SYS(getpriority),
	SCMP_SYS(setpriority),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_send_signal),
	/* the parent */
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), /* descriptors for the layout role */
	SCMP_SYS(poll),
	/* ourselves */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(sched_yield),
	SCMP_SYS(setitimer),
	SCMP_SYS(timer_settime), /* the dead man's switch */
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(prlimit64),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(capget),
	SCMP_SYS(capset),
	SCMP_SYS(seccomp), /* ht_sandbox_close: a filter can only take away */
	SCMP_SYS(pipe2),   /* libunwind's first use: its probe of own memory */
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(membarrier),
};

/* Requests of ptrace that hold, look and let go; what snapshot mode adds is the
 * copy's birth: registers, and the events of its forks. */
static const int ptrace_requests[] = {
	PTRACE_SEIZE,	   PTRACE_INTERRUPT,	PTRACE_DETACH,
	PTRACE_LISTEN,	   HT_PTRACE_REGISTERS, PTRACE_GETSIGINFO,
	PTRACE_PEEKDATA,   PTRACE_PEEKTEXT,	PTRACE_SETOPTIONS,
	PTRACE_CONT,	   PTRACE_GETEVENTMSG,	PTRACE_GETSIGMASK,
	PTRACE_SETSIGMASK, PTRACE_GETREGSET,	PTRACE_SETREGSET,
	PTRACE_KILL,
};

/* prctl: capability bounding set and the flags that only take away. */
static const int prctls[] = {
	PR_CAPBSET_READ,     PR_CAPBSET_DROP,	  PR_CAP_AMBIENT,
	PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_SECUREBITS,
	PR_SET_SECUREBITS,   PR_SET_VMA,	  PR_SET_PDEATHSIG};

static int allow_values(scmp_filter_ctx f, int nr, const int *values, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(
			f, SCMP_ACT_ALLOW, nr, 1,
			SCMP_A0(SCMP_CMP_EQ, (uint64_t)values[i], 0));
	return r;
}

/* Files for reading only; memory that is never executable. */
static int allow_masked(scmp_filter_ctx f)
{
	int r = seccomp_rule_add(
		f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_WRONLY | O_RDWR | O_CREAT, 0));

	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ,
					     O_WRONLY | O_RDWR | O_CREAT, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Usage and reports to a person: standard error. */
	if (r == 0)
		r = seccomp_rule_add(
			f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
			SCMP_A0(SCMP_CMP_LE, STDERR_FILENO + 1, 0));
	return r;
}

static int fill(scmp_filter_ctx f)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls) && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = allow_values(f, SCMP_SYS(ptrace), ptrace_requests,
				 sizeof(ptrace_requests) / sizeof(int));
	if (r == 0)
		r = allow_values(f, SCMP_SYS(prctl), prctls,
				 sizeof(prctls) / sizeof(int));
	return r == 0 ? allow_masked(f) : r;
}

/* A 32-bit call of ours (get_robust_list for 32-bit targets) comes through a
 * gate of its own, which gets this one call. */
static int add_second(scmp_filter_ctx f)
{
	scmp_filter_ctx g = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = g ? seccomp_arch_remove(g, SCMP_ARCH_NATIVE) : -ENOMEM;

	if (r == 0)
		r = seccomp_arch_add(g, HT_SECCOMP_SECOND);
	if (r == 0)
		r = seccomp_rule_add(g, SCMP_ACT_ALLOW,
				     SCMP_SYS(get_robust_list), 0);
	if (r == 0)
		r = seccomp_merge(f, g); /* takes g */
	else
		seccomp_release(g);
	return r;
}

#ifdef HT_ASAN
/* The sanitizer's own calls are many: such builds are for tests only. */
enum ht_code ht_sandbox_enter(struct ht_err *err)
{
	(void)err;
	(void)fill;
	(void)add_second;
	return HT_OK;
}

enum ht_code ht_sandbox_close(struct ht_err *err)
{
	(void)err;
	return HT_OK;
}
#else
enum ht_code ht_sandbox_enter(struct ht_err *err)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = f ? fill(f) : -ENOMEM;

	if (r == 0)
		r = add_second(f);
	if (r == 0) /* the helper's thread too */
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	if (r < 0)
		return ht_fail_sys(err, HT_SYS, -r, "seccomp filter");
	return HT_OK;
}

#define LOAD_MEMBER(name)                                                      \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(what)	    BPF_STMT(BPF_RET | BPF_K, what)
#define REFUSE		    RETURN(SECCOMP_RET_ERRNO | EACCES)

/* Laid over the first filter, which knows the architecture. By hand, for it is
 * laid while a target stands still. */
enum ht_code ht_sandbox_close(struct ht_err *err)
{
	struct sock_filter filter[] = {
		LOAD_MEMBER(nr),
		IF_NOT(SYS_openat, 1),
		REFUSE,
#ifdef SYS_open /* where there still is one */
		IF_NOT(SYS_open, 1),
		REFUSE,
#endif
		IF_NOT(SYS_ptrace, 3),
		LOAD_MEMBER(args[0]),
		IF_NOT(PTRACE_SEIZE, 1),
		REFUSE,
		RETURN(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter), .filter = filter};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		return ht_fail_sys(err, HT_SYS, errno, "seccomp filter");
	return HT_OK;
}
#endif
