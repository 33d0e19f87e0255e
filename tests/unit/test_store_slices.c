/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: upkeep comes in small steps. Each touches a bounded number of rows,
 * and however often it is interrupted, what it makes is the same to the bit.
 * LDFLAGS: -Wl,--wrap=sqlite3_step
 */
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

#include "store/store.h"
#include "tests/lib/store.h"

enum {
	SAMPLES = 2 * 360 + 40, /* two hours and some, a sample each 10 s */
	ROWS_READ = 1500,	/* of the largest sample: bins of ten arenas */
	ROWS_WRITTEN = 1500,	/* of eight samples */
};
#define HOUR_NS (3600 * HT_NS_PER_S)

/* What SQLite did: rows that were returned, and its own count of changes. */
static struct {
	sqlite3 *db;
	long rows;
} seen;

int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);

int __wrap_sqlite3_step(sqlite3_stmt *stmt)
{
	int result = __real_sqlite3_step(stmt);

	seen.db = sqlite3_db_handle(stmt);
	seen.rows += result == SQLITE_ROW;
	return result;
}

static void add_all(struct ht_store *st, const struct fake *f, uint64_t from,
		    uint64_t to)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t i = from; i < to; i++) {
		fake_snapshot(f, i, &s);
		assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
}

/* Short lives, so that all kinds of upkeep come in few hours. */
static struct ht_store_policy short_lives(void)
{
	struct ht_store_policy p = HT_STORE_POLICY_DEFAULT;

	p.detail_s = p.raw_s = p.hourly_s = 7200;
	p.minute_s = 3 * 3600;
	return p;
}

struct most {
	long read, written, slices;
};

/* Upkeep in the smallest slices there are, until all is done. */
static struct most maintain_by_steps(struct ht_store *st, int64_t now_ns)
{
	struct ht_store_policy policy = short_lives();
	struct most most = {0};
	bool done = false;

	for (; !done; most.slices++) {
		long read = seen.rows;
		long changes = seen.db ? sqlite3_total_changes(seen.db) : 0;

		assert_true(most.slices < 100000);
		assert_ok(
			ht_store_maintain(st, &policy, now_ns, 0, &done, &err));
		if (seen.rows - read > most.read)
			most.read = seen.rows - read;
		changes = sqlite3_total_changes(seen.db) - changes;
		if (changes > most.written)
			most.written = changes;
	}
	return most;
}

static void each_slice_of_upkeep_touches_few_rows(void **state)
{
	const struct fake f = FAKE_DEFAULT;
	struct ht_store *st = NULL;
	struct most most;

	(void)state;
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	for (int part = 0; part < 4; part++) {
		add_all(st, &f, (uint64_t)part * SAMPLES / 4,
			(uint64_t)(part + 1) * SAMPLES / 4);
		most = maintain_by_steps(st, FAKE_T0 + (part + 1) * SAMPLES /
							       4 * f.step_ns);
		assert_in_range(most.read, 0, ROWS_READ);
		assert_in_range(most.written, 0, ROWS_WRITTEN);
	}
	/* all of it grows old */
	most = maintain_by_steps(st, FAKE_T0 + 9 * HOUR_NS);
	assert_in_range(most.read, 1, ROWS_READ);
	assert_in_range(most.written, 1, ROWS_WRITTEN);
	assert_true(most.slices > 100);
	assert_ok(ht_store_check(st, &err));
	ht_store_close(st);
}

/* --- the same to the bit ------------------------------------------------- */

static const char *const rolled[] = {"rollup",
				     "class_rollup",
				     "mapping_rollup",
				     "bin_rollup",
				     "bin_size",
				     "arena_rollup",
				     "free_class_rollup",
				     "thread_rollup",
				     "process",
				     "sample",
				     "bin",
				     "size_class"};

/* Where a restart makes no difference: all but the last three, which have all
 * rows of the first sample after it. */
enum { ALL = sizeof(rolled) / sizeof(*rolled), ROLLED = ALL - 3 };

