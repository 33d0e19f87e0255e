/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/pace.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/clock.h"

/* A thread that wakes on our processor waits for the end of a burst, whatever
 * our priority: in a control group or session of its own neither nice nor
 * sched_yield lets it on. A round trip over a socket beside bursts of 250 us
 * took 108 us in the median and 335 at p90, beside 100 us 61 and 211, beside
 * none 65 and 93. */
#define BURST_NS (HT_NS_PER_MS / 10)
/* Once it is a thread among others: fewer waits for each of which all run. The
 * more of them it has had, the longer the bursts, up to what a scheduler deals
 * out at once, so that each second of waiting buys more work than the one
 * before. Beside 64 threads that spin a wait may take 10 ms and more: by bursts
 * of 250 us a second of work would be gone about for 40 s. */
#define BURST_LATE_NS  (HT_NS_PER_MS / 4)
#define BURST_MOST_NS  (4 * HT_NS_PER_MS)
#define WAITED_A_BURST 2000 /* so much waiting for each unit of a burst */
/* Longer than a thread takes to wake and to take a lock that it was promised,
 * and than the kernel needs on its way to sleep: a timer that has fired by then
 * lets nobody else run (10 us on a virtual machine). */
#define SLEEP_NS (50 * HT_NS_PER_US)
/* Where every processor is taken a burst comes with a tick: a heap of 64 MiB
 * then takes a third of a second. One that takes longer moves too far. */
#define PATIENCE_NS (HT_NS_PER_S / 2)

static _Atomic bool running;
static _Atomic int policy = SCHED_OTHER;
static _Thread_local int64_t woken_ns;
/* Of the thread that reads; its processor time. */
static _Thread_local struct {
	bool counts;
	int64_t begun_ns, begun_cpu_ns; /* the sample */
	int64_t woken_cpu_ns;
	int64_t longest_ns;
	int64_t waited_ns; /* asleep, or for a processor */
	int64_t hurry_ns;  /* from then on nobody is let before us; 0: never */
} reading;

static void schedule(int wanted)
{
	const struct sched_param param = {0};

	if (policy != wanted && sched_setscheduler(0, wanted, &param) == 0)
		policy = wanted;
}

int ht_pace_policy(void)
{
	return policy;
}

void ht_pace_init(void)
{
	prctl(PR_SET_TIMERSLACK, 1); /* 50 us by default */
	schedule(SCHED_BATCH);
	running = true;
}

static int64_t cpu_ns(void)
{
	return ht_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void ht_pace_set(bool on)
{
	if (on && reading.counts) /* what it took in a stop is the pause's */
		reading.woken_cpu_ns = cpu_ns();
	running = on;
}

void ht_pace_begin(uint64_t limit_ms)
{
	schedule(SCHED_BATCH);
	reading.counts = true;
	reading.longest_ns = reading.waited_ns = 0;
	reading.begun_ns = woken_ns = ht_mono_ns();
	reading.begun_cpu_ns = reading.woken_cpu_ns = cpu_ns();
	reading.hurry_ns = limit_ms
				   ? reading.begun_ns + (int64_t)limit_ms *
								HT_NS_PER_MS / 2
				   : 0;
}

/* The end of a run of work, and whether the sample has waited for a processor
 * too long. */
static void note_run(void)
{
	int64_t cpu, ran_ns;

	if (!reading.counts || !running)
		return;
	cpu = cpu_ns();
	ran_ns = cpu - reading.woken_cpu_ns;
	if (ran_ns > reading.longest_ns)
		reading.longest_ns = ran_ns;
	reading.woken_cpu_ns = cpu;
	reading.waited_ns =
		ht_mono_ns() - reading.begun_ns - (cpu - reading.begun_cpu_ns);
	if (reading.waited_ns > PATIENCE_NS)
		schedule(SCHED_OTHER);
}

uint64_t ht_pace_longest_us(void)
{
	note_run();
	return (uint64_t)(reading.longest_ns / HT_NS_PER_US);
}

void ht_pace_lock(void)
{
	const struct timespec moment = {.tv_nsec = SLEEP_NS};

	if (!running)
		return;
	note_run();
	nanosleep(&moment, NULL);
	woken_ns = ht_mono_ns();
}

static int64_t burst_ns(void)
{
	int64_t ns = reading.waited_ns / WAITED_A_BURST;

	if (policy != SCHED_OTHER)
		return BURST_NS;
	ns = ns < BURST_LATE_NS ? BURST_LATE_NS : ns;
	return ns < BURST_MOST_NS ? ns : BURST_MOST_NS;
}

/* What others had of our processor amid a burst is no part of it: who sleeps
 * again as soon as he has it back comes to nothing. */
static bool burst_is_over(int64_t now)
{
	const int64_t burst = burst_ns();
	int64_t ran;

	if (now - woken_ns < burst)
		return false;
	if (!reading.counts)
		return true;
	ran = cpu_ns() - reading.woken_cpu_ns;
	if (ran < burst)
		woken_ns = now - ran;
	return ran >= burst;
}

void ht_pace(void)
{
	int64_t now;

	if (!running)
		return;
	now = ht_mono_ns();
	if ((!reading.hurry_ns || now < reading.hurry_ns) && burst_is_over(now))
		ht_pace_lock();
}
