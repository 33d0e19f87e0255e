/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there is known without listing /proc again and again.
 * LDFLAGS: -Wl,--wrap=open -Wl,--wrap=opendir
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/registry/procs.h"

static char loadavg[] = "/tmp/heaptide.loadavg.XXXXXX";
static unsigned listings;

int __real_open(const char *path, int flags, ...);
DIR *__real_opendir(const char *path);
int __wrap_open(const char *path, int flags, ...);
DIR *__wrap_opendir(const char *path);

/* Other programs of the machine begin processes as they like: which pid was
 * given out last is what the test says. */
int __wrap_open(const char *path, int flags, ...)
{
	return __real_open(strcmp(path, "/proc/loadavg") == 0 ? loadavg : path,
			   flags);
}

DIR *__wrap_opendir(const char *path)
{
	listings += strcmp(path, "/proc") == 0;
	return __real_opendir(path);
}

static void newest_is(const char *text)
{
	FILE *f = fopen(loadavg, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

struct seen {
	pid_t of, thread;
	unsigned times, changes, threads;
	char comm[64];
};

static void on_seen(void *ctx, struct ht_proc *proc, bool changed)
{
	struct seen *s = ctx;

	s->threads += proc->pid == s->thread;
	if (proc->pid != s->of)
		return;
	s->times++;
	s->changes += changed;
	snprintf(s->comm, sizeof(s->comm), "%s", proc->comm);
}

static struct ht_procs *begin(struct seen *s)
{
	const struct ht_procs_events events = {on_seen, s};
	struct ht_procs *p;

	listings = 0;
	newest_is("0.20 0.18 0.12 1/80 100\n");
	assert_int_equal(ht_procs_new(&events, &p, NULL), HT_OK);
	return p;
}

static void scan(struct ht_procs *p)
{
	assert_int_equal(ht_procs_scan(p, false, NULL), HT_OK);
}

static void proc_is_not_listed_while_no_pid_was_given_out(void **state)
{
	struct seen s = {.of = getpid()};
	struct ht_procs *p = begin(&s);

	(void)state;
	for (int i = 0; i < HT_PROCS_ROUND; i++)
		scan(p);
	assert_int_equal(listings, 1);
	scan(p); /* once a round all the same */
	assert_int_equal(listings, 2);
	assert_int_equal(ht_procs_scan(p, true, NULL), HT_OK);
	assert_int_equal(listings, 3);
	ht_procs_free(p);
}

static void many_new_pids_and_pids_that_begin_anew_are_listed(void **state)
{
	struct seen s = {.of = getpid()};
	struct ht_procs *p = begin(&s);

	(void)state;
	scan(p);
	newest_is("0.20 0.18 0.12 1/80 356\n"); /* as many as are asked for */
	scan(p);
	scan(p);
	assert_int_equal(listings, 1);
	newest_is("0.20 0.18 0.12 1/80 20000613\n");
	scan(p);
	assert_int_equal(listings, 2);
	scan(p); /* for who was still being made */
	assert_int_equal(listings, 3);
	scan(p);
	assert_int_equal(listings, 3);
	newest_is("0.20 0.18 0.12 1/80 300\n");
	scan(p);
	assert_int_equal(listings, 4);
	ht_procs_free(p);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void *tell_and_wait(void *to)
{
	pid_t tid = gettid();

	if (write(*(int *)to, &tid, sizeof(tid)) != sizeof(tid))
		_exit(1);
	wait_for_ever();
	return NULL;
}

/* A child with a thread, whose number is another pid that was given out. */
static pid_t begin_child(pid_t *ret_thread)
{
	int ends[2];
	pid_t child;
	pthread_t thread;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (pthread_create(&thread, NULL, tell_and_wait, &ends[1]) != 0)
			_exit(1);
		wait_for_ever();
	}
	assert_int_equal(read(ends[0], ret_thread, sizeof(*ret_thread)),
			 sizeof(*ret_thread));
	close(ends[0]);
	close(ends[1]);
	return child;
}

static void newest_is_pid(pid_t pid)
{
	char text[64];

	snprintf(text, sizeof(text), "0.20 0.18 0.12 1/80 %d\n", (int)pid);
	newest_is(text);
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_is_new_is_asked_for_by_pid_and_a_thread_is_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) { /* others begin processes, too */
		struct seen s = {.of = 0};
		struct ht_procs *p = begin(&s);
		pid_t thread, last = begin_child(&thread), highest;
		bool near;

		newest_is_pid(last);
		scan(p);
		end_child(last);
		last = thread;
		s.of = begin_child(&s.thread);
		highest = s.thread > s.of ? s.thread : s.of;
		near = s.of > last && highest - last < 200;
		newest_is_pid(highest);
		scan(p);
		if (near) {
			assert_int_equal(listings, 1);
			assert_int_equal(s.changes, 1);
			assert_int_equal(s.threads, 0);
		}
		end_child(s.of);
		ht_procs_free(p);
		if (near)
			return;
	}
	fail_msg("other programs took too many pids, twenty times");
}

static void where_it_cannot_be_told_proc_is_listed_each_time(void **state)
{
	struct seen s = {.of = getpid()};
	struct ht_procs *p = begin(&s);

	(void)state;
	newest_is("");
	for (unsigned i = 1; i <= 5; i++) {
		scan(p);
		assert_int_equal(listings, i);
	}
	ht_procs_free(p);
}

static void another_name_is_seen_without_a_listing(void **state)
{
	struct seen s = {.of = getpid()};
	struct ht_procs *p = begin(&s);

	(void)state;
	prctl(PR_SET_NAME, "before");
	scan(p);
	assert_int_equal(s.changes, 1);
	prctl(PR_SET_NAME, "after");
	scan(p);
	assert_int_equal(listings, 1);
	assert_int_equal(s.changes, 2);
	assert_string_equal(s.comm, "after");
	/* an old one is looked at again when its turn comes */
	for (int i = 0; i < HT_PROCS_ROUND; i++)
		scan(p);
	s.times = 0;
	for (int i = 0; i < HT_PROCS_ROUND; i++)
		scan(p);
	assert_int_equal(s.times, 1);
	ht_procs_free(p);
}

/* A child of a child, which tells when it has ended and was waited for. */
static pid_t begin_grandchild(pid_t *ret_parent, int *ret_ended)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	*ret_parent = fork();
	assert_true(*ret_parent >= 0);
	if (*ret_parent == 0) {
		pid = fork();
		if (pid == 0)
			wait_for_ever();
		if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid) ||
		    waitpid(pid, NULL, 0) != pid || write(ends[1], "", 1) != 1)
			_exit(1);
		wait_for_ever();
	}
	assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	close(ends[1]);
	*ret_ended = ends[0];
	return pid;
}

