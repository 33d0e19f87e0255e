/* SPDX-License-Identifier: Apache-2.0 */
/* Store: a database of one test's own, in a directory that goes with it. One
 * file of a program includes this. */
#ifndef HT_TESTS_STORE_H
#define HT_TESTS_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

static char dir[64], path[80]; /* the database's, which is not there yet */
static struct ht_err err;

#define assert_ok(call)                                                        \
	do {                                                                   \
		enum ht_code code_ = (call);                                   \
		if (code_ != HT_OK)                                            \
			fail_msg("%s: %s", ht_code_label(code_), err.msg);     \
	} while (0)

/* In memory, where there is such a place: syncs are many, and what they save is
 * decided by who asks (vfs.h). Others may enter, as they may /tmp. */
static int fresh(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s/heaptide-store-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
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

#endif
