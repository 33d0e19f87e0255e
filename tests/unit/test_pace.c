/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=ioctl -Wl,--wrap=nanosleep -Wl,--wrap=clock_gettime */
/*
 * A target that runs does not wait for us: page tables are read in pieces, and
 * between two of them, or after a burst of work, there is a sleep. For a target
 * that is held nobody sleeps.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/pages.h"
#include "agent/memory/reader.h"
#include "agent/self/pace.h"
#include "common/clock.h"

#define PAGE  4096u
#define PAGES 20000u

static char *area;
static uint64_t pages_since_sleep, pages_most;
static unsigned scans, sleeps;
static int64_t now_ns, worked_ns;

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t ns = now_ns;

	if (id == CLOCK_THREAD_CPUTIME_ID) {
		__real_clock_gettime(id, t);
		ns = (int64_t)t->tv_sec * HT_NS_PER_S + t->tv_nsec + worked_ns;
	} else if (id != CLOCK_MONOTONIC) {
		return __real_clock_gettime(id, t);
	}
	*t = (struct timespec){ns / HT_NS_PER_S, ns % HT_NS_PER_S};
	return 0;
}

/* By both clocks. */
static void work(int64_t ns)
{
	now_ns += ns;
	worked_ns += ns;
}

int __real_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	assert_true(t->tv_sec == 0 && t->tv_nsec > 0);
	sleeps++;
	pages_since_sleep = 0;
	now_ns += t->tv_nsec;
	return __real_nanosleep(t, left);
}

/* PAGEMAP_SCAN fills regions of {start, end, categories}. */
int __real_ioctl(int fd, unsigned long request, uint64_t *arg);
int __wrap_ioctl(int fd, unsigned long request, uint64_t *arg);
int __wrap_ioctl(int fd, unsigned long request, uint64_t *arg)
{
	int n = __real_ioctl(fd, request, arg);
	const uint64_t *region;

	memcpy(&region, &arg[5], sizeof(region));
	for (int i = 0; i < n; i++)
		pages_since_sleep += (region[3 * i + 1] - region[3 * i]) / PAGE;
	if (pages_since_sleep > pages_most)
		pages_most = pages_since_sleep;
	scans++;
	return n;
}

static int set_up(void **state)
{
	(void)state;
	now_ns = HT_NS_PER_S;
	area = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return -1;
	memset(area, 1, (size_t)PAGES * PAGE);
	return 0;
}

static uint64_t here(void)
{
	return (uint64_t)(uintptr_t)area;
}

static void look_at_pages(void)
{
	struct ht_pages_source s;
	struct ht_page_tally t;
	struct ht_pages p;
	uint64_t end = here() + (uint64_t)PAGES * PAGE;

	assert_int_equal(ht_pages_source_open(getpid(), &s, NULL), HT_OK);
	scans = sleeps = 0;
	pages_most = pages_since_sleep = 0;
	assert_int_equal(ht_pages_get(&s, here(), end, &p, NULL), HT_OK);
	assert_int_equal(ht_pages_resident(&p, here(), end), PAGES * PAGE);
	ht_pages_fini(&p);
	pages_since_sleep = 0;
	assert_true(ht_pages_tally(&s, here(), end, true, &t));
	assert_int_equal(t.anon, PAGES);
	ht_pages_source_close(&s);
}

static void page_tables_of_a_running_target_are_read_in_pieces(void **state)
{
	(void)state;
	ht_pace_set(true);
	look_at_pages();
	ht_pace_set(false);
	assert_true(sleeps >= 8);
	if (scans) /* a kernel without PAGEMAP_SCAN reads 2048 entries a call */
		assert_in_range(pages_most, 1, 4096);
}

static void nobody_sleeps_while_the_target_is_held(void **state)
{
	(void)state;
	ht_pace_set(false);
	look_at_pages();
	for (int i = 0; i < 10; i++) {
		now_ns += HT_NS_PER_S;
		ht_pace();
		ht_pace_lock();
	}
	assert_int_equal(sleeps, 0);
}

static void a_burst_of_reading_ends_with_a_sleep(void **state)
{
	struct ht_reader r;
	char byte;

	(void)state;
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, NULL),
			 HT_OK);
	ht_pace_set(true);
	ht_pace_begin(0);
	ht_pace_lock();
	sleeps = 0;
	for (int i = 0; i < 100; i++) { /* 15 ms of work */
		work(150 * HT_NS_PER_US);
		assert_int_equal(ht_reader_read(&r, here(), &byte, 1, NULL),
				 HT_OK);
	}
	ht_pace_set(false);
	ht_reader_close(&r);
	assert_in_range(sleeps, 90, 100);
}

