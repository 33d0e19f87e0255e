/* SPDX-License-Identifier: Apache-2.0 */
/* Ends: who ended while the store was in trouble is told of when it works
 * again, and what is lost is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>

#include "daemon/ingest/ingest.h"
#include "tests/lib/open_store.h"

#define PROCESSES 700 /* more than a burst of restarts */

static struct ht_watched p;

/* As the registry has it: it was measured, and its key names the life. */
static void ends(struct ht_ingest *i, const struct ht_head *h)
{
	p.samples = 1;
	p.pid = (pid_t)h->pid;
	p.start_ticks = h->start_ticks;
	snprintf(p.key, sizeof(p.key), "%s:%d:%d", h->boot_id, (int)h->pid,
		 (int)h->start_ticks);
	ht_ingest_ended(i, &p);
}

static int count_ended(void *ctx, const struct ht_store_process *process)
{
	*(size_t *)ctx += process->ended_ns > 0;
	return 0;
}

static size_t ended(void)
{
	HT_AUTO_STORE struct ht_store *reader = NULL;
	size_t n = 0;

	assert_ok(ht_store_open(path, HT_STORE_READ, &reader, &err));
	assert_ok(ht_store_processes(reader, count_ended, &n, &err));
	return n;
}

static void opened(void *ctx)
{
	*(bool *)ctx = true;
}

static void who_ended_in_a_trouble_is_told_of_after_it(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	static struct ht_daemon_config config;
	static struct ht_ingest i;
	struct fake f = FAKE_DEFAULT;
	sd_event *event = NULL;
	bool works = false;
	const struct ht_ingest_events events = {.opened = opened,
						.ctx = &works};
	char away[100];

	(void)state;
	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = 0; n < PROCESSES; n++) {
		f.pid = 1000 + n;
		fake_snapshot(&f, 0, &s);
		assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
	ht_store_close(st);
	st = NULL;
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* nothing that opens */
	snprintf(config.store, sizeof(config.store), "%s", path);
	assert_true(sd_event_new(&event) >= 0);
	assert_ok(ht_ingest_init(&i, event, &config, &events, &err));
	assert_null(ht_ingest_store(&i));
	for (uint64_t n = 0; n < PROCESSES; n++) {
		f.pid = 1000 + n;
		fake_snapshot(&f, 0, &s);
		ends(&i, &s.head);
	}
	assert_int_equal(i.lost_events, 0);
	/* what is no end is gone, and counted */
	p.store_id = 1;
	ht_ingest_event(&i, &p, "failed", "some text");
	assert_int_equal(i.lost_events, 1);

	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rename(away, path), 0);
	while (!works)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	ht_ingest_flush(&i);
	assert_int_equal(ended(), PROCESSES);
	assert_int_equal(i.ends.n, 0);
	assert_int_equal(i.lost_events, 1);
	ht_ingest_fini(&i);
	sd_event_unref(event);
}

static void what_is_too_much_to_keep_is_not_taken(void **state)
{
	const struct ht_store_end end = {.pid = 1, .start_ticks = 2};
	struct ht_ends e = {0};

	(void)state;
	for (size_t n = 0; n < HT_ENDS_MOST; n++)
		assert_true(ht_ends_add(&e, &end));
	assert_false(ht_ends_add(&e, &end));
	e.written = 10;
	ht_ends_undone(&e);
	assert_ptr_equal(ht_ends_next(&e), e.v);
	e.written = 10;
	ht_ends_committed(&e);
	assert_int_equal(e.n, HT_ENDS_MOST - 10);
	assert_true(ht_ends_add(&e, &end));
	e.written = e.n;
	assert_null(ht_ends_next(&e));
	ht_ends_committed(&e);
	assert_null(e.v); /* the room is given back */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			who_ended_in_a_trouble_is_told_of_after_it, fresh_open,
			close_clean),
		cmocka_unit_test(what_is_too_much_to_keep_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