/* All rows of the first n tables, as one text, and how many. */
static char *dump(size_t n, long *ret_rows)
{
	char *out = NULL, sql[128];
	size_t size;
	FILE *to = open_memstream(&out, &size);
	sqlite3_stmt *q;
	sqlite3 *db;

	*ret_rows = 0;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < n; i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2, 3",
			 rolled[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL),
				 SQLITE_OK);
		for (; sqlite3_step(q) == SQLITE_ROW; ++*ret_rows) {
			for (int c = 0; c < sqlite3_column_count(q); c++)
				fprintf(to, " %s",
					(const char *)sqlite3_column_text(q, c)
						?: "NULL");
			fprintf(to, " %s\n", rolled[i]);
		}
		sqlite3_finalize(q);
	}
	sqlite3_close(db);
	fclose(to);
	return out;
}

enum interrupted { IN_ONE_GO, BY_STEPS, REOPENED, LATE };

/* A small process, so that a slice more or less is seen. */
static const struct fake small = {7, 2, 3, 12, 4096, FAKE_T0, 20 * HT_NS_PER_S};
enum { HALF = 90 }; /* its samples in half an hour */

/* So many of the smallest slices, or until all is done. */
static void some_slices(struct ht_store *st, int64_t now_ns, int n)
{
	struct ht_store_policy policy = short_lives();
	bool done = false;

	for (int i = 0; i < n && !done; i++)
		assert_ok(
			ht_store_maintain(st, &policy, now_ns, 0, &done, &err));
}

/* Samples of half an hour. One comes when its hour is being rolled up, far
 * before it is over: that begins anew. */
static void add_half(struct ht_store *st, enum interrupted how, int64_t half)
{
	uint64_t from = (uint64_t)half * HALF, late = how == LATE;

	add_all(st, &small, from, from + HALF - late);
	if (!late)
		return;
	some_slices(st, small.start_ns + (half + 3) * HOUR_NS / 2, 120);
	add_all(st, &small, from + HALF - 1, from + HALF);
}

static char *history_of(enum interrupted how, size_t tables, long *ret_rows)
{
	struct ht_store_policy policy = short_lives();
	struct ht_store *st = NULL;

	remove_all();
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	for (int64_t half = 0; half < 8; half++) {
		int64_t now_ns = small.start_ns + (half + 1) * HOUR_NS / 2;
		bool done = false;

		add_half(st, how, half);
		if (how ==
		    REOPENED) { /* in another part of the work each time */
			some_slices(st, now_ns, (int)(30 + 77 * half));
			ht_store_close(st);
			assert_ok(
				ht_store_open(path, HT_STORE_WRITE, &st, &err));
		}
		while (!done)
			assert_ok(ht_store_maintain(
				st, &policy, now_ns,
				how == IN_ONE_GO ? 60 * HT_NS_PER_S : 0, &done,
				&err));
	}
	assert_ok(ht_store_check(st, &err));
	ht_store_close(st);
	return dump(tables, ret_rows);
}

static void same_as_in_one_go(enum interrupted how)
{
	size_t tables = how == REOPENED ? ROLLED : ALL;
	long rows, others;
	char *whole = history_of(IN_ONE_GO, tables, &rows);
	char *parts = history_of(how, tables, &others);

	assert_true(rows > 2000);
	assert_int_equal(rows, others);
	assert_string_equal(whole, parts);
	free(whole);
	free(parts);
}

static void upkeep_in_many_slices_makes_the_same_to_the_bit(void **state)
{
	(void)state;
	same_as_in_one_go(BY_STEPS);
}

static void a_restart_between_two_slices_changes_nothing(void **state)
{
	(void)state;
	same_as_in_one_go(REOPENED);
}

static void a_late_sample_between_two_slices_is_in_the_roll_ups(void **state)
{
	(void)state;
	same_as_in_one_go(LATE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, clean)
	const struct CMUnitTest tests[] = {
		TEST(each_slice_of_upkeep_touches_few_rows),
		TEST(upkeep_in_many_slices_makes_the_same_to_the_bit),
		TEST(a_restart_between_two_slices_changes_nothing),
		TEST(a_late_sample_between_two_slices_is_in_the_roll_ups),
	};

	return cmocka_run_group_tests_name("store: slices", tests, NULL, NULL);
}
