/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 120 s
 *
 * malloc_trim(0) is called where nothing speaks against it, and nowhere else:
 * each reason by its name, and the process runs on as it was.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/caller.h"
#include "agent/sample/target.h"
#include "agent/sample/trim.h"
#include "common/cleanup.h"
#include "tests/lib/machine.h"
#include "tests/lib/target.h"

static struct program program;
static struct ht_target target;

static void start(const char *name, const char *why)
{
	struct ht_err err = {0};

	target = HT_TARGET_NONE;
	program = program_start(name, why, NULL);
	assert_true(program_says(&program, "ready", 10000));
	if (ht_target_open_process(program.pid, &target, &err) != HT_OK ||
	    ht_target_locate(&target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static int end(void **state)
{
	(void)state;
	if (program.pid > 0) {
		ht_target_close(&target);
		kill(program.pid, SIGCONT);
		program_end(&program);
	}
	program.pid = 0;
	return 0;
}

static enum ht_code trim(uint64_t max_hold_us, struct ht_trim *ret,
			 struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &target, .request = &request, .snapshot = &snapshot};
	enum ht_code code;

	request.flags |= HT_TRIM_NOW;
	request.max_hold_us = max_hold_us;
	ht_snapshot_init(&snapshot);
	code = ht_session_trim(&session, ret, err);
	assert_false(session.must_end);
	return code;
}

static void check_refused(uint64_t max_hold_us, enum ht_trim_refusal wanted)
{
	struct ht_trim t;
	struct ht_err err = {0};

	if (trim(max_hold_us, &t, &err) != HT_OK)
		fail_msg("%s", err.msg);
	if (t.done || t.refusal != wanted)
		fail_msg("\"%s\" in place of \"%s\" (%s)",
			 ht_trim_refusals[t.refusal], ht_trim_refusals[wanted],
			 t.why);
	assert_true(t.why[0] != '\0');
	assert_int_equal(process_status(program.pid, "TracerPid"), 0);
}

#define LONG_US 60000000

static void refuses(const char *why, enum ht_trim_refusal wanted)
{
	start("untrimmable", why);
	check_refused(LONG_US, wanted);
}

static void it_is_called_where_nothing_speaks_against_it(void **state)
{
	struct ht_trim t;
	struct ht_err err = {0};

	(void)state;
	start("untrimmable", "none");
	assert_int_equal(trim(LONG_US, &t, &err), HT_OK);
	assert_int_equal(t.refusal, HT_TRIM_NONE);
	assert_int_equal(t.done, 1);
	assert_true(t.rss_after + (1 << 20) < t.rss_before);
}

#define REFUSES(name, why, wanted)                                             \
	static void name(void **state)                                         \
	{                                                                      \
		(void)state;                                                   \
		refuses(why, wanted);                                          \
	}

REFUSES(not_over_a_signal_handler, "handler", HT_TRIM_IN_HANDLER)
REFUSES(not_on_an_alternate_stack, "altstack", HT_TRIM_STACK)
REFUSES(not_in_a_heap_that_malloc_is_changing, "in_malloc", HT_TRIM_DAMAGED)
REFUSES(not_while_an_arena_stays_locked, "locked", HT_TRIM_ARENA_LOCKED)
REFUSES(not_inside_fork, "fork", HT_TRIM_FORK)
REFUSES(not_on_a_stack_of_the_programs_own_making, "coroutine", HT_TRIM_STACK)
REFUSES(not_without_room_on_the_stack, "tiny", HT_TRIM_STACK)
REFUSES(not_under_a_filter_that_nobody_read, "listed", HT_TRIM_SECCOMP)
REFUSES(not_in_a_thread_that_runs, "busy", HT_TRIM_NO_SLEEPER)
REFUSES(not_where_a_stack_cannot_be_unwound, "generated", HT_TRIM_UNWINDING)
REFUSES(not_in_a_damaged_heap, "damaged", HT_TRIM_DAMAGED)

/* Which thread is found, nothing else having been asked. */
static void finds_none(const char *why, enum ht_trim_refusal wanted)
{
	struct ht_caller_in in = {.pid = 0, .patience_ns = 1000000};
	struct ht_maps maps = {0};
	struct ht_caller c;

	start("untrimmable", why);
	assert_int_equal(ht_maps_read(program.pid, &maps, NULL), HT_OK);
	in.pid = program.pid;
	in.reader = target.reader;
	in.maps = &maps;
	in.located = &target.located;
	assert_false(ht_caller_begin(&in, &c));
	ht_maps_fini(&maps);
	if (c.refusal != wanted)
		fail_msg("\"%s\" in place of \"%s\" (%s)",
			 ht_trim_refusals[c.refusal], ht_trim_refusals[wanted],
			 c.why);
	assert_int_equal(process_status(program.pid, "TracerPid"), 0);
}

/* --- seccomp filters ----------------------------------------------------- */

static void check_filtered(const char *why, const char *said)
{
	struct ht_trim t;
	struct ht_err err = {0};

	start("untrimmable", why);
	ht_trim_read_filters(&target);
	assert_int_equal(target.filtered.n, 0);
	assert_int_equal(trim(LONG_US, &t, &err), HT_OK);
	assert_int_equal(t.refusal, HT_TRIM_SECCOMP);
	if (!strstr(t.why, said))
		fail_msg("not \"%s\": %s", said, t.why);
	assert_true(process_runs_free(program.pid, 5000));
}

static void not_under_a_filter_that_forbids_a_call(void **state)
{
	(void)state;
	needs("seccomp_read");
	check_filtered("seccomp", "does not allow madvise");
}

/* A stop would have it enter restart_syscall(2), which may be forbidden. */
static void not_under_a_filter_that_cannot_be_read_unharmed(void **state)
{
	(void)state;
	check_filtered("polling", "none slept where it could be stopped");
}

static void it_is_called_under_a_filter_that_allows_all_of_it(void **state)
{
	struct ht_trim t;
	struct ht_err err = {0};

	(void)state;
	needs("seccomp_read");
	start("untrimmable", "listed");
	ht_trim_read_filters(&target);
	assert_string_equal(target.filtered.why, "");
	assert_int_equal(target.filtered.n, 1);
	assert_int_equal(target.filtered.v[0].filters, 2);
	if (trim(LONG_US, &t, &err) != HT_OK || !t.done)
		fail_msg("%s %s", err.msg, t.why);
	assert_true(t.rss_after + (1 << 20) < t.rss_before);
	assert_true(process_runs_free(program.pid, 5000));
}

static void what_is_known_of_a_filter_ends_with_the_next_filter(void **state)
{
	HT_AUTO_DIR DIR *tasks = NULL;

	(void)state;
	needs("seccomp_read");
	start("untrimmable", "listed");
	ht_trim_read_filters(&target);
	assert_int_equal(ht_tasks_open(program.pid, &tasks, NULL), HT_OK);
	assert_true(ht_filtered_allows(&target.filtered, tasks, program.pid));
	assert_false(ht_filtered_allows(&target.filtered, tasks, 1));
	target.filtered.v[0].filters--; /* it had one less when it was read */
	assert_false(ht_filtered_allows(&target.filtered, tasks, program.pid));
}

static void not_over_a_handler_over_malloc(void **state)
{
	(void)state;
	finds_none("in_malloc", HT_TRIM_IN_HANDLER);
}

static void not_inside_malloc(void **state)
{
	(void)state;
	finds_none("waiting", HT_TRIM_IN_MALLOC);
}

static void not_in_a_stopped_process(void **state)
{
	(void)state;
	start("untrimmable", "none");
	kill(program.pid, SIGSTOP);
	assert_true(process_is(program.pid, "T", 5000));
	check_refused(LONG_US, HT_TRIM_STOPPED);
	assert_true(process_is(program.pid, "T", 5000));
}

static void not_for_longer_than_is_allowed(void **state)
{
	(void)state;
	start("untrimmable", "none");
	check_refused(1, HT_TRIM_HOLD);
}

static void not_of_locked_memory(void **state)
{
	(void)state;
	start("keeper", "locked");
	check_refused(LONG_US, HT_TRIM_LOCKED);
}

static void not_a_second_time(void **state)
{
	struct ht_trim t;

	(void)state;
	start("untrimmable", "none");
	assert_int_equal(trim(LONG_US, &t, NULL), HT_OK);
	check_refused(LONG_US, HT_TRIM_NOTHING);
}

/* Symbols are all that tells where functions are. */
static void not_where_the_function_is_not_found(void **state)
{
	(void)state;
	start("untrimmable", "none");
	target.located.malloc[0].trim = 0;
	check_refused(LONG_US, HT_TRIM_SYMBOL);
	target.located.malloc[0].trim = target.located.malloc[0].text_end + 64;
	check_refused(LONG_US, HT_TRIM_SYMBOL);
}

static void not_where_errno_is_not_found(void **state)
{
	(void)state;
	start("untrimmable", "none");
	target.located.malloc[0].tls_errno = HT_TLS_UNKNOWN;
	check_refused(LONG_US, HT_TRIM_SYMBOL);
}

/* What ht_trim_look says of a target that is no other but in this. */
static enum ht_trim_refusal said_of(unsigned word, size_t mallocs)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &target, .request = &request, .snapshot = &snapshot};
	struct ht_trim t;

	ht_snapshot_init(&snapshot);
	target.reader->word = word;
	target.located.n = mallocs;
	ht_trim_look(&session, &t);
	return (enum ht_trim_refusal)t.refusal;
}

