/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: a database of an earlier version becomes one of today without losing
 * a row, and stays whole when that is cut short at any write.
 * LDFLAGS: -Wl,--wrap=clock_gettime
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/store.h"
#include "tests/lib/vfs.h"

#define T0 INT64_C(1750000000) /* seconds */

/* Seconds that pass at each look at the clock. */
static time_t hurry;

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	static time_t passed;
	int result = __real_clock_gettime(id, t);

	t->tv_sec += passed += hurry;
	return result;
}

static void run(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%.60s: %s", sql, why);
}

static void run_file(sqlite3 *db, const char *name)
{
	static char text[65536];
	FILE *f = fopen(name, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	run(db, text);
}

/* Two processes that took turns, four hours of them: of the first hour only
 * roll-ups are left, of the second metrics, of the newest all. Sample 24 says
 * nothing of its fragmentation: it is as sample 22 has it. */
static const char content[] =
	"INSERT INTO process SELECT value, 'web', 'boot', 100 + value, 7, 0, "
	"1, 2, 3, 'web', '/usr/bin/web', 'x86_64', '/', 1000, "
	"1749990000000000000, 1750000000000000000, 1750012000000000000, NULL, "
	"90, 30 - value, 1750003600000000000, 1750006800 "
	"FROM generate_series(1, 2);"
	"INSERT INTO sample (id, process_id, at_ns, base_id, detail, lists, "
	"rss, largest_free, free_runs) SELECT value, 1 + value % 2, "
	"(1750003600 + value * 280) * 1000000000, "
	"CASE WHEN value < 20 THEN value ELSE 20 + value % 2 END, "
	"CASE WHEN value < 10 THEN 0 WHEN value < 20 THEN 3 WHEN value < 22 "
	"THEN 2 ELSE 1 END, 0, 1000 * value, value, 4 * value "
	"FROM generate_series(1, 29);"
	"INSERT INTO fragmentation (sample_id, external, retained_ratio, "
	"peak_overhead, holes_lt_4k, holes_ge_1m_count) SELECT value, "
	"value / 100.0, NULL, 2.5, value * 10, value FROM "
	"generate_series(10, 29) WHERE value <> 24;"
	"INSERT INTO rollup (process_id, level_s, at_s, stat, samples, rss) "
	"SELECT 1, 3600, 1750000000 + value * 3600, 'median', 9, value FROM "
	"generate_series(0, 1);"
	"INSERT INTO class_rollup VALUES (1, 3600, 1750000000, 64, 1, 2, 3, "
	"4, 5);"
	"INSERT INTO bin (sample_id, arena, kind, bin, bytes, chunks) SELECT "
	"20 + value, 0, 'small', 5, 800, 10 FROM generate_series(0, 1);"
	"INSERT INTO event VALUES (1, 1, 1750000000000000000, 'gap', 'g');";

/* generate_series() is not in every SQLite: a table does. */
static void fill(sqlite3 *db)
{
	run(db, "CREATE TEMP TABLE numbers (value INTEGER)");
	run(db, "WITH RECURSIVE n(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM "
		"n WHERE v < 99) INSERT INTO numbers SELECT v FROM n");
}

/* "generate_series(a, b)" as a query of that table. */
static char *plain_sql(void)
{
	static const char word[] = "generate_series(";
	char *out = NULL;
	size_t size;
	FILE *to = open_memstream(&out, &size);
	const char *at = content, *next;

	while ((next = strstr(at, word))) {
		int a, b, used = 0;

		sscanf(next, "generate_series(%d, %d)%n", &a, &b, &used);
		fprintf(to,
			"%.*s(SELECT value FROM numbers WHERE value BETWEEN "
			"%d AND %d)",
			(int)(next - at), at, a, b);
		at = next + used;
	}
	fprintf(to, "%s", at);
	fclose(to);
	return out;
}

static void make_version_4(void)
{
	static const char *const files[] = {
		"store/sql/0001_tables.sql", "store/sql/0002_views.sql",
		"store/sql/0003_stuck.sql", "store/sql/0004_locked.sql"};
	char *sql = plain_sql();
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run(db, "PRAGMA journal_mode = WAL; BEGIN");
	for (size_t i = 0; i < 4; i++)
		run_file(db, files[i]);
	fill(db);
	run(db, sql);
	run(db, "COMMIT; PRAGMA application_id = 1752459620; "
		"PRAGMA user_version = 4");
	sqlite3_close(db);
	free(sql);
}

/* All rows of the tables of version 4, as one text. */
static char *dump(void)
{
	static const char *const tables[] = {
		"process", "sample",	   "fragmentation", "rollup",
		"bin",	   "class_rollup", "event"};
	static const char *const columns[] = {
		"*",
		"id, process_id, at_ns, base_id, detail, rss, "
		"largest_free, free_runs",
		"*",
		"process_id, level_s, at_s, stat, samples, rss",
		"*",
		"process_id, level_s, at_s, max_size, min, p10, median, "
		"max, chunks",
		"*"};
	char *out = NULL, sql[256];
	size_t size;
	FILE *to = open_memstream(&out, &size);
	sqlite3_stmt *q;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		snprintf(sql, sizeof(sql), "SELECT %s FROM %s ORDER BY 1, 3, 4",
			 columns[i], tables[i]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL),
				 SQLITE_OK);
		while (sqlite3_step(q) == SQLITE_ROW) {
			fprintf(to, "%s", tables[i]);
			for (int c = 0; c < sqlite3_column_count(q); c++)
				fprintf(to, " %s",
					(const char *)sqlite3_column_text(q, c)
						?: "NULL");
			fputc('\n', to);
		}
		sqlite3_finalize(q);
	}
	sqlite3_close(db);
	fclose(to);
	return out;
}

