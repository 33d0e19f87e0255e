/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the layout role: it answers requests until its socket ends. */
#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/libc/layout_role.h"
#include "agent/libc/layout_role_int.h"
#include "common/cleanup.h"

/* Files are mapped, and large ones are; what is unpacked from them is not:
 * the largest debug file of a libc unpacks to some 60 MiB. */
#define MEMORY_MAX   (UINT64_C(1) << 30)
#define UNPACKED_MAX (UINT64_C(256) << 20)
#define PROCESSOR_S  10

static void set_limit(int which, rlim_t value)
{
	const struct rlimit l = {value, value};

	setrlimit((__rlimit_resource_t)which, &l);
}

/* What parsing needs and nothing more: no open, no exec, no process. */
static bool install_filter(void)
{
	static const int allowed[] = {
		SCMP_SYS(read),		SCMP_SYS(pread64),
		SCMP_SYS(readv),	SCMP_SYS(lseek),
		SCMP_SYS(fstat),	SCMP_SYS(newfstatat),
		SCMP_SYS(close),	SCMP_SYS(mmap),
		SCMP_SYS(munmap),	SCMP_SYS(mremap),
		SCMP_SYS(mprotect),	SCMP_SYS(madvise),
		SCMP_SYS(brk),		SCMP_SYS(recvmsg),
		SCMP_SYS(sendto),	SCMP_SYS(sendmsg),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(futex),
		SCMP_SYS(getpid),	SCMP_SYS(gettid),
		SCMP_SYS(exit),		SCMP_SYS(exit_group),
		SCMP_SYS(fcntl),	SCMP_SYS(getrandom),
	};
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool ok = c != NULL;

	for (size_t i = 0; ok && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ok = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	ok = ok && seccomp_load(c) == 0;
	if (c)
		seccomp_release(c);
	return ok;
}

static bool lock_up(void)
{
	set_limit(RLIMIT_CORE, 0);
	set_limit(RLIMIT_CPU, PROCESSOR_S);
	capng_clear(CAPNG_SELECT_BOTH);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return false;
#ifdef HT_ASAN /* ASan reserves terabytes and reads /proc when it reports */
	return true;
#else
	set_limit(RLIMIT_AS, MEMORY_MAX);
	set_limit(RLIMIT_DATA, UNPACKED_MAX);
	return install_filter();
#endif
}

/* Takes a request and its descriptors (-1 where none came). False: the end. */
static bool receive(int socket, struct ht_role_request *q, int fds[2])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec io = {q, sizeof(*q)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;

	fds[0] = fds[1] = -1;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n == (ssize_t)sizeof(*q) ? CMSG_FIRSTHDR(&m) : NULL;
	if (!c || c->cmsg_type != SCM_RIGHTS || q->fds < 1 || q->fds > 2 ||
	    c->cmsg_len != CMSG_LEN(q->fds * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(c), q->fds * sizeof(int));
	return true;
}

int ht_layout_role_main(void)
{
	HT_AUTO_FREE struct ht_role_answer *a = calloc(1, sizeof(*a));
	struct ht_role_request q = {0};
	int fds[2];

	if (!a || !lock_up())
		return 1;
	while (receive(HT_ROLE_SOCKET, &q, fds)) {
		memset(a, 0, sizeof(*a));
		a->code = ht_facts_read(fds[0], fds[1], q.want, &a->facts,
					&a->err);
		close(fds[0]);
		if (fds[1] >= 0)
			close(fds[1]);
		if (send(HT_ROLE_SOCKET, a, sizeof(*a), MSG_NOSIGNAL) < 0)
			return 1;
	}
	return 0;
}
