/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=ptrace -Wl,--wrap=timer_settime
 *
 * Should we be stopped ourselves a timer ends us, so that what we hold runs on.
 * It is on whenever a thread of the target is ours: one that is only seized
 * stands at its next signal, too.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "tests/lib/flux.h"

#define LOOKS 10

static struct flux flux;
static bool is_on;
static unsigned seized, seized_while_off, off_while_seized;

static unsigned ours(void)
{
	HT_AUTO_DIR DIR *d = NULL;
	const struct dirent *e;
	char path[32];
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)flux.program.pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += atoi(e->d_name) > 0 &&
		     process_status(atoi(e->d_name), "TracerPid") == getpid();
	return n;
}

int __real_timer_settime(timer_t timer, int flags,
			 const struct itimerspec *limit,
			 struct itimerspec *before);
int __wrap_timer_settime(timer_t timer, int flags,
			 const struct itimerspec *limit,
			 struct itimerspec *before);
int __wrap_timer_settime(timer_t timer, int flags,
			 const struct itimerspec *limit,
			 struct itimerspec *before)
{
	is_on = limit->it_value.tv_sec || limit->it_value.tv_nsec;
	if (!is_on)
		off_while_seized += ours() > 0;
	return __real_timer_settime(timer, flags, limit, before);
}

static bool is_of_target(pid_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)flux.program.pid,
		 (int)tid);
	return access(path, F_OK) == 0;
}

long __real_ptrace(int request, pid_t tid, void *at, void *data);
long __wrap_ptrace(int request, pid_t tid, void *at, void *data);
long __wrap_ptrace(int request, pid_t tid, void *at, void *data)
{
	if (request == PTRACE_SEIZE && is_of_target(tid)) {
		seized++;
		seized_while_off += !is_on;
	}
	return __real_ptrace(request, tid, at, data);
}

static int begin(void **state)
{
	(void)state;
	return flux_begin(&flux, "16", "arenas", NULL);
}

static int end(void **state)
{
	(void)state;
	flux_end(&flux);
	return 0;
}

static void do_nothing(bool now)
{
	(void)now;
}

static void look_in(uint64_t mode)
{
	is_on = false;
	seized = seized_while_off = off_while_seized = 0;
	for (int i = 0; i < LOOKS; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot s;
		struct ht_err err = {0};
		enum ht_code code =
			flux_look_by(&flux, mode, 0, do_nothing, &s, &err);

		if (code != HT_OK && code != HT_BUSY && code != HT_TIMEOUT)
			fail_msg("%s", err.msg);
		assert_int_equal(ours(), 0);
	}
	assert_int_equal(seized_while_off, 0);
	assert_int_equal(off_while_seized, 0);
}

static void it_is_on_while_a_thread_is_ours(void **state)
{
	static const uint64_t modes[] = {HT_MODE_BOUNDED, HT_MODE_EXACT,
					 HT_MODE_SNAPSHOT};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		look_in(modes[i]);
		assert_true(seized > 0);
	}
}

static void by_default_none_is(void **state)
{
	(void)state;
	look_in(HT_MODE_NONE);
	assert_int_equal(seized, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_on_while_a_thread_is_ours,
						begin, end),
		cmocka_unit_test_setup_teardown(by_default_none_is, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
