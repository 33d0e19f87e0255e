/* SPDX-License-Identifier: Apache-2.0 */
/* Store: every query that docs/store.md shows runs and finds something; the
 * views say what the samples said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "store/store_int.h"
#include "store/who.h"
#include "tests/lib/fake.h"
#include "tests/lib/store.h"

static struct ht_store *st;

#define HOUR (3600 * HT_NS_PER_S)
static const struct fake small = {
	7, 3, 4, 8, 4096, FAKE_T0 - FAKE_T0 % HOUR, 60 * HT_NS_PER_S};
enum { SAMPLES = 200, PINNED_FROM = 50, RESTS_FROM = 63, RESTS_TO = 127 };

/* From the 50th sample on, the same chunk holds 55 MiB and then more; for an
 * hour another arena has one that holds the same all the time. */
static void pin(struct ht_snapshot *s, uint64_t n)
{
	for (size_t i = 0; i < s->arenas.n; i++) {
		struct ht_arena *a = &s->arenas.v[i];

		a->pin_address = a->pin_size = a->pin_holds = HT_UNKNOWN;
		if (a->index == 1 && n >= PINNED_FROM) {
			a->pin_address = 0x7f0004123450;
			a->pin_size = 32;
			a->pin_holds = (55 << 20) + n;
		}
		if (a->index == 2 && n >= RESTS_FROM && n < RESTS_TO) {
			a->pin_address = 0x7f0008123450;
			a->pin_size = 48;
			a->pin_holds = 1 << 20;
		}
	}
}

/* As a daemon that was asked for call stacks found them. */
static bool add_stacks(void)
{
	const struct ht_store_who who = {.at_ns = small.start_ns};
	const struct ht_store_site site = {.name = "open < main", .leaking = 1};
	HT_AUTO_SNAPSHOT struct ht_snapshot seen;
	struct ht_stack_frame *f;

	ht_snapshot_init(&seen);
	f = ht_snapshot_add_stack_frame(&seen);
	if (!f)
		return false;
	f->site = 0;
	snprintf(f->function, sizeof(f->function), "open");
	return ht_store_add_who(st, 1, &who, &seen, &site, 1, &err) == HT_OK;
}

static int make(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	bool done = false;

	(void)state;
	ht_snapshot_init(&s);
	if (fresh(state) != 0 ||
	    ht_store_open(path, HT_STORE_WRITE, &st, &err) != HT_OK ||
	    ht_store_begin(st, &err) != HT_OK)
		return -1;
	for (uint64_t n = 0; n < SAMPLES; n++) {
		fake_snapshot(&small, n, &s);
		pin(&s, n);
		if (ht_store_add(st, "web", &s, NULL, &err) != HT_OK)
			return -1;
	}
	if (ht_store_commit(st, &err) != HT_OK || !add_stacks())
		return -1;
	for (int i = 0; i < 10000 && !done; i++)
		if (ht_store_maintain(st, &HT_STORE_POLICY_DEFAULT,
				      small.start_ns + SAMPLES * small.step_ns,
				      HT_NS_PER_S, &done, &err) != HT_OK)
			return -1;
	return done ? 0 : -1;
}

static int end(void **state)
{
	ht_store_close(st);
	return clean(state);
}

