/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/procfs.h"
#include "common/clock.h"
#include "link/request.h"

static struct ht_proc_texts *texts_of(pid_t pid)
{
	static struct ht_proc_texts t;

	ht_proc_texts_begin(&t, pid, NULL);
	return &t;
}

static void a_name_with_blanks_and_brackets_is_read_right(void **state)
{
	struct ht_head head;
	struct ht_err err;
	struct stat exe;

	(void)state;
	prctl(PR_SET_NAME, "a) R 1 (b");
	ht_record_clear(HT_RECORD_head, &head);
	assert_int_equal(ht_procfs_head(texts_of(getpid()), &head, &err),
			 HT_OK);
	assert_string_equal(head.comm, "a) R 1 (b");
	assert_int_equal(head.pid, getpid());
	assert_int_equal(head.uid, geteuid());
	assert_int_equal(stat("/proc/self/exe", &exe), 0);
	assert_int_equal(head.exe_inode, exe.st_ino);
	assert_true(head.started_at <= ht_wall_ns());
	assert_true(head.started_at > ht_wall_ns() - 3600 * HT_NS_PER_S);
	assert_int_equal(strlen(head.boot_id), 36);
}

static void figures_are_the_kernels(void **state)
{
	struct ht_process p;
	struct ht_maps maps;
	struct ht_err err;
	struct rusage usage;

	(void)state;
	ht_record_clear(HT_RECORD_process, &p);
	assert_int_equal(ht_maps_read(getpid(), &maps, &err), HT_OK);
	assert_int_equal(ht_procfs_process(texts_of(getpid()), &p, &err),
			 HT_OK);
	ht_procfs_mappings(&maps, &p);
	ht_procfs_rollup(getpid(), &p);
	getrusage(RUSAGE_SELF, &usage);
	assert_int_equal(p.threads, 1);
	assert_true(p.rss > 0 && p.rss < p.vsz);
	assert_true(p.uss <= p.pss);
	assert_true(p.writable_private > 0 && p.writable_private < p.vsz);
	assert_true(p.minflt <= (uint64_t)usage.ru_minflt);
	ht_maps_fini(&maps);
}

static void pss_is_not_read_along_with_the_rest(void **state)
{
	struct ht_process p;
	struct ht_err err;

	(void)state;
	ht_record_clear(HT_RECORD_process, &p);
	assert_int_equal(ht_procfs_process(texts_of(getpid()), &p, &err),
			 HT_OK);
	assert_true(p.pss == HT_UNKNOWN && p.uss == HT_UNKNOWN);
	assert_true(p.writable_private == HT_UNKNOWN);
}

static void a_process_that_is_gone_is_told_by_its_pid(void **state)
{
	struct ht_head head;
	struct ht_err err;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ht_procfs_head(texts_of(pid), &head, &err), HT_GONE);
	assert_non_null(strstr(err.msg, "no process"));
}

static void limits_show_what_bounds_the_process(void **state)
{
	const struct rlimit limit = {1ull << 40, RLIM_INFINITY};
	HT_AUTO_MOUNTS struct ht_mounts mounts = HT_MOUNTS_OWN;
	struct ht_limits_unread unread;
	struct ht_limits l;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	ht_record_clear(HT_RECORD_limits, &l);
	assert_int_equal(prlimit(pid, RLIMIT_AS, &limit, NULL), 0);
	ht_procfs_limits(texts_of(pid), &mounts, &l, &unread);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(l.rlimit_as, 1ull << 40);
	assert_true(l.rlimit_data == HT_UNKNOWN);
	assert_true(l.mem_available > 0 && l.mem_available < l.mem_total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_with_blanks_and_brackets_is_read_right),
		cmocka_unit_test(figures_are_the_kernels),
		cmocka_unit_test(pss_is_not_read_along_with_the_rest),
		cmocka_unit_test(a_process_that_is_gone_is_told_by_its_pid),
		cmocka_unit_test(limits_show_what_bounds_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
