/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshot: packed and unpacked again it is the same, and small between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>

#include "daemon/process/newest.h"
#include "schema/snapshot_packed.h"
#include "tests/lib/fake.h"

static const struct fake f = FAKE_DEFAULT;
static const int none[] = {-1};
static struct ht_err err;

/* All bytes of all records: what is compared by the store is them. */
static void assert_same_bytes(struct ht_snapshot *a, struct ht_snapshot *b)
{
	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		assert_int_equal(ht_snapshot_count(a, id),
				 ht_snapshot_count(b, id));
		for (size_t i = 0; i < ht_snapshot_count(a, id); i++)
			assert_memory_equal(ht_snapshot_row(a, id, i),
					    ht_snapshot_row(b, id, i),
					    ht_record_types[id].size);
	}
}

static void one_that_was_packed_is_the_same_to_the_byte(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s, back;
	struct ht_snapshot_packed p = {0};

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&back);
	for (uint64_t n = 0; n < 8; n++) {
		fake_snapshot(&f, n, &s);
		s.head.uid = n % 2 ? 0 : HT_UNKNOWN;
		s.head.exe_inode = UINT64_MAX - 1;
		s.fragmentation.external = n % 2 ? -0.25 : 1.0 / 3;
		memset(s.head.comm, 'x', sizeof(s.head.comm)); /* no end */
		ht_snapshot_warn(&s, "warning %d of %s", (int)n, "many");
		assert_int_equal(ht_snapshot_pack(&s, &p, &err), HT_OK);
		assert_int_equal(ht_snapshot_unpack(&p, &back, &err), HT_OK);
		s.head.comm[63] = back.head.comm[63] = 0;
		assert_null(snapshot_difference(&s, &back, none));
		assert_same_bytes(&s, &back);
	}
	ht_snapshot_packed_fini(&p);
}

static void an_empty_one_is_unknown_again(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot empty, back;
	struct ht_snapshot_packed p = {0};

	(void)state;
	ht_snapshot_init(&empty);
	ht_snapshot_init(&back);
	fake_snapshot(&f, 1, &back); /* what was there goes */
	assert_int_equal(ht_snapshot_unpack(&p, &back, &err), HT_OK);
	assert_same_bytes(&empty, &back);
	fake_snapshot(&f, 1, &back);
	assert_int_equal(ht_snapshot_pack(&empty, &p, &err), HT_OK);
	assert_int_equal(ht_snapshot_unpack(&p, &back, &err), HT_OK);
	assert_same_bytes(&empty, &back);
	ht_snapshot_packed_fini(&p);
}

static void one_of_many_mappings_takes_a_fifth(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_snapshot_packed p = {0};

	(void)state;
	ht_snapshot_init(&s);
	for (size_t i = 0; i < 100; i++) {
		struct ht_mapping *m = ht_snapshot_add_mapping(&s);

		assert_non_null(m);
		snprintf(m->name, sizeof(m->name), "/usr/lib/lib%zu.so.6", i);
		m->count = 4;
		m->size = m->resident = 4096 * i;
		m->anonymous = 0;
	}
	assert_int_equal(ht_snapshot_pack(&s, &p, &err), HT_OK);
	assert_true(p.n < 100 * sizeof(struct ht_mapping) / 5);
	ht_snapshot_packed_fini(&p);
}

static void the_newest_stays_until_a_whole_one_comes(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s, want;
	struct ht_newest n = {0};

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&want);
	assert_false(ht_newest_read(&n, &s));
	assert_int_equal(ht_newest_open(&n, &err), HT_OK);
	fake_snapshot(&f, 1, n.open);
	assert_false(ht_newest_read(&n, &s)); /* not whole yet */
	assert_true(ht_newest_pack(&n));
	ht_newest_close(&n);
	assert_null(n.open);
	fake_snapshot(&f, 1, &want);
	assert_true(ht_newest_read(&n, &s));
	assert_same_bytes(&s, &want);
	assert_int_equal(ht_newest_open(&n, &err), HT_OK);
	fake_snapshot(&f, 2, n.open);
	ht_newest_close(&n); /* that failed */
	assert_true(ht_newest_read(&n, &s));
	assert_same_bytes(&s, &want);
	ht_newest_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_was_packed_is_the_same_to_the_byte),
		cmocka_unit_test(an_empty_one_is_unknown_again),
		cmocka_unit_test(one_of_many_mappings_takes_a_fifth),
		cmocka_unit_test(the_newest_stays_until_a_whole_one_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
