/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/layout_role.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/libc/layout_role_int.h"
#include "common/cleanup.h"

#define ANSWER_MS 20000 /* the role's own processor limit is 10 s */

enum ht_code ht_layout_role_start(const char *exe, struct ht_layout_role *ret,
				  struct ht_err *err)
{
	return ht_role_start(exe, "--role=layout", &ret->pid, &ret->socket,
			     err);
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
			       "layout role: no answer within %d s",
			       ANSWER_MS / 1000);
	if (WIFSIGNALED(status))
		return ht_fail(err, HT_UNSUPPORTED,
			       "layout role: killed by signal %d while parsing",
			       WTERMSIG(status));
	return ht_fail(
		err, HT_SYS,
		"layout role: ended with status %d (127: it could not be started)",
		WEXITSTATUS(status));
}

enum ht_code ht_layout_role_ask(struct ht_layout_role *role, int fd,
				int debug_fd, unsigned want,
				struct ht_facts *ret, struct ht_err *err)
{
	const struct ht_role_request q = {want};
	const int fds[2] = {fd, debug_fd};
	struct pollfd p = {.fd = role->socket, .events = POLLIN};
	HT_AUTO_FREE struct ht_role_answer *a = malloc(sizeof(*a));
	int n;

	if (!a)
		return ht_fail(err, HT_NOMEM, "layout role's answer");
	if (!ht_role_send(role->socket, &q, sizeof(q), fds,
			  debug_fd >= 0 ? 2 : 1))
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