/* Rows that a query yields; fails where it cannot be run. */
static int rows_of(const char *sql)
{
	sqlite3_stmt *q = NULL;
	int rows = 0;

	if (sqlite3_prepare_v2(st->db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(st->db));
	while (sqlite3_step(q) == SQLITE_ROW)
		rows++;
	sqlite3_finalize(q);
	return rows;
}

static double one(const char *sql)
{
	sqlite3_stmt *q = NULL;
	double v;

	if (sqlite3_prepare_v2(st->db, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(st->db));
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	v = sqlite3_column_double(q, 0);
	sqlite3_finalize(q);
	return v;
}

static void every_query_of_the_manual_runs_and_finds_something(void **state)
{
	static const char fence[] = "```sql\n";
	static char text[65536];
	FILE *f = fopen("docs/store.md", "r");
	char *at = text, *end;
	int queries = 0;

	(void)state;
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	while ((at = strstr(at, fence))) {
		at += strlen(fence);
		end = strstr(at, "```");
		assert_non_null(end);
		*end = '\0';
		if (rows_of(at) == 0)
			fail_msg("nothing found: %s", at);
		queries++;
		at = end + 1;
	}
	assert_true(queries >= 13);
}

static void views_say_what_the_samples_said(void **state)
{
	(void)state;
	/* the first hour: 60 samples, their nearest rank in the middle */
	assert_true(one("SELECT external FROM fragmentation_1h LIMIT 1") ==
		    one("SELECT external FROM sample WHERE id <= 60 ORDER BY "
			"external LIMIT 1 OFFSET 29"));
	assert_true(one("SELECT external_max FROM fragmentation_1h LIMIT 1") ==
		    one("SELECT max(external) FROM sample WHERE id <= 60"));
	assert_true(one("SELECT top_min FROM tops_1h LIMIT 1") ==
		    one("SELECT min(top) FROM sample WHERE id <= 60"));
	assert_int_equal(rows_of("SELECT 1 FROM fragmentation_1h"), 3);
	assert_true(one("SELECT max_size FROM bins_1h WHERE kind = 'small' AND "
			"bin = 6") == 96);
}

static void a_pin_has_its_chunk_its_time_and_what_it_held(void **state)
{
	(void)state;
	assert_int_equal(rows_of("SELECT 1 FROM pins"), 2);
	assert_int_equal(
		rows_of("SELECT 1 FROM pins WHERE address = '0x7f0004123450' "
			"AND size = 32 AND samples = 150"),
		1);
	assert_true(one("SELECT holds_min FROM pins") ==
		    (55 << 20) + PINNED_FROM);
	assert_true(one("SELECT holds_max FROM pins") ==
		    (55 << 20) + SAMPLES - 1);
	assert_true(one("SELECT hours FROM pins") == 2.48); /* 149 minutes */
}

static void a_pin_that_rests_was_seen_in_each_sample(void **state)
{
	(void)state;
	assert_int_equal(
		rows_of("SELECT 1 FROM pins WHERE address = '0x7f0008123450' "
			"AND size = 48 AND samples = 64 AND holds_min = "
			"holds_max AND hours = 1.05"), /* 63 minutes */
		1);
}

static void since_when_a_pin_holds_is_known(void **state)
{
	int64_t to = small.start_ns + (SAMPLES - 1) * small.step_ns;
	struct ht_store_pin p;

	(void)state;
	assert_int_equal(ht_store_pin_at(st, 1, INT64_MAX, &p, &err), HT_OK);
	assert_int_equal(p.address, 0x7f0004123450);
	assert_int_equal(p.size, 32);
	assert_int_equal(p.holds, (55 << 20) + SAMPLES - 1);
	assert_int_equal(p.least, (55 << 20) + PINNED_FROM);
	assert_int_equal(p.most, p.holds);
	assert_int_equal(p.since_ns,
			 small.start_ns + PINNED_FROM * small.step_ns);
	assert_int_equal(p.seen_ns, to);
	/* as of then, it was not there yet */
	assert_int_equal(ht_store_pin_at(st, 1,
					 small.start_ns + 40 * small.step_ns,
					 &p, &err),
			 HT_NODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_query_of_the_manual_runs_and_finds_something),
		cmocka_unit_test(views_say_what_the_samples_said),
		cmocka_unit_test(a_pin_has_its_chunk_its_time_and_what_it_held),
		cmocka_unit_test(a_pin_that_rests_was_seen_in_each_sample),
		cmocka_unit_test(since_when_a_pin_holds_is_known),
	};

	return cmocka_run_group_tests_name("store: queries", tests, make, end);
}