static void
a_thread_that_wakes_takes_no_processor_until_it_is_late(void **state)
{
	(void)state;
	ht_pace_init();
	ht_pace_begin(0);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	ht_pace_lock();
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	now_ns += HT_NS_PER_S; /* without a processor */
	ht_pace_lock();
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	assert_int_equal(ht_pace_policy(), SCHED_OTHER);
	sleeps = 0;
	work(150 * HT_NS_PER_US); /* and its bursts are longer */
	ht_pace();
	assert_int_equal(sleeps, 0);
	ht_pace_begin(0);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	ht_pace_set(false);
}

/* Of a sample that waits so long for each of its bursts: how many it takes for
 * that much work. */
static unsigned bursts(int64_t work_ns, int64_t wait_ns, uint64_t limit_ms)
{
	int64_t before;

	ht_pace_init();
	ht_pace_begin(limit_ms);
	before = now_ns;
	sleeps = 0;
	for (int64_t done = 0; done < work_ns; done += 20 * HT_NS_PER_US) {
		unsigned slept = sleeps;

		work(20 * HT_NS_PER_US);
		ht_pace();
		now_ns += sleeps > slept ? wait_ns : 0;
	}
	ht_pace_set(false);
	print_message("[   NOTE   ] %u bursts, %ld ms\n", sleeps,
		      (long)((now_ns - before) / HT_NS_PER_MS));
	return sleeps;
}

static void a_sample_that_waits_takes_longer_bursts(void **state)
{
	(void)state;
	/* as on a machine with nothing else to do */
	assert_in_range(bursts(400 * HT_NS_PER_MS, 0, 0), 3500, 4000);
	/* 64 threads that spin: not 4 bursts a millisecond, for 40 s */
	assert_in_range(bursts(HT_NS_PER_S, 10 * HT_NS_PER_MS, 0), 250, 1200);
	/* and however long it waits, none of more than 4 ms */
	assert_true(bursts(4 * HT_NS_PER_S, 100 * HT_NS_PER_MS, 0) >= 990);
}

static void nobody_sleeps_once_half_of_the_time_limit_is_gone(void **state)
{
	int64_t begun = now_ns;

	(void)state;
	bursts(4 * HT_NS_PER_S, 100 * HT_NS_PER_MS, 10000);
	assert_in_range(now_ns - begun, 5 * HT_NS_PER_S, 9200 * HT_NS_PER_MS);
}

static void what_others_had_of_the_processor_is_no_burst(void **state)
{
	(void)state;
	ht_pace_init();
	ht_pace_begin(0);
	sleeps = 0;
	for (int i = 0; i < 4; i++) {
		work(30 * HT_NS_PER_US);
		now_ns += 3 * HT_NS_PER_MS; /* taken away amid it */
		ht_pace();
		assert_int_equal(sleeps, i < 3 ? 0 : 1);
	}
	ht_pace_set(false);
}

static void work_us(int64_t us)
{
	int64_t until = ht_clock_ns(CLOCK_THREAD_CPUTIME_ID) + us * 1000;

	while (ht_clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
		;
}

static void the_longest_run_of_work_is_told_and_no_sum(void **state)
{
	(void)state;
	ht_pace_init();
	ht_pace_begin(0);
	for (int i = 0; i < 40; i++) {
		work_us(i == 3 ? 30000 : 3000);
		now_ns += HT_NS_PER_MS;
		ht_pace();
	}
	ht_pace_set(false);
	work_us(100000); /* in a stop: that is the pause's */
	ht_pace_set(true);
	assert_in_range(ht_pace_longest_us(), 30000, 120000);
	ht_pace_begin(0);
	assert_in_range(ht_pace_longest_us(), 0, 29999);
	ht_pace_set(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			page_tables_of_a_running_target_are_read_in_pieces),
		cmocka_unit_test(nobody_sleeps_while_the_target_is_held),
		cmocka_unit_test(a_burst_of_reading_ends_with_a_sleep),
		cmocka_unit_test(
			a_thread_that_wakes_takes_no_processor_until_it_is_late),
		cmocka_unit_test(a_sample_that_waits_takes_longer_bursts),
		cmocka_unit_test(
			nobody_sleeps_once_half_of_the_time_limit_is_gone),
		cmocka_unit_test(what_others_had_of_the_processor_is_no_burst),
		cmocka_unit_test(the_longest_run_of_work_is_told_and_no_sum),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
