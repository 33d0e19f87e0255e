/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime
 * Limit: 120 s
 *
 * A look whose time limit comes before all is read: it tells what it has, and
 * how much it has not, whenever that is. Each look at the clock takes so long
 * here.
 */
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "agent/self/guard.h"
#include "tests/lib/target.h"

#define LIMIT_MS 60000
#define LEAP_NS	 (50 * HT_NS_PER_S)
#define LOOKS	 3 /* that none leaps in */

static unsigned asked, leap_at; /* 0: never */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int code = __real_clock_gettime(id, t);

	if (id == CLOCK_MONOTONIC && ++asked >= leap_at && leap_at)
		t->tv_sec += LEAP_NS / HT_NS_PER_S;
	return code;
}

static struct program program;
static struct ht_target target;
static uint64_t low, high; /* what is in use of it */

static int begin_with(const char *threads, const char *kind)
{
	struct ht_err err;
	char line[80];

	target = HT_TARGET_NONE;
	program = program_start("flux", threads, "realloc", kind, NULL);
	if (!program_line(&program, line, sizeof(line), 80000) ||
	    sscanf(line, "ready %" SCNu64 " %" SCNu64, &low, &high) != 2)
		return -1;
	return ht_target_open_process(program.pid, &target, &err) != HT_OK ||
	       ht_target_locate(&target, false, NULL, &err) != HT_OK;
}

static int begin(void **state)
{
	(void)state;
	return begin_with("2", "mremap");
}

/* Most of what is free waits in the caches of four threads. */
static int begin_cached(void **state)
{
	int code;

	(void)state;
	setenv("GLIBC_TUNABLES",
	       "glibc.malloc.tcache_count=1000:glibc.malloc.tcache_max=1032",
	       1);
	code = begin_with("4", "arenas");
	unsetenv("GLIBC_TUNABLES");
	return code;
}

static int end(void **state)
{
	(void)state;
	ht_target_close(&target);
	program_end(&program);
	return 0;
}

static bool says_late(const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->warnings.n; i++)
		if (strstr(s->warnings.v[i].text, "the time limit"))
			return true;
	return false;
}

static enum ht_code sample(unsigned leap, struct ht_snapshot *ret,
			   struct ht_err *err)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &target, .request = &request, .snapshot = ret};
	enum ht_code code;

	request.timeout_ms = LIMIT_MS;
	ht_snapshot_init(ret);
	ht_guard_alarm(LIMIT_MS);
	asked = 0;
	leap_at = leap;
	code = ht_session_sample(&session, err);
	leap_at = 0;
	ht_guard_alarm(0);
	return code;
}

static void check_told(const struct ht_snapshot *s, unsigned leap)
{
	uint64_t doubt = s->stop.uncertain_bytes, in_use = s->totals.in_use;
	struct ht_err err;

	if (ht_snapshot_check(s, &err) != HT_OK)
		fail_msg("a leap at %u: %s", leap, err.msg);
	if (s->findings.n > 0)
		fail_msg("a leap at %u: %s", leap, s->findings.v[0].text);
	if (in_use + doubt < low || in_use > high + doubt)
		fail_msg("a leap at %u: in use %" PRIu64 ", uncertain %" PRIu64
			 ", not %" PRIu64 " to %" PRIu64,
			 leap, in_use, doubt, low, high);
}

static void check_leaps(unsigned leaps)
{
	unsigned late = 0, without = 0, calls = UINT_MAX;
	struct ht_err err = {0};

	for (unsigned i = 0; i < LOOKS; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot s;

		if (sample(0, &s, &err) != HT_OK)
			fail_msg("%s", err.msg);
		check_told(&s, 0);
		assert_false(says_late(&s));
		/* one that waits for a processor asks more often */
		calls = asked < calls ? asked : calls;
	}
	for (unsigned i = 1; i <= leaps; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot s;
		unsigned leap = calls * i / (leaps + 1);

		if (sample(leap, &s, &err) != HT_OK) {
			without++;
			if (err.code != HT_TIMEOUT)
				fail_msg("a leap at %u: %s", leap, err.msg);
			continue;
		}
		check_told(&s, leap);
		late += says_late(&s);
	}
	print_message("[   NOTE   ] leaps in %u calls: %u late, %u no answer\n",
		      calls, late, without);
	assert_true(late >= leaps / 4);
}

static void what_was_not_reached_in_time_is_told(void **state)
{
	(void)state;
	check_leaps(40);
}

static void caches_are_what_was_not_reached(void **state)
{
	(void)state;
	check_leaps(10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_not_reached_in_time_is_told, begin, end),
		cmocka_unit_test_setup_teardown(caches_are_what_was_not_reached,
						begin_cached, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
