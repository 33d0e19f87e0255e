/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 180 s
 * Alone: its threads take both processors, and other tests wait for theirs
 *
 * A zoo of waiting threads that check themselves (targets/zoo.c), storms beside
 * them, and the real agent that looks and looks in the default mode: no call
 * returns what it would not have returned. HT_HARM_LOOKS: looks at each zoo
 * (12); HT_HARM_MODE: a mode by name, whose differences are told, and no
 * failure unless the zoo dies: what it may do stands in heaptide(1).
 * HT_HARM_KILLS: agents killed at random instants of a look, in each mode (6),
 * or in HT_HARM_MODE's, beside HT_HARM_STORMS ("fs"). HT_HARM_TEST: tests by
 * name.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/lib/agent.h"
#include "tests/lib/target.h"

#define TIMEOUT_MS	 120000 /* beside storms, on a busy machine */
#define KILLED_WITHIN_US 30000
#define BETWEEN_US	 5000
#define BUSY_AGAIN	 1000

static struct ht_request request;
static unsigned looks;
static uint64_t refused;

/* One look; what a mode by name refuses is no look. */
static bool look(const struct program *p, struct ht_client *c)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_err err = {0};
	enum ht_code code;

	ht_snapshot_init(&s);
	if (c->agent_pid <= 0)
		*c = agent_start(p->pid);
	code = ht_client_sample(c, &request, &s, NULL, NULL, &err);
	if (request.mode == HT_MODE_NONE && code != HT_OK)
		fail_msg("%s", err.msg);
	if (code != HT_OK) {
		refused++;
		ht_client_stop(c);
		*c = HT_CLIENT_NONE;
		return false;
	}
	assert_int_equal(ht_snapshot_check(&s, &err), HT_OK);
	if (request.mode == HT_MODE_NONE)
		assert_int_equal(s.stop.threads, 0);
	return true;
}

/* What the keepers say in the end. */
static void count(const struct program *p, const char *storms)
{
	uint64_t all = 0, wrong = 0;
	char line[128], name[64];

	program_tell(p, "over\n");
	while (program_line(p, line, sizeof(line), 40000) &&
	       strcmp(line, "end") != 0) {
		uint64_t rounds, bad;

		assert_int_equal(sscanf(line, "%63s %" SCNu64 " %" SCNu64, name,
					&rounds, &bad),
				 3);
		if (rounds == 0)
			fail_msg("%s: no round", name);
		if (bad)
			print_message("[   NOTE   ] %s: %" PRIu64 " of %" PRIu64
				      " wrong\n",
				      name, bad, rounds);
		all += rounds;
		wrong += bad;
	}
	assert_string_equal(line, "end");
	print_message("[   NOTE   ] %s, storms \"%s\": %u looks (%" PRIu64
		      " refused), %" PRIu64 " waits, %" PRIu64 " wrong\n",
		      ht_mode_names[request.mode], storms, looks, refused, all,
		      wrong);
	if (request.mode == HT_MODE_NONE)
		assert_int_equal(wrong, 0);
}

static void look_at_the_zoo(const char *storms)
{
	struct program p = program_start("zoo", storms, NULL);
	HT_AUTO_CLIENT struct ht_client c = HT_CLIENT_NONE;
	unsigned failed = 0;

	refused = 0;
	assert_true(program_says(&p, "ready", 10000));
	for (unsigned i = 0; i < looks;) {
		if (look(&p, &c))
			i++;
		else if (++failed > BUSY_AGAIN + looks)
			break;
		usleep(BETWEEN_US);
	}
	ht_client_stop(&c);
	assert_true(process_runs_free(p.pid, 2000));
	count(&p, storms);
	program_end(&p);
}

static void no_wait_of_a_quiet_zoo_ends_otherwise(void **state)
{
	(void)state;
	look_at_the_zoo("");
}

static void none_does_beside_storms_of_forks_and_signals(void **state)
{
	(void)state;
	look_at_the_zoo("fs");
}

static void
none_does_beside_storms_of_threads_mappings_and_programs(void **state)
{
	(void)state;
	look_at_the_zoo("tmx");
}

/* One look, in the midst of which the agent is killed. */
static void kill_while_it_looks(const struct program *p, struct ht_client *c)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_err err;

	ht_snapshot_init(&s);
	*c = agent_start(p->pid);
	/* The first finds the heap, which takes longer than all else. */
	if (ht_client_sample(c, &request, &s, NULL, NULL, &err) == HT_OK &&
	    ht_client_ask(c, &request, &s, &err) == HT_OK)
		usleep((unsigned)rand() % KILLED_WITHIN_US);
	ht_client_kill(c);
	ht_client_stop(c);
	*c = HT_CLIENT_NONE;
}

static void agents_killed_at_random_instants_leave_it_free(void **state)
{
	const struct ht_request usual = request;
	unsigned kills = (unsigned)atoi(getenv("HT_HARM_KILLS") ?: "6");
	const char *storms = getenv("HT_HARM_STORMS") ?: "fs";

	(void)state;
	for (uint64_t m = 0; m < HT_MODE_CORE; m++) {
		struct program p;
		HT_AUTO_CLIENT struct ht_client c = HT_CLIENT_NONE;

		if (getenv("HT_HARM_MODE") && m != usual.mode)
			continue;
		request.mode = m;
		p = program_start("zoo", storms, NULL);
		assert_true(program_says(&p, "ready", 10000));
		for (unsigned i = 0; i < kills; i++) {
			kill_while_it_looks(&p, &c);
			if (!process_runs_free(p.pid, 5000))
				fail_msg("%s: the %u-th killed agent left it "
					 "stopped",
					 ht_mode_names[m], i);
		}
		looks = kills;
		count(&p, storms);
		program_end(&p);
	}
	request = usual;
}

static uint64_t mode_named(const char *name)
{
	for (uint64_t m = 0; name && m < HT_MODE_CORE; m++)
		if (strcmp(name, ht_mode_names[m]) == 0)
			return m;
	return HT_MODE_NONE;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_wait_of_a_quiet_zoo_ends_otherwise),
		cmocka_unit_test(none_does_beside_storms_of_forks_and_signals),
		cmocka_unit_test(
			none_does_beside_storms_of_threads_mappings_and_programs),
		cmocka_unit_test(
			agents_killed_at_random_instants_leave_it_free),
	};

	request = HT_REQUEST_DEFAULT;
	request.timeout_ms = TIMEOUT_MS;
	request.mode = mode_named(getenv("HT_HARM_MODE"));
	looks = (unsigned)atoi(getenv("HT_HARM_LOOKS") ?: "12");
	cmocka_set_test_filter(getenv("HT_HARM_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