static double one(struct ht_store *st, int64_t process_id, enum ht_metric m,
		  int64_t at_s)
{
	HT_AUTO_SERIES struct ht_series s;

	ht_series_init(&s);
	assert_ok(ht_store_series(st, process_id, at_s * HT_NS_PER_S,
				  at_s * HT_NS_PER_S, 0, 0, &s, &err));
	assert_int_equal(s.rows, 1);
	return s.metric[m][HT_STAT_MEDIAN][0];
}

static int64_t sample_s(int64_t id)
{
	return T0 + 3600 + id * 280;
}

static void look_at_metrics(struct ht_store *st)
{
	assert_true(one(st, 2, HT_M_external, sample_s(29)) == 0.29);
	assert_true(one(st, 1, HT_M_external, sample_s(24)) == 0.22);
	assert_true(one(st, 1, HT_M_holes_lt_4k, sample_s(24)) == 220);
	assert_true(one(st, 1, HT_M_peak_overhead, sample_s(10)) == 2.5);
	assert_true(one(st, 2, HT_M_holes_ge_1m_count, sample_s(11)) == 11);
	/* nothing was kept that says it */
	assert_true(isnan(one(st, 1, HT_M_external, sample_s(8))));
	assert_true(isnan(one(st, 1, HT_M_retained_ratio, sample_s(20))));
	assert_true(one(st, 1, HT_M_rss, sample_s(8)) == 8000);
}

static void an_old_database_is_brought_up_to_date_and_loses_no_row(void **state)
{
	struct ht_store *st = NULL;
	char *before, *after;

	(void)state;
	make_version_4();
	before = dump();
	assert_true(strlen(before) > 2000);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_ok(ht_store_check(st, &err));
	look_at_metrics(st);
	ht_store_close(st);
	after = dump();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* The schema as SQLite keeps it, of a file that the store opened. */
static char *schema_of(const char *file)
{
	char *out = NULL;
	size_t size;
	FILE *to = open_memstream(&out, &size);
	sqlite3_stmt *q;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT type, name, sql FROM "
					    "sqlite_schema ORDER BY 1, 2",
					    -1, &q, NULL),
			 SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW)
		fprintf(to, "%s %s: %s\n", sqlite3_column_text(q, 0),
			sqlite3_column_text(q, 1), sqlite3_column_text(q, 2));
	sqlite3_finalize(q);
	sqlite3_close(db);
	fclose(to);
	return out;
}

static void an_old_database_gets_the_schema_of_a_new_one(void **state)
{
	struct ht_store *st = NULL;
	char *old, *new;

	(void)state;
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	ht_store_close(st);
	new = schema_of(path);
	assert_true(strlen(new) > 20000);
	remove_all();
	make_version_4();
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	ht_store_close(st);
	old = schema_of(path);
	assert_string_equal(old, new);
	free(old);
	free(new);
}

/* A reader that was there before sees the new columns, too. */
static void what_stands_behind_a_table_s_text_is_never_run(void **state)
{
	char other[100], hide[400];
	struct ht_store *st = NULL;
	sqlite3 *db;

	(void)state;
	make_version_4();
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(hide, sizeof(hide),
		 "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
		 "sql || '; ATTACH ''%s'' AS o; CREATE TABLE o.t (x)' WHERE "
		 "name = 'process'",
		 other);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run(db, hide);
	sqlite3_close(db);
	assert_int_equal(ht_store_open(path, HT_STORE_WRITE, &st, &err),
			 HT_STORE);
	assert_non_null(strstr(err.msg, "no sound text"));
	assert_int_equal(access(other, F_OK), -1);
}

