/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 300 s
 *
 * Store: whatever happens, the file stays sound and what was committed stays.
 * A child process writes and reports each commit through a pipe; the fault
 * strikes at its n-th write, for every n; the parent opens what is left.
 */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "store/store_int.h"
#include "tests/lib/fake.h"
#include "tests/lib/machine.h"
#include "tests/lib/store.h"
#include "tests/lib/vfs.h"

/* --- the writer ---------------------------------------------------------- */

enum { COMMITS = 3, EACH = 2 };

/* A small process, its samples an hour apart, so that upkeep has work. */
static const struct fake small = {7, 1, 1, 4, 0, FAKE_T0, 3600 * HT_NS_PER_S};

static enum ht_code write_some(struct ht_store *st, uint64_t from)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code = ht_store_begin(st, NULL);
	bool done;

	ht_snapshot_init(&s);
	for (uint64_t i = 0; i < EACH && code == HT_OK; i++) {
		fake_snapshot(&small, from + i, &s);
		code = ht_store_add(st, "t", &s, NULL, NULL);
	}
	if (code == HT_OK)
		code = ht_store_commit(st, NULL);
	if (code != HT_OK)
		return code;
	policy.detail_s = policy.raw_s = 7200;
	return ht_store_maintain(st, &policy,
				 s.head.taken_at + 600 * HT_NS_PER_S,
				 HT_NS_PER_S, &done, NULL);
}

/* In a child: one byte through the pipe for each commit that was reported as
 * done. Ends with 0, or with 1 at the first error. */
static void run_writer(int report)
{
	struct ht_store *st;

	if (ht_store_open(path, HT_STORE_WRITE, &st, NULL) != HT_OK)
		_exit(1);
	for (uint64_t i = 0; i < COMMITS; i++) {
		if (write_some(st, i * EACH) != HT_OK)
			_exit(1);
		(void)!write(report, "c", 1);
	}
	ht_store_close(st);
	(void)!dprintf(report, "%ld", vfs_count());
	_exit(0);
}

/* Commits that were reported; *ret_count: operations of a whole run, or 0. */
static int run_child(enum vfs_fault fault, long at, long *ret_count)
{
	char text[64] = "";
	size_t n = 0;
	ssize_t got;
	int fd[2], commits = 0;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		vfs_install(fault, at, (uint64_t)at);
		run_writer(fd[1]);
	}
	close(fd[1]);
	while ((got = read(fd[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd[0]);
	waitpid(pid, NULL, 0);
	while (text[commits] == 'c')
		commits++;
	*ret_count = atol(text + commits);
	return commits;
}

/* --- what is left -------------------------------------------------------- */

static int64_t count_samples(struct ht_store *st)
{
	struct ht_store_process p;

	if (ht_store_find(st, "t", &p, NULL) != HT_OK)
		return 0;
	return (int64_t)p.samples;
}

/* Sound, nothing lost that was committed, at most the sample in flight more,
 * and recording goes on. */
static void look_at_what_is_left(enum vfs_fault fault, long at, int commits)
{
	struct ht_store *st = NULL;
	int64_t samples;

	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	if (ht_store_check(st, &err) != HT_OK)
		fail_msg("fault %d at %ld: %s", fault, at, err.msg);
	samples = count_samples(st);
	if (samples < commits * EACH || samples > (commits + 1) * EACH)
		fail_msg("fault %d at %ld: %d samples after %d commits", fault,
			 at, (int)samples, commits);
	assert_int_equal(samples % EACH, 0);
	assert_ok(write_some(st, COMMITS * EACH));
	assert_int_equal(count_samples(st), samples + EACH);
	ht_store_close(st);
}

/* At every operation; sanitizers make that five times as slow, and look for
 * something else. */
#ifdef HT_ASAN
#define STRIDE 7
#else
#define STRIDE 1
#endif

static void strike_everywhere(enum vfs_fault fault)
{
	long all = 0, ignored;

	run_child(VFS_NONE, 0, &all);
	remove_all();
	assert_true(all > 50);
	for (long at = 1; at <= all; at += STRIDE) {
		int commits = run_child(fault, at, &ignored);

		look_at_what_is_left(fault, at, commits);
		remove_all();
	}
}

static void a_kill_at_any_write_loses_the_sample_in_flight_at_most(void **state)
{
	(void)state;
	strike_everywhere(VFS_KILL);
}

static void a_power_loss_at_any_write_loses_no_commit(void **state)
{
	(void)state;
	strike_everywhere(VFS_POWER);
}

static void
a_full_disk_at_any_write_stops_recording_and_nothing_else(void **state)
{
	(void)state;
	strike_everywhere(VFS_FULL);
}

static void a_write_that_fails_once_is_survived(void **state)
{
	(void)state;
	strike_everywhere(VFS_FULL_ONCE);
}

static void a_broken_disk_at_any_operation_is_an_error(void **state)
{
	(void)state;
	strike_everywhere(VFS_IOERR);
}

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

static void a_reader_works_after_the_writer_was_killed(void **state)
{
	struct ht_store *st = NULL;
	long ignored, all = 0;
	int commits;

	(void)state;
	run_child(VFS_NONE, 0, &all);
	remove_all();
	commits = run_child(VFS_KILL, all - 5, &ignored);
	assert_true(commits >= 1);
	assert_ok(ht_store_open(path, HT_STORE_READ, &st, &err));
	assert_true(count_samples(st) >= commits * EACH);
	ht_store_close(st);
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
		T(a_kill_at_any_write_loses_the_sample_in_flight_at_most),
		T(a_power_loss_at_any_write_loses_no_commit),
		T(a_full_disk_at_any_write_stops_recording_and_nothing_else),
		T(a_write_that_fails_once_is_survived),
		T(a_broken_disk_at_any_operation_is_an_error),
		T(a_newer_file_is_refused_by_name_in_both_modes),
		T(a_database_of_another_program_is_left_alone),
		T(a_damaged_file_is_called_damaged),
		T(a_locked_file_is_an_error_at_once_and_then_goes_on),
		T(a_full_disk_is_told_in_words),
		T(nothing_there_is_no_data),
		T(a_reader_works_while_a_writer_writes),
		T(a_reader_works_after_the_writer_was_killed),
		T(a_reader_without_the_right_to_write_reads_all_or_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
