/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: a slice of upkeep is over in time, whatever its rows cost: by a clock
 * that the test moves.
 * LDFLAGS: -Wl,--wrap=clock_gettime
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "store/store_int.h"

#define US  INT64_C(1000)
#define AIM (300 * US)

static int64_t now_ns;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	(void)clock;
	ret->tv_sec = now_ns / HT_NS_PER_S;
	ret->tv_nsec = now_ns % HT_NS_PER_S;
	return 0;
}

/* Its steps of one kind, each row at this price; how long it was. */
static int64_t slice(struct ht_store *st, enum ht_step kind, int64_t row_ns)
{
	int64_t begun_ns = now_ns;

	ht_slice_begin(st, HT_STORE_SLICE_NS);
	do {
		now_ns += (int64_t)ht_slice_rows(st, kind) * row_ns;
		ht_slice_step(st, kind);
	} while (ht_slice_fits(st, kind));
	return now_ns - begun_ns;
}

static void no_step_is_begun_that_would_not_be_over_in_time(void **state)
{
	struct ht_store st = {0};

	(void)state;
	for (int64_t row_ns = US; row_ns < 100 * US; row_ns += US) {
		slice(&st, HT_STEP_WRITE, row_ns);
		assert_in_range(slice(&st, HT_STEP_WRITE, row_ns), 0,
				HT_STORE_SLICE_NS);
	}
}

static void dear_rows_come_in_smaller_steps_and_cheap_ones_in_whole(void **s)
{
	struct ht_store st = {0};
	size_t most = ht_slice_rows(&st, HT_STEP_WRITE), dear;

	(void)s;
	slice(&st, HT_STEP_WRITE, US);
	assert_int_equal(ht_slice_rows(&st, HT_STEP_WRITE), most);
	for (int i = 0; i < 10; i++)
		slice(&st, HT_STEP_WRITE, 40 * US);
	dear = ht_slice_rows(&st, HT_STEP_WRITE);
	assert_in_range(dear, 1, AIM / (40 * US));
	for (int i = 0; i < 10; i++)
		slice(&st, HT_STEP_WRITE, US);
	assert_int_equal(ht_slice_rows(&st, HT_STEP_WRITE), most);
	/* and what one kind costs says nothing of another */
	assert_true(ht_slice_rows(&st, HT_STEP_CHECKPOINT) > most);
}

static void one_dear_step_leaves_the_next_slice_one_at_least(void **state)
{
	struct ht_store st = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_in_range(slice(&st, HT_STEP_WHOLE, 20000 * US), 1,
				20000 * US);
	assert_true(slice(&st, HT_STEP_WHOLE, US) == US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			no_step_is_begun_that_would_not_be_over_in_time),
		cmocka_unit_test(
			dear_rows_come_in_smaller_steps_and_cheap_ones_in_whole),
		cmocka_unit_test(
			one_dear_step_leaves_the_next_slice_one_at_least),
	};

	return cmocka_run_group_tests_name("store: a slice", tests, NULL, NULL);
}
