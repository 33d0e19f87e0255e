/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of control groups, from directories made to look like each of the
 * trees that a kernel shows; tests/scenario/cgroup.sh asks real ones. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/cgroup.h"
#include "common/cleanup.h"
#include "tests/lib/machine.h"

#define MIB	  (1ull << 20)
#define V1_NONE	  "9223372036854771712\n"
#define V1_STAT	  "cache 9\nrss 1\ntotal_rss 1048576\ntotal_shmem 1048576\n"
#define V2_STAT	  "anon 1048576\nfile 5\nkernel 1048576\nshmem 1048576\n"
#define LIMIT	  HT_CGROUP_LIMIT
#define NONE	  HT_CGROUP_NONE
#define UNREAD	  HT_CGROUP_UNREAD
#define MADE_MOST 400

static char top[] = "/tmp/heaptide.cgroup.XXXXXX", mounts[80];
static char made[MADE_MOST][160]; /* to be removed again, last first */
static size_t made_n;

static int fresh(void **state)
{
	(void)state;
	strcpy(strrchr(top, '.') + 1, "XXXXXX");
	made_n = 0;
	if (!mkdtemp(top))
		return -1;
	snprintf(mounts, sizeof(mounts), "%s.mounts", top);
	return chmod(top, 0755); /* one test is another user */
}

static int gone(void **state)
{
	(void)state;
	while (made_n > 0)
		remove(made[--made_n]);
	unlink(mounts);
	return rmdir(top);
}

static const char *at(const char *path)
{
	static char full[160];

	snprintf(full, sizeof(full), "%s/%s", top, path);
	return full;
}

static void note_made(const char *path)
{
	assert_true(made_n < MADE_MOST);
	snprintf(made[made_n++], sizeof(made[0]), "%s", path);
}

