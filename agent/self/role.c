/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/role.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/passing.h"
#include "common/system.h"

/* --- the parent's end ---------------------------------------------------- */

/* In the child, between fork and exec: only async-signal-safe calls. */
static void become_role(const char *exe, const char *argument, int socket)
{
	static char name[] = "heaptide-agent";
	char role[64];
	char *const argv[] = {name, role, NULL};
	char *const envp[] = {NULL};
	sigset_t none;

	strncpy(role, argument, sizeof(role) - 1);
	role[sizeof(role) - 1] = '\0';
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* No file capability is gained by the exec. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ht_keep_as_last(socket, HT_ROLE_SOCKET);
	execve(exe, argv, envp);
	_exit(127);
}

enum ht_code ht_role_start(const char *exe, const char *argument,
			   pid_t *ret_pid, int *ret_socket, struct ht_err *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return ht_fail_sys(err, HT_SYS, errno, "%s: socket", argument);
	pid = fork();
	if (pid == 0)
		become_role(exe, argument, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		int number = errno;

		close(pair[0]);
		return ht_fail_sys(err, HT_SYS, number, "%s: fork", argument);
	}
	*ret_pid = pid;
	*ret_socket = pair[0];
	return HT_OK;
}

bool ht_role_send(int socket, const void *message, size_t size, const int *fds,
		  unsigned n)
{
	return n > 0 && n <= HT_ROLE_FDS &&
	       ht_pass_send(socket, message, size, fds, n);
}

/* --- the role's end ------------------------------------------------------ */

bool ht_role_receive(int socket, void *message, size_t size,
		     int fds[HT_ROLE_FDS])
{
	size_t n;

	for (unsigned i = 0; i < HT_ROLE_FDS; i++)
		fds[i] = -1;
	return ht_pass_receive(socket, 0, message, size, fds, HT_ROLE_FDS,
			       &n) &&
	       n > 0;
}

static void set_limit(int which, rlim_t value)
{
	const struct rlimit l = {value, value};

	setrlimit((__rlimit_resource_t)which, &l);
}

/* What parsing needs and nothing more: no open, no exec, no process. */
static const int parsing[] = {
	SCMP_SYS(read),	      SCMP_SYS(pread64),      SCMP_SYS(readv),
	SCMP_SYS(lseek),      SCMP_SYS(fstat),	      SCMP_SYS(newfstatat),
	SCMP_SYS(close),      SCMP_SYS(mmap),	      SCMP_SYS(munmap),
	SCMP_SYS(mremap),     SCMP_SYS(mprotect),     SCMP_SYS(madvise),
	SCMP_SYS(brk),	      SCMP_SYS(recvmsg),      SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),    SCMP_SYS(rt_sigreturn), SCMP_SYS(futex),
	SCMP_SYS(getpid),     SCMP_SYS(gettid),	      SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(fcntl),	      SCMP_SYS(getrandom),
	SCMP_SYS(sysinfo), /* qsort() asks how much memory there is */
};

/* What a child for a request takes, and its own locking up. */
static const int forking[] = {
	SCMP_SYS(clone),	  SCMP_SYS(set_robust_list),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(wait4),
	SCMP_SYS(prctl),	  SCMP_SYS(prlimit64),
	SCMP_SYS(setrlimit),	  SCMP_SYS(seccomp),
	SCMP_SYS(capget),	  SCMP_SYS(capset),
	SCMP_SYS(getppid),
};

/* What a parser tries and can do without: other files that a file names. */
static const int in_vain[] = {
	SCMP_SYS(open),	      SCMP_SYS(openat), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(stat),
	SCMP_SYS(lstat),
};

static int rule(scmp_filter_ctx c, uint32_t action, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = seccomp_rule_add(c, action, calls[i], 0);
	return r;
}

static bool install_filter(bool forks)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool ok = c && rule(c, SCMP_ACT_ALLOW, parsing,
			    sizeof(parsing) / sizeof(int)) == 0;

	ok = ok && rule(c, SCMP_ACT_ERRNO(EACCES), in_vain,
			sizeof(in_vain) / sizeof(int)) == 0;
	if (ok && forks)
		ok = rule(c, SCMP_ACT_ALLOW, forking,
			  sizeof(forking) / sizeof(int)) == 0;
	ok = ok && seccomp_load(c) == 0;
	if (c)
		seccomp_release(c);
	return ok;
}

bool ht_role_lock_up(const struct ht_role_bounds *b)
{
	set_limit(RLIMIT_CORE, 0);
	if (b->processor_s)
		set_limit(RLIMIT_CPU, b->processor_s);
	capng_clear(CAPNG_SELECT_BOTH);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return false;
#ifdef HT_ASAN /* ASan reserves terabytes and reads /proc when it reports */
	return true;
#else
	set_limit(RLIMIT_AS, b->memory);
	set_limit(RLIMIT_DATA, b->unpacked);
	return install_filter(b->forks);
#endif
}
