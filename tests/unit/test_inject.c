/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LDFLAGS: -Wl,--wrap=ptrace -Wl,--wrap=waitid
 *
 * A fork that does not come in time is called off: the other threads run before
 * anything else is waited for, and whoever was on the way comes home as if
 * nothing had been.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/maps.h"
#include "agent/stop/stop.h"
#include "agent/stop/tasks.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/lib/target.h"

static struct program victim;

/* --- one that finds no processor ----------------------------------------- */

/* Whose stops are not seen while other threads are held: the one that forks, or
 * its helper. withheld: it does not even run. */
enum one { NOBODY, THREAD, HELPER };
static enum one slow;
static bool withheld;
static pid_t going[3]; /* by enum one: told to go on by now */
static bool hid, seen_free;

static size_t others_held(void)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	size_t n = 0;
	pid_t tid;

	assert_int_equal(ht_tasks_open(victim.pid, &tasks, NULL), HT_OK);
	while ((tid = ht_tasks_next(tasks)) != 0)
		n += tid != going[THREAD] && ht_task_state(tasks, tid) == 't';
	return n;
}

static void note_going(pid_t pid)
{
	if (!going[THREAD])
		going[THREAD] = pid;
	else if (pid != going[THREAD] && !going[HELPER])
		going[HELPER] = pid;
}

long __real_ptrace(int request, pid_t pid, void *addr, void *data);
long __wrap_ptrace(int request, pid_t pid, void *addr, void *data);
long __wrap_ptrace(int request, pid_t pid, void *addr, void *data)
{
	if (request == PTRACE_CONT && slow != NOBODY) {
		note_going(pid);
		if (withheld && pid == going[slow] && !seen_free)
			return 0;
	}
	return __real_ptrace(request, pid, addr, data);
}

int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	if (slow != NOBODY && (pid_t)id == going[slow] && !seen_free) {
		seen_free = others_held() == 0;
		hid = true;
		if (!seen_free) {
			info->si_pid = 0;
			return 0;
		}
	}
	return __real_waitid(type, id, info, options);
}

/* --- the target ---------------------------------------------------------- */

static char memory[128];

static void read_sum(char *buf, size_t size)
{
	program_tell(&victim, "sum\n");
	assert_true(program_line(&victim, buf, size, 40000));
}

static int start_victim(void **state)
{
	(void)state;
	victim = program_start("victim", NULL);
	assert_true(program_says(&victim, "ready", 10000));
	read_sum(memory, sizeof(memory));
	return 0;
}

static int end_victim(void **state)
{
	(void)state;
	program_end(&victim);
	return 0;
}

/* Each thread scheduled as ever, and without a child. */
static bool as_ever(void)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	bool same = true;
	pid_t tid;

	assert_int_equal(ht_tasks_open(victim.pid, &tasks, NULL), HT_OK);
	while ((tid = ht_tasks_next(tasks)) != 0) {
		HT_AUTO_FILE FILE *f = NULL;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
			 (int)victim.pid, (int)tid);
		f = fopen(path, "re");
		same &= f && fgetc(f) == EOF &&
			sched_getscheduler(tid) == SCHED_OTHER;
	}
	return same;
}

/* No helper, no copy: nothing of ours is stopped or has ended. */
static bool nothing_is_left(void)
{
	siginfo_t info = {0};

	return waitid(P_ALL, 0, &info,
		      WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	       info.si_pid == 0;
}

/* A thread on its way home, on a machine with a hundred others before it. */
#define PATIENCE_MS 20000

static void check_unharmed(void)
{
	char line[128];

	assert_true(nothing_is_left());
	assert_true(process_runs_free(victim.pid, PATIENCE_MS));
	for (int i = 0; i < PATIENCE_MS && !as_ever(); i++)
		usleep(1000);
	assert_true(as_ever());
	read_sum(line, sizeof(line)); /* "EINTR" would come first */
	assert_string_equal(line, memory);
}

/* --- the fork ------------------------------------------------------------ */

static size_t descriptors_of(pid_t pid)
{
	HT_AUTO_DIR DIR *dir = NULL;
	char path[48];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n - 2;
}

/* It holds nothing open that is the target's to close, but for what it has
 * opened itself, and a lack of memory takes it first. */
static void check_copy(pid_t copy)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48], target[64] = "";
	int adjusted = 0;

	assert_true(descriptors_of(victim.pid) >= 3);
	assert_int_equal(descriptors_of(copy), 1);
	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)copy);
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	assert_non_null(strstr(target, "/oom_score_adj"));
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)copy);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &adjusted), 1);
	assert_int_equal(adjusted, 1000);
}

