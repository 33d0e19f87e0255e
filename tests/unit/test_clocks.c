/* SPDX-License-Identifier: Apache-2.0 */
/* What the distances of three clocks say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "common/clock.h"
#include "daemon/parts/clocks.h"

#define S    HT_NS_PER_S
#define WALL (INT64_C(1750000000) * S)

static void says(struct ht_clocks *c, int64_t mono_s, int64_t asleep_s,
		 int64_t set_s, int64_t slept_s, int64_t jumped_s)
{
	struct ht_clock_jump jump =
		ht_clocks_compare(c, mono_s * S, (mono_s + asleep_s) * S,
				  WALL + (mono_s + asleep_s + set_s) * S);

	assert_int_equal(jump.slept_ns, slept_s * S);
	assert_int_equal(jump.set_ns, jumped_s * S);
}

static void time_that_goes_by_is_nothing(void **state)
{
	struct ht_clocks c = {0};

	(void)state;
	says(&c, 1000, 500, 0, 0, 0); /* the first look knows no before */
	says(&c, 1001, 500, 0, 0, 0);
	says(&c, 99999, 500, 0, 0, 0);
}

static void a_sleep_and_a_set_clock_are_told_apart_and_once(void **state)
{
	struct ht_clocks c = {0};

	(void)state;
	says(&c, 10, 0, 0, 0, 0);
	says(&c, 11, 7200, 0, 7200, 0);
	says(&c, 12, 7200, 0, 0, 0);
	says(&c, 13, 7200, -3600, 0, -3600);
	says(&c, 14, 7200, -3600, 0, 0);
	says(&c, 15, 7260, 0, 60, 3600);
}

static void a_slewed_clock_is_no_set_clock(void **state)
{
	struct ht_clocks c = {0};

	(void)state;
	for (int64_t i = 0; i < 100; i++) {
		int64_t slewed_ns = i * S / 2;
		struct ht_clock_jump jump = ht_clocks_compare(
			&c, i * S, i * S, WALL + i * S + slewed_ns);

		assert_int_equal(jump.set_ns, 0);
		assert_int_equal(jump.slept_ns, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_that_goes_by_is_nothing),
		cmocka_unit_test(
			a_sleep_and_a_set_clock_are_told_apart_and_once),
		cmocka_unit_test(a_slewed_clock_is_no_set_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
