/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there is known without listing /proc again and again.
 * LDFLAGS: -Wl,--wrap=open -Wl,--wrap=opendir
 */
#include <dirent.h>
#include <fcntl.h>
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
	pid_t of;
	unsigned times, changes;
	char comm[64];
};

static void on_seen(void *ctx, struct ht_proc *proc, bool changed)
{
	struct seen *s = ctx;

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
	newest_is("0.20 0.18 0.12 1/80 101\n");
	scan(p);
	assert_int_equal(listings, 3);
	scan(p);
	assert_int_equal(listings, 3);
	assert_int_equal(ht_procs_scan(p, true, NULL), HT_OK);
	assert_int_equal(listings, 4);
	ht_procs_free(p);
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

static void who_came_is_seen_and_who_ended_is_forgotten(void **state)
{
	struct seen s = {.of = 0};
	struct ht_procs *p = begin(&s);
	size_t before;

	(void)state;
	scan(p);
	s.of = fork();
	if (s.of == 0)
		for (;;)
			pause();
	newest_is("0.20 0.18 0.12 1/80 102\n");
	scan(p);
	assert_int_equal(s.changes, 1);
	before = ht_procs_count(p);
	kill(s.of, SIGKILL);
	assert_int_equal(waitpid(s.of, NULL, 0), s.of);
	s.times = 0;
	scan(p); /* not listed: it is asked for in vain */
	assert_int_equal(s.times, 0);
	assert_int_equal(ht_procs_count(p), before);
	ht_procs_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proc_is_not_listed_while_no_pid_was_given_out),
		cmocka_unit_test(
			where_it_cannot_be_told_proc_is_listed_each_time),
		cmocka_unit_test(another_name_is_seen_without_a_listing),
		cmocka_unit_test(who_came_is_seen_and_who_ended_is_forgotten),
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
