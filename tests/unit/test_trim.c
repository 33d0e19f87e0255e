/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 240 s
 * Alone: it looks at threads that wait for milliseconds
 *
 * malloc_trim(0), called by a thread of a program that would notice: whatever
 * that thread waits in, it gets what it would have got, when it would have got
 * it, and has what it had. HT_TRIMS=N calls it N times in each kind of wait
 * (3).
 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/target.h"
#include "agent/sample/trim.h"
#include "tests/lib/target.h"

struct measured {
	struct program p;
	struct ht_target target;
};

static void start_with(struct measured *m, const char *name, const char *kind,
		       const char *how)
{
	struct ht_err err = {0};

	m->target = HT_TARGET_NONE;
	m->p = program_start(name, kind, how, NULL);
	assert_true(program_says(&m->p, "ready", 10000));
	if (ht_target_open_process(m->p.pid, &m->target, &err) != HT_OK ||
	    ht_target_locate(&m->target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static void start(struct measured *m, const char *name, const char *kind)
{
	start_with(m, name, kind, NULL);
}

static void finish(struct measured *m)
{
	ht_target_close(&m->target);
	program_end(&m->p);
}

/* The answer to a request with HT_TRIM_NOW; after: initialised here. */
static void trim(struct measured *m, uint64_t max_hold_us, struct ht_trim *ret,
		 struct ht_snapshot *after)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &m->target, .request = &request, .snapshot = after};
	struct ht_err err = {0};

	request.flags |= HT_TRIM_NOW;
	request.max_hold_us = max_hold_us;
	ht_snapshot_init(after);
	if (ht_session_trim(&session, ret, &err) != HT_OK)
		fail_msg("%s", err.msg);
	assert_false(session.must_end);
}

/* --- nothing is noticed -------------------------------------------------- */

static const char *const kinds[] = {
	"epoll",  "epoll_limit", "poll",	"poll_limit", "ppoll",
	"select", "futex",	 "futex_limit", "nanosleep",  "absolute",
	"read",	  "pause",	 "sigwait"};

static unsigned trims_wanted(void)
{
	const char *n = getenv("HT_TRIMS");

	return n ? (unsigned)strtoul(n, NULL, 10) : 3;
}

/* "waits N", N rising; or "BAD what". */
static uint64_t waits_of(struct measured *m, const char *kind)
{
	char line[128] = "";
	uint64_t n = 0;

	program_tell(&m->p, "\n");
	if (!program_line(&m->p, line, sizeof(line), 80000) ||
	    sscanf(line, "waits %" SCNu64, &n) != 1)
		fail_msg("%s: \"%s\"", kind, line);
	return n;
}

#define ATTEMPTS 200

/* Of a target at work an attempt may find the arena locked, or no thread: then
 * nothing was called. */
static struct ht_trim trim_once(struct measured *m, const char *kind)
{
	struct ht_snapshot after;
	struct ht_trim t;

	for (int i = 0; i < ATTEMPTS; i++) {
		trim(m, 60000000, &t, &after);
		ht_snapshot_fini(&after);
		if (t.done)
			break;
		if (t.refusal != HT_TRIM_NOTHING &&
		    t.refusal != HT_TRIM_LOCKED &&
		    t.refusal != HT_TRIM_NO_SLEEPER &&
		    t.refusal != HT_TRIM_UNKNOWN)
			break;
	}
	if (!t.done)
		fail_msg("%s: refused: %s", kind, t.why);
	assert_int_equal(t.thread, m->p.pid);
	assert_true(t.took_us != HT_UNKNOWN);
	assert_true(process_runs_free(m->p.pid, 5000));
	return t;
}

static void
a_thread_that_calls_it_notices_nothing_whatever_it_waits_in(void **state)
{
	unsigned n = trims_wanted();

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct measured m;
		uint64_t waits;

		start(&m, "trimmee", kinds[i]);
		for (unsigned k = 0; k < n; k++)
			trim_once(&m, kinds[i]);
		waits = waits_of(&m, kinds[i]);
		while (waits_of(&m, kinds[i]) < waits + 4)
			usleep(10000);
		finish(&m);
	}
}

/* --- what it returns ----------------------------------------------------- */

static void a_program_at_rest_returns_what_the_forecast_says(void **state)
{
	static const char *const holders[] = {"small", "ratchet", "top"};

	(void)state;
	for (size_t i = 0; i < sizeof(holders) / sizeof(*holders); i++) {
		struct ht_snapshot after;
		struct ht_trim t;
		struct measured m;

		start(&m, "keeper", holders[i]);
		trim(&m, 60000000, &t, &after);
		if (t.refusal == HT_TRIM_NOTHING) { /* "top" keeps tops */
			assert_string_equal(holders[i], "top");
		} else {
			assert_int_equal(t.done, 1);
			assert_in_range(t.rss_before - t.rss_after + 16384,
					t.bytes, t.bytes + 32768);
			assert_in_range(after.totals.trimmable, 0, 4096);
		}
		ht_snapshot_fini(&after);
		finish(&m);
	}
}

#define STARTS_MAX 60

/* Two threads allocate and free beside it all the time. */
static void a_program_at_work_returns_it_within_a_twentieth(void **state)
{
	unsigned n = trims_wanted();
	double worst = 0;

	(void)state;
	for (unsigned i = 0; i < n && i < STARTS_MAX; i++) {
		const char *kind = kinds[i % (sizeof(kinds) / sizeof(*kinds))];
		struct measured m;
		struct ht_trim t;
		double got, off;

		start_with(&m, "trimmee", kind, "ballast");
		t = trim_once(&m, kind);
		got = (double)t.rss_before - (double)t.rss_after;
		off = fabs(got - (double)t.bytes) / (double)t.bytes;
		if (off > 0.05)
			fail_msg("%s: %.0f bytes, forecast %" PRIu64, kind, got,
				 t.bytes);
		worst = off > worst ? off : worst;
		waits_of(&m, kind);
		finish(&m);
	}
	print_message("[   NOTE   ] off by %.2f %% at most\n", 100 * worst);
}

/* --- refusals ------------------------------------------------------------ */

static void refuses(const char *name, const char *kind, uint64_t max_hold_us,
		    enum ht_trim_refusal wanted)
{
	struct ht_snapshot after;
	struct ht_trim t;
	struct measured m;

	start(&m, name, kind);
	trim(&m, max_hold_us, &t, &after);
	ht_snapshot_fini(&after);
	if (t.done || t.refusal != wanted)
		fail_msg("%s %s: %s (%s)", name, kind,
			 ht_trim_refusals[t.refusal], t.why);
	assert_true(t.why[0] != '\0');
	assert_true(process_runs_free(m.p.pid, 5000));
	finish(&m);
}

static void memory_that_is_locked_is_not_trimmed(void **state)
{
	(void)state;
	refuses("keeper", "locked", 60000000, HT_TRIM_LOCKED);
}

static void an_arena_is_not_locked_for_longer_than_is_allowed(void **state)
{
	(void)state;
	refuses("keeper", "small", 1, HT_TRIM_HOLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_thread_that_calls_it_notices_nothing_whatever_it_waits_in),
		cmocka_unit_test(
			a_program_at_rest_returns_what_the_forecast_says),
		cmocka_unit_test(
			a_program_at_work_returns_it_within_a_twentieth),
		cmocka_unit_test(memory_that_is_locked_is_not_trimmed),
		cmocka_unit_test(
			an_arena_is_not_locked_for_longer_than_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
