/* SPDX-License-Identifier: Apache-2.0 */
/* The watch on a copy's room, by a clock and a cgroup of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/sample/copy_room.h"
#include "schema/records.h"

#define MIB (UINT64_C(1) << 20)
#define MS  HT_NS_PER_MS

/* How long until it is asked again. */
static int64_t wait_with(uint64_t left, uint64_t now_left)
{
	struct ht_copy_room r = ht_copy_room(left);

	assert_true(ht_copy_room_due(&r, 0));
	assert_false(ht_copy_room_is_outrun(&r, 1000, now_left));
	assert_false(ht_copy_room_due(&r, r.next_ns - 1));
	assert_true(ht_copy_room_due(&r, r.next_ns));
	return r.next_ns - 1000;
}

static void it_is_asked_the_sooner_the_less_is_left(void **state)
{
	(void)state;
	assert_int_equal(wait_with(HT_UNKNOWN, HT_UNKNOWN), 50 * MS);
	assert_int_equal(wait_with(64 << 10, 64 << 10), 5 * MS);
	assert_int_equal(wait_with(256 * MIB + 16000000, 256 * MIB + 16000000),
			 8888608);
	assert_int_equal(wait_with(4096 * MIB, 4096 * MIB), 50 * MS);
	assert_int_equal(wait_with(4096 * MIB, 256 * MIB + 320000000), 20 * MS);
	assert_int_equal(wait_with(4096 * MIB, 256 * MIB), 5 * MS);
}

static void writers_are_never_let_past_what_must_be_left(void **state)
{
	static const uint64_t rooms[] = {MIB, 100 * MIB, 600 * MIB, 8192 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++)
		for (uint64_t per_ns = 1; per_ns <= HT_COPY_ROOM_BYTES_PER_NS;
		     per_ns *= 2) {
			struct ht_copy_room r = ht_copy_room(rooms[i]);
			uint64_t left = rooms[i], late;
			int64_t now = 0;

			while (!ht_copy_room_is_outrun(&r, now, left)) {
				uint64_t wrote =
					(uint64_t)(r.next_ns - now) * per_ns;

				left = wrote < left ? left - wrote : 0;
				now = r.next_ns;
			}
			/* Seen within the shortest wait after it was passed. */
			late = HT_COPY_ROOM_EVERY_NS * per_ns;
			assert_true(left < r.least);
			assert_true(left + late >= r.least);
		}
}

static void a_copy_that_was_given_up_is_asked_about_no_more(void **state)
{
	struct ht_copy_room r = ht_copy_room(100 * MIB);

	(void)state;
	assert_false(ht_copy_room_is_outrun(&r, 0, 50 * MIB));
	assert_true(ht_copy_room_is_outrun(&r, 5 * MS, 50 * MIB - 1));
	assert_true(r.outrun);
	assert_false(ht_copy_room_due(&r, INT64_MAX));
}

static void without_a_known_limit_none_is_given_up(void **state)
{
	struct ht_copy_room r = ht_copy_room(HT_UNKNOWN);

	(void)state;
	for (int64_t now = 0; now < 1000 * MS; now = r.next_ns) {
		assert_false(ht_copy_room_is_outrun(&r, now, HT_UNKNOWN));
		assert_int_equal(r.next_ns, now + 50 * MS);
	}
	assert_false(ht_copy_room_is_outrun(&r, 1000 * MS, 0));
}

static void a_limit_that_is_read_no_more_ends_no_copy(void **state)
{
	struct ht_copy_room r = ht_copy_room(100 * MIB);

	(void)state;
	assert_false(ht_copy_room_is_outrun(&r, 0, HT_UNKNOWN));
	assert_int_equal(r.next_ns, 50 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_asked_the_sooner_the_less_is_left),
		cmocka_unit_test(writers_are_never_let_past_what_must_be_left),
		cmocka_unit_test(
			a_copy_that_was_given_up_is_asked_about_no_more),
		cmocka_unit_test(without_a_known_limit_none_is_given_up),
		cmocka_unit_test(a_limit_that_is_read_no_more_ends_no_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
