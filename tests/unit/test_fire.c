/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 240 s
 *
 * Targets that make it hard: whatever they do, each sample of each mode adds up
 * or says how many bytes are uncertain, and its figures are those of an exact
 * sample taken beside it. HT_FIRE_SAMPLES: samples of each (1);
 * HT_FIRE_THREADS: threads at full speed (8).
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "tests/lib/target.h"

#define ASKED	   4
#define TIMEOUT_MS 120000

static struct program program;
static struct ht_target target;

static int compared; /* samples beside an exact one */

/* Some thread was inside malloc at each attempt, or none could be used to fork,
 * or on a machine with more to do they did not all stop in time: said, and no
 * sample. */
static bool is_refusal(enum ht_mode mode, enum ht_code code)
{
	return (mode == HT_MODE_EXACT || mode == HT_MODE_SNAPSHOT) &&
	       (code == HT_BUSY || code == HT_REFUSED || code == HT_TIMEOUT);
}

static bool sample_once(enum ht_mode mode, struct ht_snapshot *ret)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &target, .request = &request, .snapshot = ret};
	struct ht_err err = {0};

	request.mode = mode;
	request.timeout_ms = TIMEOUT_MS;
	ht_snapshot_init(ret);
	if (ht_session_sample(&session, &err) == HT_OK &&
	    ht_snapshot_check(ret, &err) == HT_OK)
		return true;
	if (!is_refusal(mode, err.code))
		fail_msg("%s: %s", ht_mode_names[mode], err.msg);
	print_message("[   NOTE   ] %s: %s\n", ht_mode_names[mode], err.msg);
	return false;
}

/* Asks again, a few times. */
static bool sample(enum ht_mode mode, struct ht_snapshot *ret)
{
	for (int i = 1; i < ASKED; i++) {
		if (sample_once(mode, ret))
			return true;
		ht_snapshot_fini(ret);
	}
	return sample_once(mode, ret);
}

/* What is left open when the parts of each arena are added up. */
static uint64_t not_settled(const struct ht_snapshot *s)
{
	uint64_t open = 0;

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];
		uint64_t sum = a->in_use + a->free + a->overhead;

		open += sum > a->system ? sum - a->system : a->system - sum;
	}
	return open;
}

static void check_sample(const struct ht_snapshot *s, enum ht_mode mode,
			 uint64_t exact)
{
	uint64_t in_use = s->totals.in_use;
	uint64_t off = in_use > exact ? in_use - exact : exact - in_use;

	if (not_settled(s) > s->stop.uncertain_bytes)
		fail_msg("%s: %" PRIu64 " bytes do not add up, %" PRIu64
			 " are said to be uncertain",
			 ht_mode_names[mode], not_settled(s),
			 s->stop.uncertain_bytes);
	for (size_t i = 0; s->findings.n > 0 && i < s->warnings.n; i++)
		print_message("%s\n", s->warnings.v[i].text);
	if (s->findings.n > 0)
		fail_msg("%s: %s", ht_mode_names[mode], s->findings.v[0].text);
	compared += exact > 0;
	if (exact > 0 && off > exact / 50 + s->stop.uncertain_bytes)
		fail_msg("%s: in use %" PRIu64 " against %" PRIu64
			 ", uncertain %" PRIu64,
			 ht_mode_names[mode], in_use, exact,
			 s->stop.uncertain_bytes);
	print_message("[   NOTE   ] %s: %" PRIu64 " ms, pause %" PRIu64
		      " us, %" PRIu64 " stops, uncertain %" PRIu64 "\n",
		      ht_mode_names[mode], s->stop.walk_us / 1000,
		      s->stop.pause_us, s->stop.attempts,
		      s->stop.uncertain_bytes);
}

static void sample_in_all_modes(const char *threads, const char *kind)
{
	static const enum ht_mode modes[] = {HT_MODE_EXACT, HT_MODE_BOUNDED,
					     HT_MODE_NONE, HT_MODE_SNAPSHOT};
	int samples = atoi(getenv("HT_FIRE_SAMPLES") ?: "1");
	struct ht_err err = {0};
	uint64_t exact = 0;

	target = HT_TARGET_NONE;
	program = program_start("fire", threads, kind, NULL);
	assert_true(program_says(&program, "ready", 20000));
	if (ht_target_open_process(program.pid, &target, &err) != HT_OK ||
	    ht_target_locate(&target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
	for (int i = 0; i < samples; i++) {
		for (size_t m = 0; m < sizeof(modes) / sizeof(*modes); m++) {
			struct ht_snapshot s;

			if (sample(modes[m], &s)) {
				if (modes[m] == HT_MODE_EXACT)
					exact = s.totals.in_use;
				check_sample(&s, modes[m], exact);
			}
			ht_snapshot_fini(&s);
		}
	}
	assert_true(process_runs_free(program.pid, 5000));
	ht_target_close(&target);
	program_end(&program);
}

static void threads_allocating_at_full_speed(void **state)
{
	(void)state;
	sample_in_all_modes(getenv("HT_FIRE_THREADS") ?: "8", "malloc");
}

static void threads_created_and_ended_without_end(void **state)
{
	(void)state;
	sample_in_all_modes("8", "come");
}

static void forks_without_end(void **state)
{
	(void)state;
	sample_in_all_modes("4", "fork");
}

static void libraries_loaded_and_unloaded_without_end(void **state)
{
	(void)state;
	sample_in_all_modes("2", "dlopen");
}

static void most_were_compared_with_an_exact_sample(void **state)
{
	(void)state;
	assert_true(compared >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_allocating_at_full_speed),
		cmocka_unit_test(threads_created_and_ended_without_end),
		cmocka_unit_test(forks_without_end),
		cmocka_unit_test(libraries_loaded_and_unloaded_without_end),
		cmocka_unit_test(most_were_compared_with_an_exact_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
