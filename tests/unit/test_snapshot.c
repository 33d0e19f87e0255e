/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshot: lists that grow, and that give back what they do not need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include "schema/snapshot.h"
#include "tests/lib/fake.h"

static void one_that_fits_has_no_room_to_spare_and_is_the_same(void **state)
{
	static const int none[] = {-1};
	const struct fake f = FAKE_DEFAULT;
	HT_AUTO_SNAPSHOT struct ht_snapshot s, same;

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&same);
	fake_snapshot(&f, 3, &s);
	fake_snapshot(&f, 3, &same);
	assert_true(s.size_classes.capacity > s.size_classes.n);
	assert_non_null(ht_snapshot_add(&s, HT_RECORD_finding));
	ht_snapshot_cut(&s, HT_RECORD_finding, same.findings.n);
	ht_snapshot_fit(&s);
	assert_null(snapshot_difference(&s, &same, none));
	assert_int_equal(s.size_classes.capacity, s.size_classes.n);
	assert_int_equal(s.arenas.capacity, s.arenas.n);
	assert_int_equal(s.findings.capacity, s.findings.n);
}

static void one_that_fits_can_grow_again(void **state)
{
	const struct fake f = FAKE_DEFAULT;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	size_t n;

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_fit(&s); /* of nothing */
	fake_snapshot(&f, 0, &s);
	ht_snapshot_fit(&s);
	n = s.arenas.n;
	for (size_t i = 0; i < 40; i++)
		assert_non_null(ht_snapshot_add(&s, HT_RECORD_arena));
	assert_int_equal(s.arenas.n, n + 40);
	assert_true(s.arenas.capacity >= n + 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			one_that_fits_has_no_room_to_spare_and_is_the_same),
		cmocka_unit_test(one_that_fits_can_grow_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
