/* SPDX-License-Identifier: Apache-2.0 */
/* Store: a database of one test's own, in a directory that goes with it. One
 * file of a program includes this. */
#ifndef HT_TESTS_STORE_H
#define HT_TESTS_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/fake.h"

static char dir[64], path[80]; /* the database's, which is not there yet */
static struct ht_err err;

#define assert_ok(call)                                                        \
	do {                                                                   \
		enum ht_code code_ = (call);                                   \
		if (code_ != HT_OK)                                            \
			fail_msg("%s: %s", ht_code_label(code_), err.msg);     \
	} while (0)

static bool is_roomy(const char *place) /* a container may have 64 MiB there */
{
	struct statvfs st;

	return access(place, W_OK) == 0 && statvfs(place, &st) == 0 &&
	       st.f_bavail * st.f_frsize >= 1ULL << 30;
}

/* In memory, where there is such a place: syncs are many, and what they save is
 * decided by who asks (vfs.h). Others may enter, as they may /tmp. */
static int fresh(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s/heaptide-store-XXXXXX",
		 is_roomy("/dev/shm") ? "/dev/shm" : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/t.db", dir);
	return chmod(dir, 0755);
}

static void remove_all(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[100];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static int clean(void **state)
{
	(void)state;
	remove_all();
	return rmdir(dir);
}

enum { EACH = 2 }; /* samples of one commit */

/* A small process, its samples an hour apart, so that upkeep has work. */
static const struct fake written = {7, 1, 1, 4, 0, FAKE_T0, 3600 * HT_NS_PER_S};

/* One commit of EACH samples, `from` on, of the target "t", and its upkeep. */
static inline enum ht_code write_some(struct ht_store *st, uint64_t from)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code = ht_store_begin(st, NULL);
	bool done;

	ht_snapshot_init(&s);
	for (uint64_t i = 0; i < EACH && code == HT_OK; i++) {
		fake_snapshot(&written, from + i, &s);
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

/* Of the target that write_some() writes. */
static inline int64_t count_samples(struct ht_store *st)
{
	struct ht_store_process p;

	if (ht_store_find(st, "t", &p, NULL) != HT_OK)
		return 0;
	return (int64_t)p.samples;
}

#endif
