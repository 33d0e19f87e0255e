/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/sigchld.h"

#include <stddef.h>
#include <time.h>

#include "common/clock.h"

#define BRIEFLY_NS (200 * HT_NS_PER_US)

void ht_sigchld_block(sigset_t *ret_old)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, ret_old);
}

void ht_sigchld_wait(int64_t deadline_ns)
{
	int64_t left = deadline_ns - ht_mono_ns();
	struct timespec limit = {0};
	sigset_t chld;

	if (left <= 0)
		return;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	limit.tv_sec = left / HT_NS_PER_S;
	limit.tv_nsec = left % HT_NS_PER_S;
	sigtimedwait(&chld, NULL, &limit);
}

void ht_sigchld_wait_briefly(void)
{
	ht_sigchld_wait(ht_mono_ns() + BRIEFLY_NS);
}
