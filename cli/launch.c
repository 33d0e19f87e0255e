/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Child side: never returns. What fails is told through `tell`, which exec
 * closes. */
static _Noreturn void become(char *const *argv, int tell)
{
	sigset_t none;
	int number;

	/* Yama (ptrace_scope 1) lets a descendant of this process trace it;
	 * where there is no Yama the call fails and is not needed. */
	prctl(PR_SET_PTRACER, (unsigned long)getppid(), 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	number = errno;
	if (write(tell, &number, sizeof(number)) < 0)
		_exit(126);
	_exit(127);
}

enum ht_code ht_launch(char *const *argv, pid_t *ret, int *ret_status,
		       struct ht_err *err)
{
	HT_AUTO_FD int hear = -1;
	HT_AUTO_FD int tell = -1;
	int ends[2], number;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return ht_fail_sys(err, HT_SYS, errno, "start %s", argv[0]);
	hear = ends[0];
	tell = ends[1];
	pid = fork();
	if (pid < 0)
		return ht_fail_sys(err, HT_SYS, errno, "start %s", argv[0]);
	if (pid == 0)
		become(argv, tell);
	close(ht_take_fd(&tell));
	do {
		n = read(hear, &number, sizeof(number));
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(number)) {
		waitpid(pid, NULL, 0);
		*ret_status = number == ENOENT ? 127 : 126;
		ht_err_put(err, HT_SYS, 0, number, "run %s", argv[0]);
		ht_err_advise(err, HT_HINT_COMMAND);
		return HT_SYS;
	}
	*ret = pid;
	return HT_OK;
}

int ht_launch_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 0;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
