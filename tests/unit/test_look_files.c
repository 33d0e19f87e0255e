/* SPDX-License-Identifier: Apache-2.0 */
/* A look opens what it needs once: with a thousand processes watched, opening
 * files of /proc is what a look costs.
 * LDFLAGS: -Wl,--wrap=open -Wl,--wrap=openat -Wl,--wrap=readlink
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "tests/lib/target.h"

#define PATHS 256

static struct opened {
	char path[256];
	unsigned times;
} opened[PATHS];
static size_t opened_n;
static unsigned readlinks;

static void note(const char *path)
{
	size_t i = 0;

	while (i < opened_n && strcmp(opened[i].path, path) != 0)
		i++;
	assert_true(i < PATHS);
	if (i == opened_n)
		snprintf(opened[opened_n++].path, sizeof(opened->path), "%s",
			 path);
	opened[i].times++;
}

int __real_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *path, int flags, ...);
ssize_t __real_readlink(const char *path, char *to, size_t size);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
ssize_t __wrap_readlink(const char *path, char *to, size_t size);

int __wrap_open(const char *path, int flags, ...)
{
	note(path);
	return __real_open(path, flags); /* nobody here creates a file */
}

/* Of a thread's folder: "TID/stat". Of a control group's: its files, which
 * have the same names in each group. */
int __wrap_openat(int dir, const char *path, int flags, ...)
{
	char whole[512], link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = __real_readlink(link, whole, sizeof(whole) - 1);
	assert_true(n > 0);
	snprintf(whole + n, sizeof(whole) - (size_t)n, "/%s", path);
	note(whole);
	return __real_openat(dir, path, flags);
}

ssize_t __wrap_readlink(const char *path, char *to, size_t size)
{
	readlinks++;
	return __real_readlink(path, to, size);
}

struct measured {
	struct program p;
	struct ht_target target;
};

static void start(struct measured *m)
{
	struct ht_err err = {0};

	m->target = HT_TARGET_NONE;
	m->p = program_start("threads", "4", "sleep", NULL);
	assert_true(program_says(&m->p, "ready", 10000));
	if (ht_target_open_process(m->p.pid, &m->target, &err) != HT_OK ||
	    ht_target_locate(&m->target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

/* True: at the first attempt, since no thread ran. */
static bool look(struct measured *m, uint64_t flags)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {.target = &m->target,
				     .request = &request,
				     .snapshot = &snapshot};
	struct ht_err err = {0};

	request.mode = HT_MODE_NONE;
	request.flags = flags;
	ht_snapshot_init(&snapshot);
	if (ht_session_sample(&session, &err) != HT_OK)
		fail_msg("%s", err.msg);
	return snapshot.stop.attempts == 1;
}

/* Its threads may still be on their way to sleep. */
static void look_at_rest(struct measured *m, uint64_t flags)
{
	for (int i = 0; i < 1000; i++) {
		opened_n = readlinks = 0;
		memset(opened, 0, sizeof(opened));
		if (look(m, flags))
			return;
	}
	fail_msg("it never rested");
}

/* How often this file may be opened in one look of a process at rest: twice,
 * where it is asked what changed meanwhile. */
static unsigned most(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	if (strcmp(name, "schedstat") == 0)
		return 4; /* begin, roots, heap, end: did some thread run? */
	if (strcmp(name, "statm") == 0)
		return 2; /* beside each reading of the mappings */
	if (strcmp(name, "stat") == 0)
		return 2; /* did it call execve? */
	return 1;
}

static void a_look_at_rest_opens_each_file_once(void **state)
{
	const uint64_t flags[] = {HT_WANT_CLASSES | HT_WANT_MAPPINGS,
				  HT_WANT_CLASSES | HT_WANT_MAPPINGS |
					  HT_WANT_BINS | HT_WANT_THREADS |
					  HT_WANT_HEAPS | HT_WANT_PSS};
	struct measured m;

	(void)state;
	start(&m);
	look_at_rest(&m, flags[0]); /* the first opens what is kept */
	for (size_t k = 0; k < sizeof(flags) / sizeof(*flags); k++) {
		look_at_rest(&m, flags[k]);
		/* what is kept open is opened by the first */
		assert_in_range(opened_n, 3, 20);
		for (size_t i = 0; i < opened_n; i++) {
			if (opened[i].times > most(opened[i].path))
				fail_msg("%s: opened %u times", opened[i].path,
					 opened[i].times);
			assert_null(strstr(opened[i].path, "mountinfo"));
			assert_null(strstr(opened[i].path, "/maps"));
		}
		assert_in_range(readlinks, 1, 5);
	}
	ht_target_close(&m.target);
	program_end(&m.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_at_rest_opens_each_file_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