static void put(const char *path, const char *text)
{
	char dir[160];
	FILE *f;

	for (const char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%s/%.*s", top, (int)(slash - path),
			 path);
		if (mkdir(dir, 0755) == 0)
			note_made(dir);
	}
	if (access(at(path), F_OK) != 0)
		note_made(at(path));
	f = fopen(at(path), "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A line of mountinfo: what is seen of a tree below `path`. */
static void mounted(const char *root, const char *path, const char *rest)
{
	FILE *f = fopen(mounts, "a");

	assert_non_null(f);
	fprintf(f, "35 31 0:32 %s %s/%s rw,relatime shared:7 - %s\n", root, top,
		path, rest);
	fclose(f);
}

/* The machine's root of each hierarchy, as the kernel has it. */
static void mounted_v1(void)
{
	put("memory/release_agent", "");
	put("memory/memory.limit_in_bytes", V1_NONE);
	put("memory/memory.stat", V1_STAT);
	put("memory/memory.use_hierarchy", "1\n");
	mounted("/", "memory", "cgroup cgroup rw,memory");
	put("pids/release_agent", "");
	mounted("/", "pids", "cgroup cgroup rw,pids,cpuacct");
}

static void mounted_v2(void)
{
	put("unified/cgroup.procs", "");
	mounted("/", "unified", "cgroup2 cgroup2 rw,nsdelegate");
}

static void group_v1(const char *name, const char *max)
{
	char path[120];

	snprintf(path, sizeof(path), "memory%s/memory.limit_in_bytes", name);
	put(path, max);
	snprintf(path, sizeof(path), "memory%s/memory.stat", name);
	put(path, V1_STAT);
}

/* max NULL: the controller is not enabled for it. */
static void group_v2(const char *name, const char *max)
{
	char path[120];

	snprintf(path, sizeof(path), "unified%s/cgroup.type", name);
	put(path, "domain\n");
	snprintf(path, sizeof(path), "unified%s/memory.max", name);
	if (!max)
		return;
	put(path, max);
	snprintf(path, sizeof(path), "unified%s/memory.stat", name);
	put(path, V2_STAT);
}

static struct ht_cgroup_limit l;

static enum ht_cgroup_found memory_of(const char *proc_cgroup)
{
	HT_AUTO_MOUNTS struct ht_mounts m = HT_MOUNTS_OF(mounts);

	memset(&l, 0, sizeof(l));
	return ht_cgroup_memory(proc_cgroup, &m, &l);
}

static enum ht_cgroup_found pids_of(const char *proc_cgroup)
{
	HT_AUTO_MOUNTS struct ht_mounts m = HT_MOUNTS_OF(mounts);

	memset(&l, 0, sizeof(l));
	return ht_cgroup_pids(proc_cgroup, &m, &l);
}

#define assert_why(text) assert_non_null(strstr(l.why, text))

static void a_limit_of_version_1_is_read(void **state)
{
	(void)state;
	mounted_v1();
	group_v1("/a", V1_NONE);
	group_v1("/a/b", "67108864\n");
	assert_int_equal(memory_of("8:pids:/\n4:memory:/a/b\n3:cpu:/\n"),
			 LIMIT);
	assert_int_equal(l.max, 64 * MIB);
	assert_int_equal(l.used, 2 * MIB);
	assert_string_equal(l.path, "/a/b");
	assert_int_equal(memory_of("4:memory:/a\n"), NONE);
	assert_int_equal(memory_of("4:memory:/\n"), NONE);
}

static void a_limit_of_version_2_is_read(void **state)
{
	(void)state;
	mounted_v2();
	group_v2("/a", "max\n");
	group_v2("/a/b", "67108864\n");
	group_v2("/a/off", NULL);
	assert_int_equal(memory_of("0::/a/b\n"), LIMIT);
	assert_int_equal(l.max, 64 * MIB);
	assert_int_equal(l.used, 3 * MIB);
	assert_string_equal(l.path, "/a/b");
	assert_int_equal(memory_of("0::/a\n"), NONE);
	assert_int_equal(memory_of("0::/a/off\n"), NONE);
	assert_int_equal(memory_of("0::/\n"), NONE);
}

static void what_the_kernel_took_is_summed_before_linux_5_18(void **state)
{
	(void)state;
	mounted_v2();
	group_v2("/a", "67108864\n");
	put("unified/a/memory.stat",
	    "anon 1000\nfile 9\nkernel_stack 20\npercpu 3\nshmem 100\nslab 4\n"
	    "slab_reclaimable 7\n");
	assert_int_equal(memory_of("0::/a\n"), LIMIT);
	assert_int_equal(l.used, 1127);
}

static void both_versions_stand_beside_each_other(void **state)
{
	(void)state;
	mounted_v1();
	mounted_v2();
	group_v1("/a", "67108864\n");
	group_v2("/a", "33554432\n");
	put("unified/a/pids.max", "50\n");
	put("unified/a/pids.current", "7\n");
	assert_int_equal(memory_of("4:memory:/a\n0::/a\n"), LIMIT);
	assert_int_equal(l.max, 64 * MIB);
	assert_int_equal(memory_of("0::/a\n4:memory:/a\n"), LIMIT);
	assert_int_equal(l.max, 64 * MIB);
	assert_int_equal(memory_of("4:cpu:/a\n0::/a\n"), LIMIT);
	assert_int_equal(l.max, 32 * MIB);
	assert_int_equal(pids_of("4:memory:/a\n0::/a\n"), LIMIT);
	assert_int_equal(l.max, 50);
	assert_int_equal(l.used, 7);
}

static void the_group_with_the_least_room_is_told(void **state)
{
	(void)state;
	mounted_v1();
	mounted_v2();
	group_v1("/a", "33554432\n");
	group_v1("/a/b", "67108864\n");
	group_v2("/a", "33554432\n");
	group_v2("/a/b", "67108864\n");
	assert_int_equal(memory_of("4:memory:/a/b\n"), LIMIT);
	assert_int_equal(l.max, 32 * MIB);
	assert_string_equal(l.path, "/a");
	assert_int_equal(memory_of("0::/a/b\n"), LIMIT);
	assert_string_equal(l.path, "/a");
	/* a larger limit may leave less */
	group_v2("/a", "134217728\n");
	put("unified/a/memory.stat", "anon 134217727\nkernel 0\nshmem 0\n");
	assert_int_equal(memory_of("0::/a/b\n"), LIMIT);
	assert_int_equal(l.max, 128 * MIB);
	assert_int_equal(l.used, 128 * MIB - 1);
	/* and be passed */
	group_v2("/a/b", "0\n");
	assert_int_equal(memory_of("0::/a/b\n"), LIMIT);
	assert_int_equal(l.max, 0);
}

static void a_group_that_does_not_count_those_below_it_limits_none(void **state)
{
	(void)state;
	mounted_v1();
	group_v1("/a", "33554432\n");
	group_v1("/a/b", "67108864\n");
	group_v1("/a/c", V1_NONE);
	put("memory/a/memory.use_hierarchy", "0\n");
	put("memory/a/b/memory.use_hierarchy", "0\n");
	assert_int_equal(memory_of("4:memory:/a/b\n"), LIMIT);
	assert_int_equal(l.max, 64 * MIB);
	assert_int_equal(memory_of("4:memory:/a/c\n"), NONE);
	assert_int_equal(memory_of("4:memory:/a\n"), LIMIT);
	put("memory/a/memory.use_hierarchy", "1\n");
	assert_int_equal(memory_of("4:memory:/a/b\n"), LIMIT);
	assert_int_equal(l.max, 32 * MIB);
}

static void what_a_cgroup_namespace_hides_is_not_called_unlimited(void **state)
{
	(void)state;
	mounted_v2();
	group_v2("", "max\n"); /* the root that is seen is a group */
	group_v2("/a", "max\n");
	group_v2("/b", "67108864\n");
	/* in the namespace: its own limit is one, but none says little */
	assert_int_equal(memory_of("0::/b\n"), LIMIT);
	assert_int_equal(memory_of("0::/a\n"), UNREAD);
	assert_why("above");
	assert_why("namespace");
	assert_int_equal(memory_of("0::/\n"), UNREAD);
	/* outside of it: never the file that "top/../a" may be */
	put("a/memory.max", "4096\n");
	put("a/memory.stat", V2_STAT);
	assert_int_equal(memory_of("0::/../a\n"), UNREAD);
	assert_why("cgroup /../a lies outside");
	assert_int_equal(memory_of("0::/..\n"), UNREAD);
	assert_int_equal(memory_of("0::/../../a/b\n"), UNREAD);
	assert_int_equal(memory_of("0::/..a\n"), UNREAD); /* not there */
	assert_why("cgroup /..a: No such file");
}

static void the_machines_tree_is_read_from_within_a_namespace(void **state)
{
	(void)state;
	put("unified/cgroup.procs", "");
	group_v2("/a", "67108864\n");
	group_v2("/free", "max\n");
	mounted("/../..", "unified", "cgroup2 cgroup2 rw");
	assert_int_equal(memory_of("0::/../../a\n"), LIMIT);
	assert_string_equal(l.path, "/../../a");
	assert_int_equal(memory_of("0::/../a\n"), UNREAD);
	assert_int_equal(memory_of("0::/../../../a\n"), UNREAD);
	/* whether that mount shows the root is not known */
	assert_int_equal(memory_of("0::/../../free\n"), UNREAD);
}

static void a_mount_of_a_part_is_read_below_it(void **state)
{
	(void)state;
	group_v1("", "134217728\n");
	group_v1("/app", V1_NONE);
	put("memory/app/release_agent", "");
	mounted("/docker/x", "memory", "cgroup cgroup ro,memory");
	assert_int_equal(memory_of("4:memory:/docker/x/app\n"), LIMIT);
	assert_int_equal(l.max, 128 * MIB);
	assert_string_equal(l.path, "/docker/x");
	group_v1("", V1_NONE);
	assert_int_equal(memory_of("4:memory:/docker/x\n"), UNREAD);
	assert_why("above");
	assert_int_equal(memory_of("4:memory:/docker/y\n"), UNREAD);
	assert_int_equal(memory_of("4:memory:/docker/xy\n"), UNREAD);
	assert_int_equal(memory_of("4:memory:/docker\n"), UNREAD);
	assert_int_equal(memory_of("4:memory:/\n"), UNREAD);
	assert_why("outside");
}

static void a_tree_that_is_not_mounted_says_nothing(void **state)
{
	(void)state;
	assert_int_equal(memory_of("0::/a\n"), UNREAD); /* no mounts at all */
	mounted("/", "memory", "tmpfs cgroup2 rw,memory");
	mounted("/", "memory", "cgroup cgroup rw,cpu,name=memory");
	assert_int_equal(memory_of("0::/a\n"), UNREAD);
	assert_why("(cgroup2) is not mounted");
	assert_int_equal(memory_of("4:memory:/a\n0::/\n"), UNREAD);
	assert_why("(cgroup) is not mounted");
	assert_int_equal(pids_of("4:pids:/a\n0::/\n"), UNREAD);
	/* a hierarchy that no line has was never mounted by anybody */
	assert_int_equal(memory_of("4:cpu:/a\n"), NONE);
}

static void another_mount_shows_what_one_does_not(void **state)
{
	(void)state;
	put("covered/x", "");
	mounted("/", "covered", "cgroup2 cgroup2 rw");
	mounted("/elsewhere", "unified", "cgroup2 cgroup2 rw");
	assert_int_equal(memory_of("0::/a\n"), UNREAD);
	mounted_v2();
	group_v2("/a", "67108864\n");
	assert_int_equal(memory_of("0::/a\n"), LIMIT);
}

static void blanks_in_a_mount_point_are_read(void **state)
{
	(void)state;
	put("a b\\c/cgroup.procs", "");
	put("a b\\c/x/memory.max", "67108864\n");
	put("a b\\c/x/memory.stat", V2_STAT);
	mounted("/", "a\\040b\\134c", "cgroup2 cgroup2 rw");
	assert_int_equal(memory_of("0::/x\n"), LIMIT);
}

static void a_limit_that_may_not_be_read_is_no_missing_one(void **state)
{
	uid_t was = geteuid();

	(void)state;
	mounted_v1();
	mounted_v2();
	group_v1("/a", V1_NONE);
	group_v1("/a/b", "67108864\n");
	group_v2("/a", "67108864\n");
	assert_int_equal(chmod(at("memory/a/memory.limit_in_bytes"), 0), 0);
	assert_int_equal(chmod(at("unified/a/memory.stat"), 0), 0);
	assert_true(was != 0 || seteuid(65533) == 0);
	/* the one below is known; which of the two is nearer is not */
	assert_int_equal(memory_of("4:memory:/a/b\n"), UNREAD);
	assert_why("memory.limit_in_bytes of cgroup /a: Permission denied");
	assert_int_equal(memory_of("0::/a\n"), UNREAD);
	assert_why("memory.stat of cgroup /a: Permission denied");
	assert_int_equal(seteuid(was), 0);
	put("memory/a/c/memory.limit_in_bytes/d", "");
	assert_int_equal(memory_of("4:memory:/a/c\n"), UNREAD);
	assert_why("Is a directory");
}

static void a_group_that_is_gone_is_no_free_one(void **state)
{
	(void)state;
	mounted_v1();
	mounted_v2();
	assert_int_equal(memory_of("4:memory:/gone\n"), UNREAD);
	assert_why("cgroup /gone: No such file or directory");
	assert_int_equal(memory_of("0::/a (deleted)\n"), UNREAD);
	assert_int_equal(pids_of("8:pids:/gone\n"), UNREAD);
}

static void garbage_is_no_number(void **state)
{
	static const char *const bad[] = {
		"",    "\n",	 "lots\n", "-5\n", "12 34\n",
		"0x1", "12\n\n", "max2\n", " 12",  "99999999999999999999999\n",
	};

	(void)state;
	mounted_v2();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		group_v2("/a", bad[i]);
		put("unified/a/pids.max", bad[i]);
		assert_int_equal(memory_of("0::/a\n"), UNREAD);
		assert_why("memory.max of cgroup /a: holds no number");
		assert_int_equal(pids_of("0::/a\n"), UNREAD);
	}
}

