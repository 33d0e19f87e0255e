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
#include <time.h>

#include <cmocka.h>

#include "tests/lib/flux.h"

#define LEAP_NS (50 * HT_NS_PER_S)
#define LOOKS	3 /* that none leaps in */

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

static struct flux flux;

static int begin(void **state)
{
	(void)state;
	return flux_begin(&flux, "2", "mremap", NULL);
}

/* Most of what is free waits in the caches of four threads. */
static int begin_cached(void **state)
{
	int code;

	(void)state;
	setenv("GLIBC_TUNABLES",
	       "glibc.malloc.tcache_count=1000:glibc.malloc.tcache_max=1032",
	       1);
	code = flux_begin(&flux, "4", "arenas", NULL);
	unsetenv("GLIBC_TUNABLES");
	return code;
}

static int end(void **state)
{
	(void)state;
	flux_end(&flux);
	return 0;
}

static bool says_late(const struct ht_snapshot *s)
{
	return flux_says(s, "the time limit");
}

static unsigned leap_wanted;

static void leap(bool now)
{
	if (now)
		asked = 0;
	leap_at = now ? leap_wanted : 0;
}

static enum ht_code sample(unsigned at, struct ht_snapshot *ret,
			   struct ht_err *err)
{
	leap_wanted = at;
	return flux_look(&flux, 0, leap, ret, err);
}

static void check_told(const struct ht_snapshot *s, unsigned at)
{
	char when[64];

	snprintf(when, sizeof(when), "a leap at %u", at);
	flux_check(&flux, s, when);
	assert_true(s->totals.in_use != HT_UNKNOWN);
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
		unsigned at = calls * i / (leaps + 1);

		if (sample(at, &s, &err) != HT_OK) {
			without++;
			if (err.code != HT_TIMEOUT)
				fail_msg("a leap at %u: %s", at, err.msg);
			continue;
		}
		check_told(&s, at);
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