static void not_in_a_32_bit_program_nor_with_another_allocator(void **state)
{
	(void)state;
	start("untrimmable", "none");
	assert_int_equal(said_of(4, 1), HT_TRIM_I386);
	assert_int_equal(said_of(8, 0), HT_TRIM_ALLOCATOR);
}

/* Nothing is asserted here: a tracer is to be ended first. */
static enum ht_trim_refusal called_now(void)
{
	struct ht_trim t;
	struct ht_err err = {0};

	if (trim(LONG_US, &t, &err) != HT_OK)
		return err.code == HT_TRACED ? HT_TRIM_TRACED : HT_TRIM_SYSTEM;
	return t.done ? HT_TRIM_NONE : (enum ht_trim_refusal)t.refusal;
}

static void not_what_another_process_traces(void **state)
{
	enum ht_trim_refusal refused;
	int status, told[2];
	pid_t tracer;
	char c;

	(void)state;
	start("untrimmable", "none");
	assert_int_equal(pipe(told), 0);
	tracer = fork();
	if (tracer == 0) {
		if (ptrace(PTRACE_SEIZE, program.pid, NULL, NULL) == 0 &&
		    write(told[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(told[0], &c, 1), 1);
	refused = called_now();
	kill(tracer, SIGKILL);
	waitpid(tracer, &status, 0);
	assert_int_equal(refused, HT_TRIM_TRACED);
	close(told[0]);
	close(told[1]);
}

/* This machine may have none: the kernel's line, in a file of ours. */
static void not_with_a_shadow_stack(void **state)
{
	char root[] = "/tmp/heaptide.XXXXXX", path[64], why[200] = "";
	const struct ht_caller_in in = {.pid = 1};
	DIR *tasks;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/1", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/1/status", root);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("Name:\tx\nSeccomp:\t0\nx86_Thread_features:\tshstk wrss \n"
	      "x86_Thread_features_locked:\t\n",
	      f);
	fclose(f);
	tasks = opendir(root);
	assert_int_equal(
		ht_caller_check_asleep(&in, tasks, 1, 0, why, sizeof(why)),
		HT_TRIM_SHADOW_STACK);
	closedir(tasks);
	unlink(path);
	snprintf(path, sizeof(path), "%s/1", root);
	rmdir(path);
	rmdir(root);
}

#define TEST(f) cmocka_unit_test_teardown(f, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_called_where_nothing_speaks_against_it),
		TEST(not_over_a_signal_handler),
		TEST(not_on_an_alternate_stack),
		TEST(not_in_a_heap_that_malloc_is_changing),
		TEST(not_over_a_handler_over_malloc),
		TEST(not_inside_malloc),
		TEST(not_while_an_arena_stays_locked),
		TEST(not_inside_fork),
		TEST(not_on_a_stack_of_the_programs_own_making),
		TEST(not_without_room_on_the_stack),
		TEST(not_under_a_filter_that_nobody_read),
		TEST(not_under_a_filter_that_forbids_a_call),
		TEST(not_under_a_filter_that_cannot_be_read_unharmed),
		TEST(it_is_called_under_a_filter_that_allows_all_of_it),
		TEST(what_is_known_of_a_filter_ends_with_the_next_filter),
		TEST(not_in_a_thread_that_runs),
		TEST(not_where_a_stack_cannot_be_unwound),
		TEST(not_in_a_damaged_heap),
		TEST(not_in_a_stopped_process),
		TEST(not_for_longer_than_is_allowed),
		TEST(not_of_locked_memory),
		TEST(not_a_second_time),
		TEST(not_where_the_function_is_not_found),
		TEST(not_where_errno_is_not_found),
		TEST(not_in_a_32_bit_program_nor_with_another_allocator),
		TEST(not_what_another_process_traces),
		TEST(not_with_a_shadow_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
