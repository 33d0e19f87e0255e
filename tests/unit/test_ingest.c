/* SPDX-License-Identifier: Apache-2.0 */
/* Ingest: samples wait to be written together, and nobody sees that they did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>

#include "daemon/ingest/ingest.h"
#include "tests/lib/open_store.h"

#define PROCESSES (HT_INGEST_WAITING + 5)

static struct ht_daemon_config config;
static struct ht_ingest i;
static struct ht_watched p[PROCESSES];
static sd_event *event;

static void opened(void *ctx)
{
	(void)ctx;
}

static int begin(void **state)
{
	const struct ht_ingest_events events = {.opened = opened};

	if (fresh_open(state) != 0)
		return -1;
	ht_store_close(st); /* ingest is the one writer */
	st = NULL;
	snprintf(config.store, sizeof(config.store), "%s", path);
	memset(p, 0, sizeof(p));
	assert_true(sd_event_new(&event) >= 0);
	assert_ok(ht_ingest_init(&i, event, &config, &events, &err));
	return 0;
}

static int end(void **state)
{
	ht_ingest_fini(&i);
	event = sd_event_unref(event);
	for (size_t k = 0; k < PROCESSES; k++)
		ht_newest_fini(&p[k].newest);
	return close_clean(state);
}

/* The n-th sample of process k, as the supervisor hands it over. */
static void sample(size_t k, uint64_t n)
{
	struct fake f = FAKE_DEFAULT;

	f.pid = 1000 + k;
	strcpy(p[k].target, "t");
	p[k].samples++;
	assert_ok(ht_newest_open(&p[k].newest, &err));
	fake_snapshot(&f, n, p[k].newest.open);
	ht_ingest_sample(&i, &p[k]);
	ht_newest_close(&p[k].newest);
}

struct sums {
	uint64_t processes, samples, newest_ns;
};

static int add(void *ctx, const struct ht_store_process *process)
{
	struct sums *s = ctx;

	s->processes++;
	s->samples += (uint64_t)process->samples;
	s->newest_ns += (uint64_t)process->last_ns;
	return 0;
}

/* What another program finds in the store. */
static struct sums seen(void)
{
	HT_AUTO_STORE struct ht_store *reader = NULL;
	struct sums s = {0};

	assert_ok(ht_store_open(path, HT_STORE_READ, &reader, &err));
	assert_ok(ht_store_processes(reader, add, &s, &err));
	return s;
}

static void samples_wait_and_are_written_with_the_commit(void **state)
{
	(void)state;
	for (size_t k = 0; k < 10; k++) {
		sample(k, 0);
		assert_int_equal(i.waiting_n, 0); /* who it is, is known */
		assert_true(p[k].store_id > 0);
	}
	ht_ingest_flush(&i);
	assert_int_equal(seen().samples, 10);
	for (size_t k = 0; k < 10; k++)
		sample(k, 1);
	assert_int_equal(i.waiting_n, 10);
	assert_false(i.begun); /* nobody waits for our lock meanwhile */
	assert_int_equal(i.stored, 10);
	while (i.waiting_n > 0) /* its own timer */
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	assert_int_equal(seen().samples, 20);
	assert_int_equal(i.stored, 20);
	assert_int_equal(i.lost, 0);
}

static void more_than_may_wait_are_written_meanwhile(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 3; n++)
		for (size_t k = 0; k < PROCESSES; k++) {
			sample(k, n);
			assert_true(i.waiting_n < HT_INGEST_WAITING);
		}
	ht_ingest_flush(&i);
	assert_int_equal(seen().processes, PROCESSES);
	assert_int_equal(seen().samples, 3 * PROCESSES);
}

static void two_samples_of_one_second_are_both_written(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot newest;
	uint64_t at_ns;

	(void)state;
	ht_snapshot_init(&newest);
	for (uint64_t n = 0; n < 5; n++)
		sample(0, n);
	assert_true(ht_newest_read(&p[0].newest, &newest));
	at_ns = (uint64_t)newest.head.taken_at;
	ht_ingest_flush(&i);
	assert_int_equal(seen().samples, 5);
	assert_int_equal(seen().newest_ns, at_ns);
}

static void who_asks_for_a_process_has_its_newest_sample(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 2; n++)
		for (size_t k = 0; k < 3; k++)
			sample(k, n);
	assert_int_equal(i.waiting_n, 3);
	assert_non_null(ht_ingest_store_of(&i, &p[5])); /* none of it waits */
	assert_int_equal(i.waiting_n, 3);
	assert_non_null(ht_ingest_store_of(&i, &p[1]));
	assert_int_equal(i.waiting_n, 0);
	sample(1, 2);
	ht_ingest_event(&i, &p[1], "failed", "after its sample");
	assert_int_equal(i.waiting_n, 0);
	sample(1, 3);
	ht_ingest_ended(&i, &p[1]);
	assert_int_equal(i.waiting_n, 0);
	sample(2, 2);
	ht_ingest_left(&i, &p[2]);
	assert_false(p[2].waits);
	ht_ingest_flush(&i);
	assert_int_equal(seen().samples, 9);
}

static void what_waited_in_a_trouble_is_counted_as_lost(void **state)
{
	struct ht_err why;

	(void)state;
	for (uint64_t n = 0; n < 2; n++)
		for (size_t k = 0; k < 4; k++)
			sample(k, n);
	ht_ingest_flush(&i);
	for (size_t k = 0; k < 4; k++)
		sample(k, 2);
	ht_err_put(&why, HT_STORE, 0, 0, "made by a test");
	ht_ingest_trouble(&i, "test", &why);
	assert_int_equal(i.lost, 4);
	assert_int_equal(i.waiting_n, 0);
	for (size_t k = 0; k < 4; k++)
		assert_false(p[k].waits);
	sample(0, 3); /* while there is no store */
	assert_int_equal(i.lost, 5);
	assert_false(p[0].waits);
	while (!i.store)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	sample(0, 4);
	ht_ingest_flush(&i);
	assert_int_equal(i.lost, 5);
	assert_int_equal(seen().samples, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			samples_wait_and_are_written_with_the_commit, begin,
			end),
		cmocka_unit_test_setup_teardown(
			more_than_may_wait_are_written_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(
			two_samples_of_one_second_are_both_written, begin, end),
		cmocka_unit_test_setup_teardown(
			who_asks_for_a_process_has_its_newest_sample, begin,
			end),
		cmocka_unit_test_setup_teardown(
			what_waited_in_a_trouble_is_counted_as_lost, begin,
			end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
