/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/agents/answers.h"

#define AGENTS	 3
#define LIMIT_US 5000000

struct agent {
	int ours, theirs;
	unsigned taken;
	struct agent *sends_away; /* when it is taken; NULL: nobody */
};

static sd_event *event;
static struct ht_answers answers;
static struct agent agents[AGENTS];
static struct ht_err err;

static void take(void *of)
{
	struct agent *a = of;
	char byte;

	assert_int_equal(read(a->ours, &byte, 1), 1);
	a->taken++;
	if (a->sends_away)
		ht_answers_leave(&answers, a->sends_away->ours, a->sends_away);
}

static int begin(void **state)
{
	(void)state;
	memset(agents, 0, sizeof(agents));
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(ht_answers_init(&answers, event, take, &err), HT_OK);
	for (size_t i = 0; i < AGENTS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		agents[i].ours = pair[0];
		agents[i].theirs = pair[1];
		assert_int_equal(
			ht_answers_add(&answers, pair[0], &agents[i], &err),
			HT_OK);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	ht_answers_fini(&answers);
	for (size_t i = 0; i < AGENTS; i++) {
		close(agents[i].ours);
		close(agents[i].theirs);
	}
	event = sd_event_unref(event);
	return 0;
}

static void answer(size_t i)
{
	assert_int_equal(write(agents[i].theirs, "x", 1), 1);
}

static unsigned taken(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < AGENTS; i++)
		n += agents[i].taken;
	return n;
}

static void what_came_together_is_taken_in_one_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < AGENTS; i++)
		answer(i);
	assert_true(sd_event_run(event, LIMIT_US) > 0);
	assert_int_equal(taken(), AGENTS);
	assert_int_equal(sd_event_run(event, 0), 0);
}

static void in_a_rest_nothing_is_taken_and_after_it_all(void **state)
{
	(void)state;
	ht_answers_rest(&answers);
	answer(0);
	answer(1);
	/* the one thing that comes is the rest's end */
	assert_true(sd_event_run(event, LIMIT_US) > 0);
	assert_false(answers.rests);
	assert_int_equal(taken(), 2);
	/* who takes longer than the rest is listened for */
	answer(2);
	assert_true(sd_event_run(event, LIMIT_US) > 0);
	assert_int_equal(taken(), AGENTS);
}

static void a_second_rest_does_not_make_the_first_longer(void **state)
{
	(void)state;
	ht_answers_rest(&answers);
	ht_answers_rest(&answers);
	answer(0);
	assert_true(sd_event_run(event, LIMIT_US) > 0);
	assert_int_equal(taken(), 1);
	assert_int_equal(sd_event_run(event, 0), 0);
}

/* Whoever is taken may make another end, whose answer is at hand, too. */
static void who_left_meanwhile_is_not_taken(void **state)
{
	(void)state;
	agents[0].sends_away = &agents[1];
	agents[1].sends_away = &agents[0];
	answer(0);
	answer(1);
	assert_true(sd_event_run(event, LIMIT_US) > 0);
	assert_int_equal(taken(), 1);
	assert_int_equal(sd_event_run(event, 0), 0);
}

#define OF_AGENTS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_AGENTS(what_came_together_is_taken_in_one_turn),
		OF_AGENTS(in_a_rest_nothing_is_taken_and_after_it_all),
		OF_AGENTS(a_second_rest_does_not_make_the_first_longer),
		OF_AGENTS(who_left_meanwhile_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
