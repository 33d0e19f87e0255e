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

#endif