static void who_came_is_seen_and_who_ended_is_forgotten(void **state)
{
	struct seen s = {.of = 0};
	struct ht_procs *p = begin(&s);
	size_t before;
	pid_t parent;
	char byte;
	int ended;

	(void)state;
	scan(p);
	s.of = begin_grandchild(&parent, &ended);
	newest_is("0.20 0.18 0.12 1/80 20001000\n"); /* listed */
	scan(p);
	assert_int_equal(s.changes, 1);
	newest_is("0.20 0.18 0.12 1/80 20001002\n");
	scan(p);
	scan(p);
	before = ht_procs_count(p);
	kill(s.of, SIGKILL);
	assert_int_equal(read(ended, &byte, 1), 1);
	close(ended);
	s.times = 0;
	scan(p); /* not listed: it is asked for in vain, and no more */
	assert_int_equal(listings, 3);
	assert_int_equal(s.times, 0);
	assert_true(ht_procs_count(p) < before);
	end_child(parent);
	ht_procs_free(p);
}

static void a_child_of_ours_is_looked_at_once(void **state)
{
	struct seen s = {.of = fork()};
	struct ht_procs *p = begin(&s);

	(void)state;
	if (s.of == 0)
		wait_for_ever();
	for (int i = 0; i < 3 * HT_PROCS_ROUND; i++)
		scan(p);
	assert_int_equal(s.times, 1);
	assert_int_equal(ht_procs_scan(p, true, NULL), HT_OK);
	assert_int_equal(s.times, 2); /* when all are */
	end_child(s.of);
	ht_procs_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proc_is_not_listed_while_no_pid_was_given_out),
		cmocka_unit_test(
			many_new_pids_and_pids_that_begin_anew_are_listed),
		cmocka_unit_test(
			who_is_new_is_asked_for_by_pid_and_a_thread_is_nobody),
		cmocka_unit_test(
			where_it_cannot_be_told_proc_is_listed_each_time),
		cmocka_unit_test(another_name_is_seen_without_a_listing),
		cmocka_unit_test(who_came_is_seen_and_who_ended_is_forgotten),
		cmocka_unit_test(a_child_of_ours_is_looked_at_once),
	};
	int fd = mkstemp(loadavg);
	int failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(loadavg);
	return failed;
}
