/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/process/turns.h"

#define MANY 300

/* The earliest of those that wait, by looking at each. */
static const struct ht_turn *earliest(const struct ht_turn *v, size_t n)
{
	const struct ht_turn *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].waits && (!best || v[i].at_ns < best->at_ns))
			best = &v[i];
	return best;
}

static void assert_first(const struct ht_turns *t, const struct ht_turn *v)
{
	const struct ht_turn *best = earliest(v, MANY);

	assert_int_equal(t->first != NULL, best != NULL);
	if (best)
		assert_int_equal(t->first->at_ns, best->at_ns);
}

static void the_first_in_line_is_always_the_earliest(void **state)
{
	static struct ht_turn v[MANY];
	struct ht_turns t = {0};

	(void)state;
	srand48(7);
	for (int step = 0; step < 20000; step++) {
		struct ht_turn *turn = &v[lrand48() % MANY];

		/* times meet; who waits moves, who does not wait may leave */
		if (lrand48() % 3)
			ht_turns_put(&t, turn, lrand48() % 1000);
		else
			ht_turns_leave(&t, turn);
		assert_first(&t, v);
	}
}

static void who_is_taken_off_one_by_one_comes_in_order_of_time(void **state)
{
	static struct ht_turn v[MANY];
	struct ht_turns t = {0};
	int64_t last_ns = -1;
	size_t n = 0;

	(void)state;
	srand48(8);
	for (size_t i = 0; i < MANY; i++)
		ht_turns_put(&t, &v[i], lrand48() % 100);
	for (; t.first; n++) {
		assert_true(t.first->at_ns >= last_ns);
		last_ns = t.first->at_ns;
		ht_turns_leave(&t, t.first);
	}
	assert_int_equal(n, MANY);
	assert_null(earliest(v, MANY));
}

static void nobody_is_twice_in_line(void **state)
{
	struct ht_turn one = {0}, other = {0};
	struct ht_turns t = {0};

	(void)state;
	ht_turns_leave(&t, &one);
	assert_null(t.first);
	ht_turns_put(&t, &one, 5);
	ht_turns_put(&t, &other, 7);
	ht_turns_put(&t, &one, 9);
	assert_ptr_equal(t.first, &other);
	ht_turns_leave(&t, &other);
	assert_ptr_equal(t.first, &one);
	ht_turns_leave(&t, &one);
	assert_null(t.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_in_line_is_always_the_earliest),
		cmocka_unit_test(
			who_is_taken_off_one_by_one_comes_in_order_of_time),
		cmocka_unit_test(nobody_is_twice_in_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
