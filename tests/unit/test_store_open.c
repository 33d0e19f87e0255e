/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a store: what is no database of ours, or not whole, or another's at
 * the moment is told in words; readers see what was committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_int.h"
#include "tests/lib/machine.h"
#include "tests/lib/store.h"

/* --- in words ------------------------------------------------------------ */

static void make_store(void)
{
	struct ht_store *st = NULL;

	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_ok(write_some(st, 0));
	ht_store_close(st);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_newer_file_is_refused_by_name_in_both_modes(void **state)
{
	struct ht_store *st = NULL;

	(void)state;
	make_store();
	run_sql("PRAGMA user_version = 99");
	for (int mode = HT_STORE_READ; mode <= HT_STORE_WRITE; mode++) {
		assert_int_equal(ht_store_open(path, (enum ht_store_mode)mode,
					       &st, &err),
				 HT_STORE);
		assert_non_null(strstr(err.msg, "newer heaptide"));
		assert_non_null(strstr(err.msg, "99"));
		assert_non_null(strstr(err.msg, path));
	}
}

static void a_database_of_another_program_is_left_alone(void **state)
{
	struct ht_store *st = NULL;

	(void)state;
	run_sql("CREATE TABLE books (title TEXT)");
	assert_int_equal(ht_store_open(path, HT_STORE_WRITE, &st, &err),
			 HT_STORE);
	assert_non_null(strstr(err.msg, "another program"));
}

static void overwrite(off_t at, const char *text)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at),
			 (ssize_t)strlen(text));
	close(fd);
}

static void a_damaged_file_is_called_damaged(void **state)
{
	struct ht_store *st = NULL;
	char noise[4097];

	(void)state;
	make_store();
	memset(noise, 'x', sizeof(noise) - 1);
	noise[sizeof(noise) - 1] = '\0';
	overwrite(3 * 4096, noise);
	if (ht_store_open(path, HT_STORE_WRITE, &st, &err) == HT_OK) {
		assert_int_equal(ht_store_check(st, &err), HT_STORE);
		ht_store_close(st);
	}
	assert_non_null(strstr(err.msg, "damaged"));
	overwrite(0, "this was never a database, was it?");
	assert_int_equal(ht_store_open(path, HT_STORE_WRITE, &st, &err),
			 HT_STORE);
	assert_non_null(strstr(err.msg, "damaged or no database"));
}

static void a_locked_file_is_an_error_at_once_and_then_goes_on(void **state)
{
	struct ht_store *st = NULL;
	sqlite3 *other;
	int64_t begin_ns;

	(void)state;
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
		SQLITE_OK);
	begin_ns = ht_mono_ns();
	assert_int_equal(ht_store_begin(st, &err), HT_STORE);
	assert_true(ht_mono_ns() - begin_ns < 2 * HT_NS_PER_S);
	assert_non_null(strstr(err.msg, "lock"));
	sqlite3_close(other);
	assert_ok(write_some(st, 0));
	ht_store_close(st);
}

static void a_full_disk_is_told_in_words(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_store *st = NULL;
	struct fake f = FAKE_DEFAULT;

	(void)state;
	ht_snapshot_init(&s);
	fake_snapshot(&f, 0, &s);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_ok(ht_store_exec(st, "PRAGMA max_page_count = 1", &err));
	assert_int_equal(ht_store_add(st, "", &s, NULL, &err), HT_STORE);
	assert_non_null(strstr(err.msg, "full"));
	assert_ok(ht_store_exec(st, "PRAGMA max_page_count = 100000", &err));
	assert_ok(ht_store_add(st, "", &s, NULL, &err));
	ht_store_close(st);
}

static void nothing_there_is_no_data(void **state)
{
	struct ht_store *st = NULL;

	(void)state;
	assert_int_equal(ht_store_open(path, HT_STORE_READ, &st, &err),
			 HT_NODATA);
	assert_non_null(strstr(err.msg, path));
}

/* --- readers ------------------------------------------------------------- */

static void a_reader_works_while_a_writer_writes(void **state)
{
	struct ht_store *writer = NULL, *reader = NULL;

	(void)state;
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &writer, &err));
	assert_ok(write_some(writer, 0));
	assert_ok(ht_store_open(path, HT_STORE_READ, &reader, &err));
	assert_int_equal(count_samples(reader), EACH);
	assert_ok(ht_store_begin(writer, &err)); /* held open */
	assert_int_equal(count_samples(reader), EACH);
	assert_ok(ht_store_commit(writer, &err));
	assert_ok(write_some(writer, EACH));
	assert_int_equal(count_samples(reader), 2 * EACH);
	ht_store_close(reader);
	ht_store_close(writer);
}

/* As a person of no group that may write there; 0: it could read them all. */
static int read_as_nobody(int64_t want)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct ht_store *st = NULL;

		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 ||
		    setuid(65534) < 0)
			_exit(3);
		if (ht_store_open(path, HT_STORE_READ, &st, &err) != HT_OK)
			_exit(strstr(err.msg, "-wal") ? 2 : 1);
		_exit(count_samples(st) == want ? 0 : 4);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
a_reader_without_the_right_to_write_reads_all_or_says_why(void **state)
{
	struct ht_store *st = NULL;
	char wal[100];

	(void)state;
	needs("root"); /* to become another user */
	make_store();
	chmod(path, 0644);
	assert_int_equal(read_as_nobody(EACH), 0); /* writer gone */
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_ok(write_some(st, EACH));
	assert_int_equal(read_as_nobody(2 * EACH), 0); /* writer active */
	snprintf(wal, sizeof(wal), "%s-wal", path);
	chmod(wal, 0600);
	/* the newest rows are in a file that it may not read: never the old
	 * state silently */
	assert_int_equal(read_as_nobody(2 * EACH), 2);
	ht_store_close(st);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
	const struct CMUnitTest tests[] = {
		T(a_newer_file_is_refused_by_name_in_both_modes),
		T(a_database_of_another_program_is_left_alone),
		T(a_damaged_file_is_called_damaged),
		T(a_locked_file_is_an_error_at_once_and_then_goes_on),
		T(a_full_disk_is_told_in_words),
		T(nothing_there_is_no_data),
		T(a_reader_works_while_a_writer_writes),
		T(a_reader_without_the_right_to_write_reads_all_or_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