static enum ht_code fork_once(int64_t within_ns)
{
	const struct ht_stop_limits limits = {
		.deadline_ns = ht_mono_ns() + 10 * HT_NS_PER_S,
		.realtime = true,
		.watch = HT_WATCH_REPAIRED,
	};
	struct ht_reader reader = {0};
	struct ht_maps maps = {0};
	struct ht_inject_code found;
	struct ht_stopped *stop = NULL;
	struct ht_err err = {0};
	enum ht_code code;
	pid_t copy = 0;

	assert_int_equal(
		ht_reader_open_process(victim.pid, 8, true, &reader, &err),
		HT_OK);
	assert_int_equal(ht_maps_read(victim.pid, &maps, &err), HT_OK);
	assert_int_equal(ht_inject_find(&maps, &reader, &found, &err), HT_OK);
	if (ht_stop_all(victim.pid, &limits, &reader, &stop, NULL, &err) !=
	    HT_OK)
		fail_msg("%s", err.msg);
	code = ht_stop_fork(stop, &found, ht_mono_ns() + within_ns, &copy,
			    &err);
	assert_false(ht_stop_release(stop).stuck);
	if (code == HT_OK)
		check_copy(copy);
	ht_inject_end(copy);
	ht_maps_fini(&maps);
	ht_reader_close(&reader);
	return code;
}

/* A thread that must not be interrupted may run: not what is meant here. */
#define ATTEMPTS 1000
static void is_called_off(enum one who, bool does_not_run)
{
	enum ht_code code = HT_OK;

	hid = seen_free = false;
	for (int i = 0; i < ATTEMPTS && !hid; i++) {
		memset(going, 0, sizeof(going));
		slow = who;
		withheld = does_not_run;
		code = fork_once(0);
		slow = NOBODY;
		if (!hid)
			assert_int_equal(code, HT_BUSY);
	}
	assert_true(hid);
	assert_true(seen_free);
	assert_int_equal(code, HT_BUSY);
	check_unharmed();
}

static void one_that_is_asked_again_forks(void)
{
	enum ht_code code = HT_BUSY;

	for (int i = 0; i < ATTEMPTS && code == HT_BUSY; i++)
		code = fork_once(HT_NS_PER_S);
	assert_int_equal(code, HT_OK);
	check_unharmed();
}

static void a_thread_that_finds_no_processor_holds_up_no_other(void **state)
{
	(void)state;
	is_called_off(THREAD, true);
	one_that_is_asked_again_forks();
}

static void a_thread_that_is_late_has_its_helper_taken_back(void **state)
{
	(void)state;
	is_called_off(THREAD, false);
	one_that_is_asked_again_forks();
}

static void a_helper_that_finds_no_processor_does_not_fork(void **state)
{
	(void)state;
	is_called_off(HELPER, true);
	one_that_is_asked_again_forks();
}

static void a_copy_that_is_born_late_is_ended(void **state)
{
	(void)state;
	is_called_off(HELPER, false);
	one_that_is_asked_again_forks();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_thread_that_finds_no_processor_holds_up_no_other),
		cmocka_unit_test(
			a_thread_that_is_late_has_its_helper_taken_back),
		cmocka_unit_test(
			a_helper_that_finds_no_processor_does_not_fork),
		cmocka_unit_test(a_copy_that_is_born_late_is_ended),
	};

	return cmocka_run_group_tests(tests, start_victim, end_victim);
}