static void who_reads_meanwhile_reads_on(void **state)
{
	struct ht_store *st = NULL;
	sqlite3_stmt *q;
	sqlite3 *db;

	(void)state;
	make_version_4();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run(db, "SELECT count(*) FROM rollup");
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT external, lists FROM "
					    "rollup",
					    -1, &q, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	sqlite3_finalize(q);
	sqlite3_close(db);
	ht_store_close(st);
}

/* Many samples of one process with all their details, so that bringing them up
 * to date takes SQLite some work. */
static void add_samples(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run(db,
	    "WITH RECURSIVE n(v) AS (SELECT 100 UNION ALL SELECT v + 1 "
	    "FROM n WHERE v < 4000) INSERT INTO sample (id, process_id, "
	    "at_ns, base_id, detail, lists) SELECT v, 1, 1750012000000000000"
	    " + v, v, 2, 0 FROM n; INSERT INTO fragmentation (sample_id, "
	    "external) SELECT id, 0.5 FROM sample WHERE id >= 100");
	sqlite3_close(db);
}

static void remember(void *ctx, const char *text)
{
	char *said = ctx;

	snprintf(said, 200, "%s", text);
}

static void what_takes_longer_than_a_second_is_told(void **state)
{
	struct ht_store *st = NULL;
	char said[200] = "";

	(void)state;
	make_version_4();
	add_samples();
	hurry = 2;
	assert_ok(ht_store_open_telling(path, HT_STORE_WRITE, remember, said,
					&st, &err));
	ht_store_close(st);
	if (strncmp(said, "brings the history up to date: step 1 of ", 41) != 0)
		fail_msg("told: %s", said);
	said[0] = '\0';
	remove_all();
	make_version_4();
	hurry = 0;
	assert_ok(ht_store_open_telling(path, HT_STORE_WRITE, remember, said,
					&st, &err));
	ht_store_close(st);
	assert_string_equal(said, "");
}

/* Writes of a whole migration, or 0 when the fault struck before its end. */
static long migrate_in_child(enum vfs_fault fault, long at)
{
	char text[32] = "";
	int fd[2];
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		struct ht_store *st;

		vfs_install(fault, at, (uint64_t)at);
		if (ht_store_open(path, HT_STORE_WRITE, &st, NULL) != HT_OK)
			_exit(1);
		ht_store_close(st);
		(void)!dprintf(fd[1], "%ld", vfs_count());
		_exit(0);
	}
	close(fd[1]);
	(void)!read(fd[0], text, sizeof(text) - 1);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return atol(text);
}

static void cut_short_everywhere(enum vfs_fault fault)
{
	long all;
	char *before;

	make_version_4();
	before = dump();
	all = migrate_in_child(VFS_NONE, 0);
	assert_true(all > 5);
	for (long at = 1; at <= all; at += VFS_STRIDE) {
		struct ht_store *st = NULL;
		char *after;

		remove_all();
		make_version_4();
		migrate_in_child(fault, at);
		assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
		if (ht_store_check(st, &err) != HT_OK)
			fail_msg("fault %d at %ld: %s", fault, at, err.msg);
		look_at_metrics(st);
		ht_store_close(st);
		after = dump();
		assert_string_equal(before, after);
		free(after);
	}
	free(before);
}

static void a_migration_that_is_killed_at_any_write_is_done_anew(void **state)
{
	(void)state;
	cut_short_everywhere(VFS_KILL);
}

static void a_power_loss_in_a_migration_loses_no_row(void **state)
{
	(void)state;
	cut_short_everywhere(VFS_POWER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, clean)
	const struct CMUnitTest tests[] = {
		TEST(an_old_database_is_brought_up_to_date_and_loses_no_row),
		TEST(an_old_database_gets_the_schema_of_a_new_one),
		TEST(what_stands_behind_a_table_s_text_is_never_run),
		TEST(who_reads_meanwhile_reads_on),
		TEST(what_takes_longer_than_a_second_is_told),
		TEST(a_migration_that_is_killed_at_any_write_is_done_anew),
		TEST(a_power_loss_in_a_migration_loses_no_row),
	};

	return cmocka_run_group_tests_name("store: migrations", tests, NULL,
					   NULL);
}
