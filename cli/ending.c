/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ending.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

static sigset_t ending_signals(void)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	return ending;
}

enum ht_code ht_ending_watch(int *ret_fd, struct ht_err *err)
{
	sigset_t ending = ending_signals();

	sigprocmask(SIG_BLOCK, &ending, NULL);
	*ret_fd = signalfd(-1, &ending, SFD_CLOEXEC);
	return *ret_fd < 0
		       ? ht_fail_sys(err, HT_SYS, errno, "watch for signals")
		       : HT_OK;
}

void ht_ending_is_over(void)
{
	static const struct timespec none;
	sigset_t ending = ending_signals();

	while (sigtimedwait(&ending, NULL, &none) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &ending, NULL);
}
