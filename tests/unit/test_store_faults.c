/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: whatever happens, the file stays sound and what was committed stays.
 * A child process opens it, writes and reports each commit through a pipe; the
 * fault strikes at its n-th write, for every n; the parent opens what is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/fake.h"
#include "tests/lib/store.h"
#include "tests/lib/vfs.h"

/* --- the writer ---------------------------------------------------------- */

enum { COMMITS = 3 };

/* Where it begins, and how far it goes. To make the tables takes fifty times as
 * long as to copy a file that has them. */
enum course {
	MAKES_THE_TABLES, /* there is no file; no commit */
	COMMITS_SAMPLES,  /* a file without a sample; COMMITS */
};

/* In a child: one byte through the pipe for each commit that was reported as
 * done. Ends with 0, or with 1 at the first error. */
static void run_writer(enum course course, int report)
{
	uint64_t commits = course == COMMITS_SAMPLES ? COMMITS : 0;
	struct ht_store *st;

	if (ht_store_open(path, HT_STORE_WRITE, &st, NULL) != HT_OK)
		_exit(1);
	for (uint64_t i = 0; i < commits; i++) {
		if (write_some(st, i * EACH) != HT_OK)
			_exit(1);
		(void)!write(report, "c", 1);
	}
	ht_store_close(st);
	(void)!dprintf(report, "%ld", vfs_count());
	_exit(0);
}

/* A file with the tables and no sample, made once. */
static char empty[1 << 20];
static size_t empty_n;

static int make_empty(void **state)
{
	struct ht_store *st = NULL;
	FILE *f;

	if (fresh(state) || ht_store_open(path, HT_STORE_WRITE, &st, &err))
		return -1;
	ht_store_close(st);
	f = fopen(path, "r");
	empty_n = f ? fread(empty, 1, sizeof(empty), f) : 0;
	if (f)
		fclose(f);
	return empty_n == 0 || empty_n == sizeof(empty) || clean(state) ? -1
									: 0;
}

static void copy_empty(void)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(empty, 1, empty_n, f), empty_n);
	assert_int_equal(fclose(f), 0);
}

/* Commits that were reported; *ret_count: operations of a whole run, or 0. */
static int run_child(enum course course, enum vfs_fault fault, long at,
		     long *ret_count)
{
	char text[64] = "";
	size_t n = 0;
	ssize_t got;
	int fd[2], commits = 0;
	pid_t pid;

	if (course == COMMITS_SAMPLES)
		copy_empty();
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		vfs_install(fault, at, (uint64_t)at);
		run_writer(course, fd[1]);
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

static void strike_along(enum course course, enum vfs_fault fault, long stride)
{
	long all = 0, ignored;

	run_child(course, VFS_NONE, 0, &all);
	remove_all();
	assert_true(all > 50);
	for (long at = 1; at <= all; at += stride) {
		int commits = run_child(course, fault, at, &ignored);

		look_at_what_is_left(fault, at, commits);
		remove_all();
	}
}

static void strike_everywhere(enum vfs_fault fault)
{
	/* One transaction, at a tenth of a second a strike. */
	strike_along(MAKES_THE_TABLES, fault, 5 * VFS_STRIDE);
	strike_along(COMMITS_SAMPLES, fault, VFS_STRIDE);
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

/* --- a reader ------------------------------------------------------------- */

static void a_reader_works_after_the_writer_was_killed(void **state)
{
	struct ht_store *st = NULL;
	long ignored, all = 0;
	int commits;

	(void)state;
	run_child(COMMITS_SAMPLES, VFS_NONE, 0, &all);
	remove_all();
	commits = run_child(COMMITS_SAMPLES, VFS_KILL, all - 5, &ignored);
	assert_true(commits >= 1);
	assert_ok(ht_store_open(path, HT_STORE_READ, &st, &err));
	assert_true(count_samples(st) >= commits * EACH);
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
		T(a_reader_works_after_the_writer_was_killed),
	};

	return cmocka_run_group_tests(tests, make_empty, NULL);
}