static void a_limit_without_its_use_is_not_told(void **state)
{
	static const char *const bad[] = {"", "anon\n", "anon 5\n",
					  "anon x\nshmem 1\n",
					  "anonymous 5\nshmem 5\n"};

	(void)state;
	mounted_v2();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		group_v2("/a", "67108864\n");
		put("unified/a/memory.stat", bad[i]);
		assert_int_equal(memory_of("0::/a\n"), UNREAD);
		assert_why("memory.stat of cgroup /a");
	}
	put("unified/a/pids.max", "5\n");
	assert_int_equal(pids_of("0::/a\n"), UNREAD); /* ENOENT of that one */
	assert_why("pids.current of cgroup /a: No such file");
}

static void a_text_that_names_no_group_is_not_believed(void **state)
{
	static const char *const bad[] = {"", "\n", "nonsense", "a:b",
					  "nonsense\n0::/a\n"};
	char longer[PATH_MAX + 40];

	(void)state;
	mounted_v2();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(memory_of(bad[i]), UNREAD);
		assert_int_equal(pids_of(bad[i]), UNREAD);
		assert_why("/proc/PID/cgroup");
	}
	memset(longer, 'a', sizeof(longer));
	memcpy(longer, "0::/", 4);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(memory_of(longer), UNREAD);
}

