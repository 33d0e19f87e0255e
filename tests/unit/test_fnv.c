/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/fnv.h"

static uint64_t hash(const char *text)
{
	return ht_fnv(HT_FNV_BASIS, text, strlen(text));
}

/* Vectors of draft-eastlake-fnv. */
static void it_is_the_published_one(void **state)
{
	(void)state;
	assert_true(hash("") == UINT64_C(0xcbf29ce484222325));
	assert_true(hash("a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(hash("foobar") == UINT64_C(0x85944171f73967e8));
}

static void what_follows_is_hashed_on(void **state)
{
	(void)state;
	assert_true(ht_fnv(hash("foo"), "bar", 3) == hash("foobar"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_published_one),
		cmocka_unit_test(what_follows_is_hashed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
