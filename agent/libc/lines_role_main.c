/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the lines role: it answers requests until its socket ends. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/libc/lines_role.h"
#include "agent/libc/lines_role_int.h"
#include "common/cleanup.h"

/* Files are mapped, and large ones are; what is unpacked from them is not. */
static const struct ht_role_bounds of_role = {
	.memory = UINT64_C(16) << 30,
	.unpacked = UINT64_C(512) << 20,
	.forks = true,
};
static const struct ht_role_bounds of_child = {
	.memory = UINT64_C(16) << 30,
	.unpacked = UINT64_C(512) << 20,
	.processor_s = 8,
};

static bool tell(void *ctx, const struct ht_source *line)
{
	(void)ctx;
	return send(HT_ROLE_SOCKET, line, sizeof(*line), MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(*line);
}

/* In the child. Returns its exit status. */
static int answer(const struct ht_lines_request *q, const int *fds)
{
	struct ht_lines_build build;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!ht_role_lock_up(&of_child))
		return HT_SYS;
	if (q->kind == HT_LINES_FIND)
		return (int)ht_lines_find(fds[0], fds[1], q->address, q->n,
					  tell, NULL, NULL);
	ht_lines_look(fds[0], q->sum != 0, &build);
	return send(HT_ROLE_SOCKET, &build, sizeof(build), MSG_NOSIGNAL) > 0
		       ? HT_OK
		       : HT_SYS;
}

static struct ht_lines_end outcome(pid_t child)
{
	struct ht_lines_end end = {.code = HT_SYS};
	int status = 0;

	if (child < 0)
		return end;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return end;
	if (WIFSIGNALED(status))
		end.signal = (uint32_t)WTERMSIG(status);
	else
		end.code = (uint32_t)WEXITSTATUS(status);
	return end;
}

int ht_lines_role_main(void)
{
	HT_AUTO_FREE struct ht_lines_request *q = calloc(1, sizeof(*q));
	int fds[HT_ROLE_FDS];

	if (!q || !ht_role_lock_up(&of_role))
		return 1;
	while (ht_role_receive(HT_ROLE_SOCKET, q, sizeof(*q), fds) &&
	       q->n <= HT_LINES_AT_ONCE) {
		struct ht_lines_end end;
		pid_t child = fork();

		if (child == 0)
			_exit(answer(q, fds));
		for (unsigned i = 0; i < HT_ROLE_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		end = outcome(child);
		if (send(HT_ROLE_SOCKET, &end, sizeof(end), MSG_NOSIGNAL) < 0)
			return 1;
	}
	return 0;
}
