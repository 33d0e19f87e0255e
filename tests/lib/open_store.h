/* SPDX-License-Identifier: Apache-2.0 */
/* Open store: a database of one test's own (store.h), open for writing. One
 * file of a program includes this. */
#ifndef HT_TESTS_OPEN_STORE_H
#define HT_TESTS_OPEN_STORE_H

#include "tests/lib/store.h"

static struct ht_store *st;

static int fresh_open(void **state)
{
	return fresh(state) == 0 && ht_store_open(path, HT_STORE_WRITE, &st,
						  &err) == HT_OK
		       ? 0
		       : -1;
}

static int close_clean(void **state)
{
	ht_store_close(st);
	return clean(state);
}

/* All that upkeep has to do at that time. */
static inline void maintain(const struct ht_store_policy *policy,
			    int64_t now_ns)
{
	bool done = false;

	for (int i = 0; i < 100000 && !done; i++)
		assert_ok(ht_store_maintain(st, policy, now_ns,
					    10 * HT_NS_PER_MS, &done, &err));
	assert_true(done);
}

#endif
