/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/sigchld.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "agent/self/guard.h"
#include "common/clock.h"

#define BEAT_NS	   (HT_GUARD_HANG_NS / 4)
#define BRIEFLY_NS (200 * HT_NS_PER_US)

void ht_sigchld_block(sigset_t *ret_old)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, ret_old);
}

/* False: none came within that time. */
static bool wait_for(int64_t ns)
{
	const struct timespec limit = {ns / HT_NS_PER_S, ns % HT_NS_PER_S};
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	return sigtimedwait(&chld, NULL, &limit) >= 0;
}

void ht_sigchld_wait(int64_t deadline_ns)
{
	int64_t left = deadline_ns - ht_mono_ns();

	while (left > 0 && !wait_for(left < BEAT_NS ? left : BEAT_NS)) {
		ht_guard_beat();
		left = deadline_ns - ht_mono_ns();
	}
	ht_guard_beat();
}

void ht_sigchld_wait_briefly(void)
{
	ht_sigchld_wait(ht_mono_ns() + BRIEFLY_NS);
}
