/* SPDX-License-Identifier: Apache-2.0 */
/* Heaps of every glibc from 2.17 to 2.44, 64 and 32 bit, walked to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lib/fakeheap.h"

static void compare(const struct fake *k, const struct ht_snapshot *s)
{
	for (int i = 0; i < 2; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		assert_int_equal(a->system, k->want[i].system);
		assert_int_equal(a->in_use, k->want[i].in_use);
		assert_int_equal(a->in_use_chunks, k->want[i].in_use_chunks);
		assert_int_equal(a->tcache, k->want[i].tcache);
		assert_int_equal(a->fastbin, k->want[i].fastbin);
		assert_int_equal(a->unsorted, k->want[i].unsorted);
		assert_int_equal(a->small, k->want[i].small);
		assert_int_equal(a->large, k->want[i].large);
		assert_int_equal(a->top, k->want[i].top);
		assert_int_equal(a->uncertain_bytes, 0);
	}
	assert_int_equal(s->totals.mmapped, k->want_mmapped);
	assert_int_equal(s->totals.mmapped_chunks, k->want_mmapped_chunks);
	assert_int_equal(s->totals.heaps, 2);
}

static void walk_one(unsigned minor, unsigned word)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	if (fake_build(&k, minor, word, &err) != HT_OK ||
	    fake_walk(&k, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("glibc 2.%u, words of %u: %s", minor, word, err.msg);
	print_message("glibc 2.%u, words of %u\n", minor, word);
	for (size_t i = 0; i < s.findings.n; i++)
		print_message("  %s: %s\n", s.findings.v[i].code,
			      s.findings.v[i].text);
	assert_int_equal(s.findings.n, 0);
	assert_int_equal(s.arenas.n, 2);
	compare(&k, &s);
	ht_snapshot_fini(&s);
	fake_free(&k);
}

static void every_release_is_walked_to_the_byte_on_64_bit(void **state)
{
	(void)state;
	for (unsigned minor = 17; minor <= 44; minor++)
		walk_one(minor, 8);
}

static void every_release_is_walked_to_the_byte_on_32_bit(void **state)
{
	(void)state;
	for (unsigned minor = 17; minor <= 44; minor++)
		walk_one(minor, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_release_is_walked_to_the_byte_on_64_bit),
		cmocka_unit_test(every_release_is_walked_to_the_byte_on_32_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
