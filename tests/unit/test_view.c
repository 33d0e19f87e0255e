/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window of a walk over pages that are there when their states are asked
 * for, and look as if they were swapped out when they are read.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/arch/arch.h"
#include "agent/walk/view.h"

#define BASE	UINT64_C(0x10000)
#define BYTES	((uint64_t)4 * HT_PAGE_SIZE)
#define MISSING (BASE + 2 * HT_PAGE_SIZE)

static unsigned missing; /* so many reads come to nothing there */

static size_t read_around(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr < MISSING && addr + len > MISSING && missing > 0)
		len = MISSING - addr;
	else if (addr == MISSING && missing > 0)
		len = 0;
	missing -= missing > 0;
	memset(buf, 7, len);
	errno = HT_READER_SWAPPED;
	return len;
}

static const struct ht_reader_ops ops = {.name = "around", .read = read_around};

static bool load(unsigned reads, struct ht_view *w)
{
	static const struct ht_pages pages; /* states are unknown */
	struct ht_reader reader = {.ops = &ops, .bytes_left = UINT64_MAX};
	struct ht_err err;
	bool all;

	missing = reads;
	assert_int_equal(ht_view_init(w, &reader, BYTES, &err), HT_OK);
	ht_view_segment(w, &pages, BASE + BYTES);
	all = ht_view_have(w, BASE, 8) && ht_view_have(w, MISSING, 8) &&
	      ht_view_at(w, MISSING)[0] == 7;
	ht_view_fini(w);
	return all;
}

static void a_page_that_moves_is_waited_for(void **state)
{
	struct ht_view w;

	(void)state;
	assert_true(load(0, &w));
	assert_true(load(2, &w));
	assert_true(load(5, &w));
	assert_false(w.swapped);
}

static void one_that_is_swapped_out_ends_the_window_and_is_told(void **state)
{
	struct ht_view w;

	(void)state;
	assert_false(load(1000, &w));
	assert_true(w.swapped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_moves_is_waited_for),
		cmocka_unit_test(
			one_that_is_swapped_out_ends_the_window_and_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
