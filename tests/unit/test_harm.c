/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 180 s
 * Alone: its threads take both processors, and other tests wait for theirs
 *
 * A zoo of waiting threads that check themselves (targets/zoo.c), storms beside
 * them, and the real agent that looks and looks in the default mode: no call
 * returns what it would not have returned. HT_HARM_LOOKS: looks at each zoo
 * (12), by HT_HARM_AGENTS at once (1); HT_HARM_MODE: a mode by name, whose
 * differences are told, and no failure unless the zoo dies: what it may do
 * stands in heaptide(1). HT_HARM_KILLS: agents killed at random instants of a
 * look, in each mode (6), or in HT_HARM_MODE's, beside HT_HARM_STORMS ("fs").
 * HT_HARM_CONTROL: agents look at another program, or are killed while they do:
 * what the zoo says then is of the storms and of the kernel, not of a look.
 * HT_HARM_TEST: tests by name.
 */
#include <inttypes.h>
#include <poll.h>
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

#define AGENTS_MAX 128

static struct ht_request request;
static unsigned looks, agents;
static uint64_t refused;
static bool control; /* nobody looks at the zoo */

/* A zoo, and what is looked at: itself, or in a control what stands beside. */
struct stage {
	struct program zoo, beside;
	pid_t seen;
};

static struct stage stage_open(const char *storms)
{
	struct stage st = {.zoo = program_start("zoo", storms, NULL)};

	assert_true(program_says(&st.zoo, "ready", 10000));
	st.seen = st.zoo.pid;
	if (control) {
		st.beside = program_start("threads", "40", "sleep", NULL);
		assert_true(program_says(&st.beside, "ready", 10000));
		st.seen = st.beside.pid;
	}
	return st;
}

static void stage_close(struct stage *st)
{
	if (control)
		program_end(&st->beside);
	program_end(&st->zoo);
}

struct looker {
	struct ht_client client;
	struct ht_snapshot into;
};

static void begin(struct looker *l, pid_t seen)
{
	struct ht_err err = {0};

	if (l->client.agent_pid <= 0)
		l->client = agent_start(seen);
	if (ht_client_ask(&l->client, &request, &l->into, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static enum ht_code answer(struct ht_client *c, struct ht_err *err)
{
	int64_t limit =
		ht_mono_ns() + 2 * (int64_t)request.timeout_ms * HT_NS_PER_MS;

	while (c->in.state == HT_WIRE_OPEN) {
		struct pollfd readable = {.fd = c->socket, .events = POLLIN};
		enum ht_code code;

		poll(&readable, 1, 1000);
		code = ht_client_receive(c, err);
		if (code != HT_OK)
			return code;
		if (ht_mono_ns() > limit)
			fail_msg("no answer");
	}
	return HT_OK;
}

/* One look; what a mode by name refuses is no look. */
static bool finish(struct looker *l)
{
	struct ht_err err = {0};
	enum ht_code code = answer(&l->client, &err);

	if (request.mode == HT_MODE_NONE && code != HT_OK)
		fail_msg("%s", err.msg);
	if (code != HT_OK) {
		refused++;
		ht_client_stop(&l->client);
		l->client = HT_CLIENT_NONE;
		return false;
	}
	assert_int_equal(ht_snapshot_check(&l->into, &err), HT_OK);
	if (request.mode == HT_MODE_NONE)
		assert_int_equal(l->into.stop.threads, 0);
	return true;
}

/* As many looks as there are agents; returns how many were none. */
static unsigned look(struct looker *all, pid_t seen)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < agents; i++)
		begin(&all[i], seen);
	for (unsigned i = 0; i < agents; i++)
		failed += !finish(&all[i]);
	return failed;
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
	print_message("[   NOTE   ] %s%s, storms \"%s\": %u looks (%" PRIu64
		      " refused), %" PRIu64 " waits, %" PRIu64 " wrong\n",
		      control ? "control of " : "", ht_mode_names[request.mode],
		      storms, looks, refused, all, wrong);
	if (request.mode == HT_MODE_NONE || control)
		assert_int_equal(wrong, 0);
}

static void look_at_the_zoo(const char *storms)
{
	struct stage st = stage_open(storms);
	struct looker all[AGENTS_MAX];
	unsigned failed = 0;

	refused = 0;
	for (unsigned i = 0; i < agents; i++) {
		all[i].client = HT_CLIENT_NONE;
		ht_snapshot_init(&all[i].into);
	}
	for (unsigned i = 0; i < looks && failed <= BUSY_AGAIN + looks;) {
		unsigned none = look(all, st.seen);

		failed += none;
		i += agents - none;
		usleep(BETWEEN_US);
	}
	for (unsigned i = 0; i < agents; i++) {
		ht_client_stop(&all[i].client);
		ht_snapshot_fini(&all[i].into);
	}
	assert_true(process_runs_free(st.seen, 2000));
	count(&st.zoo, storms);
	stage_close(&st);
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
static void kill_while_it_looks(pid_t seen, struct ht_client *c)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_err err;

	ht_snapshot_init(&s);
	*c = agent_start(seen);
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
		struct stage st;
		HT_AUTO_CLIENT struct ht_client c = HT_CLIENT_NONE;

		if (getenv("HT_HARM_MODE") && m != usual.mode)
			continue;
		request.mode = m;
		st = stage_open(storms);
		for (unsigned i = 0; i < kills; i++) {
			kill_while_it_looks(st.seen, &c);
			if (!process_runs_free(st.seen, 5000))
				fail_msg("%s: the %u-th killed agent left it "
					 "stopped",
					 ht_mode_names[m], i);
		}
		looks = kills;
		count(&st.zoo, storms);
		stage_close(&st);
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
	agents = (unsigned)atoi(getenv("HT_HARM_AGENTS") ?: "1");
	if (agents < 1 || agents > AGENTS_MAX)
		agents = AGENTS_MAX;
	control = getenv("HT_HARM_CONTROL") != NULL;
	cmocka_set_test_filter(getenv("HT_HARM_TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
