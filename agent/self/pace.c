/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/pace.h"

#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/clock.h"

#define BURST_NS (HT_NS_PER_MS / 2)
/* Longer than a thread takes to wake and to take a lock that it was promised.
 */
#define SLEEP_NS (10 * HT_NS_PER_US)

static _Atomic bool running;
static _Thread_local int64_t woken_ns;

void ht_pace_init(void)
{
	prctl(PR_SET_TIMERSLACK, 1); /* 50 us by default */
}

void ht_pace_set(bool on)
{
	running = on;
}

void ht_pace_lock(void)
{
	const struct timespec moment = {.tv_nsec = SLEEP_NS};

	if (!running)
		return;
	nanosleep(&moment, NULL);
	woken_ns = ht_mono_ns();
}

void ht_pace(void)
{
	if (running && ht_mono_ns() - woken_ns >= BURST_NS)
		ht_pace_lock();
}
