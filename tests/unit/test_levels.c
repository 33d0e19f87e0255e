/* SPDX-License-Identifier: Apache-2.0 */
/* Made histories are judged without a database: what they read must be what the
 * store would have given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/fake.h"
#include "tests/lib/levels.h"
#include "tests/lib/open_store.h"

#define S     HT_NS_PER_S
#define HOUR  (3600 * HT_NS_PER_S)
#define ROWS  1800 /* a minute each: 30 hours */
#define START (FAKE_T0 - FAKE_T0 % HOUR + 17 * 60 * S)

static const struct fake process = {7, 2, 2, 8, 4096, START, 60 * S};

static void record(struct ht_series *raw)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	bool done = false;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = 0; n < ROWS; n++) {
		fake_snapshot(&process, n, &s);
		assert_ok(ht_store_add(st, "t", &s, NULL, &err));
		assert_ok(ht_series_add_snapshot(raw, &s, &err));
	}
	assert_ok(ht_store_commit(st, &err));
	while (!done)
		assert_ok(ht_store_maintain(st, &HT_STORE_POLICY_DEFAULT,
					    START + ROWS * 60 * S, S, &done,
					    &err));
}

/* What is not listed counts as nothing. */
static double counted(double x)
{
	return isnan(x) ? 0 : x;
}

static void assert_same(const struct ht_series *a, const struct ht_series *b)
{
	assert_int_equal(a->rows, b->rows);
	assert_true(a->rows > 400);
	for (size_t i = 0; i < a->rows; i++) {
		assert_int_equal(a->time_ns[i], b->time_ns[i]);
		for (size_t m = 0; m < HT_METRIC_COUNT; m++)
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				assert_true(counted(a->metric[m][k][i]) ==
					    counted(b->metric[m][k][i]));
	}
}

static void assert_same_classes(struct ht_series *a, struct ht_series *b)
{
	assert_int_equal(a->classes_n, b->classes_n);
	for (size_t c = 0; c < a->classes_n; c++) {
		struct ht_class_series *x = &a->classes[c];
		struct ht_class_series *y = ht_series_class(b, x->max_size);

		for (size_t i = 0; i < a->rows; i++) {
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				assert_true(counted(x->bytes[k][i]) ==
					    counted(y->bytes[k][i]));
			assert_true(counted(x->chunks[i]) ==
				    counted(y->chunks[i]));
		}
	}
}

static void levels_give_what_the_store_gives(void **state)
{
	struct ht_series raw, ours, stored;
	struct ht_levels levels;
	int64_t to = START + (ROWS - 1) * 60 * S;

	(void)state;
	ht_series_init(&raw);
	ht_series_init(&ours);
	ht_series_init(&stored);
	record(&raw);
	ht_levels_make(&raw, &levels);
	ht_levels_mixed(&levels, to - 28 * HOUR, to, &ours);
	assert_ok(ht_store_series_mixed(st, 1, to - 28 * HOUR, to,
					HT_SERIES_CLASSES, NULL, &stored,
					&err));
	assert_same(&ours, &stored);
	assert_same_classes(&ours, &stored);
	ht_levels_fini(&levels);
	ht_series_fini(&raw);
	ht_series_fini(&ours);
	ht_series_fini(&stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			levels_give_what_the_store_gives, fresh_open,
			close_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
