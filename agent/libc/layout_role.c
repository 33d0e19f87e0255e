/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/layout_role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/libc/layout_role_int.h"
#include "common/cleanup.h"
#include "common/system.h"

#define ANSWER_MS 20000 /* the role's own processor limit is 10 s */

/* In the child, between fork and exec: only async-signal-safe calls. */
static void become_role(const char *exe, int socket)
{
	static char name[] = "heaptide-agent", role[] = "--role=layout";
	char *const argv[] = {name, role, NULL};
	char *const envp[] = {NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* No file capability is gained by the exec. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* dup2() onto itself would leave the close-on-exec flag set. */
	if (socket == HT_ROLE_SOCKET)
		fcntl(socket, F_SETFD, 0);
	else
		dup2(socket, HT_ROLE_SOCKET);
	ht_close_from(HT_ROLE_SOCKET + 1);
	execve(exe, argv, envp);
	_exit(127);
}

enum ht_code ht_layout_role_start(const char *exe, struct ht_layout_role *ret,
				  struct ht_err *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return ht_fail_sys(err, HT_SYS, errno, "layout role: socket");
	pid = fork();
	if (pid == 0)
		become_role(exe, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		int number = errno;

		close(pair[0]);
		return ht_fail_sys(err, HT_SYS, number, "layout role: fork");
	}
	*ret = (struct ht_layout_role){pid, pair[0]};
	return HT_OK;
}

static bool send_request(int socket, const struct ht_role_request *q,
			 const int fds[2])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec io = {(void *)(uintptr_t)q, sizeof(*q)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = CMSG_SPACE(q->fds * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(q->fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, q->fds * sizeof(int));
	return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(*q);
}

/* Why the role did not answer; ends it. */
static enum ht_code role_failed(struct ht_layout_role *role, bool late,
				struct ht_err *err)
{
	int status = 0;

	if (late)
		kill(role->pid, SIGKILL);
	close(role->socket);
	role->socket = -1;
	while (waitpid(role->pid, &status, 0) < 0 && errno == EINTR)
		;
	role->pid = 0;
	if (late)
		return ht_fail(err, HT_UNSUPPORTED,
			       "layout role: no answer "
			       "within %d s",
			       ANSWER_MS / 1000);
	if (WIFSIGNALED(status))
		return ht_fail(err, HT_UNSUPPORTED,
			       "layout role: killed by "
			       "signal %d while parsing",
			       WTERMSIG(status));
	return ht_fail(err, HT_SYS,
		       "layout role: ended with status %d (127: it could not "
		       "be started)",
		       WEXITSTATUS(status));
}

enum ht_code ht_layout_role_ask(struct ht_layout_role *role, int fd,
				int debug_fd, unsigned want,
				struct ht_facts *ret, struct ht_err *err)
{
	const struct ht_role_request q = {want, debug_fd >= 0 ? 2 : 1};
	const int fds[2] = {fd, debug_fd};
	struct pollfd p = {.fd = role->socket, .events = POLLIN};
	HT_AUTO_FREE struct ht_role_answer *a = malloc(sizeof(*a));
	int n;

	if (!a)
		return ht_fail(err, HT_NOMEM, "layout role's answer");
	if (!send_request(role->socket, &q, fds))
		return role_failed(role, false, err);
	do
		n = poll(&p, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return role_failed(role, true, err);
	if (recv(role->socket, a, sizeof(*a), 0) != (ssize_t)sizeof(*a))
		return role_failed(role, false, err);
	if (a->code != HT_OK) {
		a->err.msg[sizeof(a->err.msg) - 1] = 0;
		return ht_fail(err, HT_UNSUPPORTED, "%s", a->err.msg);
	}
	if (ht_facts_check(&a->facts, err) != HT_OK)
		return HT_PROTOCOL;
	*ret = a->facts;
	return HT_OK;
}

void ht_layout_role_stop(struct ht_layout_role *role)
{
	if (role->socket < 0)
		return;
	close(role->socket); /* it ends when it reads the end of the socket */
	role->socket = -1;
	while (waitpid(role->pid, NULL, 0) < 0 && errno == EINTR)
		;
	role->pid = 0;
}