/* In a child, whose mounts are its own: 0 where all is as it should be. */
static int mount_and_look(const char *path)
{
	HT_AUTO_MOUNTS struct ht_mounts m = HT_MOUNTS_OWN;
	const char *text;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	text = ht_mounts_text(&m);
	if (!text || strstr(text, path))
		return 2;
	if (mount("none", path, "cgroup2", 0, NULL) < 0)
		return 3;
	text = ht_mounts_text(&m);
	if (!text || !strstr(text, path) || ht_mounts_text(&m) != text)
		return 4;
	if (umount(path) < 0)
		return 5;
	text = ht_mounts_text(&m);
	return !text || strstr(text, path) ? 6 : 0;
}

static void what_is_mounted_or_unmounted_later_is_seen(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	needs("root"); /* to mount anything */
	needs("namespaces");
	snprintf(made[made_n], sizeof(made[0]), "%s", at("later"));
	assert_int_equal(mkdir(made[made_n++], 0700), 0);
	pid = fork();
	if (pid == 0)
		_exit(mount_and_look(made[made_n - 1]));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void mounts_may_be_anything(void **state)
{
	static const char *const bad[] = {
		"\n",
		" - \n",
		" - cgroup2 \n",
		"a b c d - cgroup2 x rw\n",
		" - ",
		"a b c d e\n",
		"1 2 3 / - cgroup2",
		"\\ \\0 \\09 - x y z\n",
	};
	FILE *f = fopen(mounts, "w");

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		fputs(bad[i], f);
	fputs("\n", f);
	fclose(f);
	assert_int_equal(memory_of("0::/a\n"), UNREAD);
	mounted_v2();
	group_v2("/a", "67108864\n");
	assert_int_equal(memory_of("0::/a\n"), LIMIT);
}

static void the_group_that_accounts_memory_is_found(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{"0::/system.slice/a.service\n", "/system.slice/a.service"},
		{"9:cpu:/x\n4:cpuset,memory:/pods/1\n0::/\n", "/pods/1"},
		{"4:memory:/a\n0::/b\n", "/a"},
		{"9:cpu:/x\n", ""},
		{"nonsense", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char path[64] = "";

		ht_cgroup_name(cases[i].text, path, sizeof(path));
		assert_string_equal(path, cases[i].path);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_limit_of_version_1_is_read),
		TEST(a_limit_of_version_2_is_read),
		TEST(what_the_kernel_took_is_summed_before_linux_5_18),
		TEST(both_versions_stand_beside_each_other),
		TEST(the_group_with_the_least_room_is_told),
		TEST(a_group_that_does_not_count_those_below_it_limits_none),
		TEST(what_a_cgroup_namespace_hides_is_not_called_unlimited),
		TEST(the_machines_tree_is_read_from_within_a_namespace),
		TEST(a_mount_of_a_part_is_read_below_it),
		TEST(a_tree_that_is_not_mounted_says_nothing),
		TEST(another_mount_shows_what_one_does_not),
		TEST(blanks_in_a_mount_point_are_read),
		TEST(a_limit_that_may_not_be_read_is_no_missing_one),
		TEST(a_group_that_is_gone_is_no_free_one),
		TEST(garbage_is_no_number),
		TEST(a_limit_without_its_use_is_not_told),
		TEST(a_text_that_names_no_group_is_not_believed),
		TEST(what_is_mounted_or_unmounted_later_is_seen),
		TEST(mounts_may_be_anything),
		cmocka_unit_test(the_group_that_accounts_memory_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
