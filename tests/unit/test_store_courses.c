/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: a made history with known courses of a top, a ratio and a bin, with a
 * gap, a restart, samples that come late and a size limit. What is read back at
 * each level is what was written, by statistics that are counted here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "store/store.h"
#include "store/store_int.h"
#include "tests/lib/fake.h"
#include "tests/lib/open_store.h"

#define S    HT_NS_PER_S
#define HOUR (3600 * S)
#define DAY  (24 * HOUR)

static const struct fake small = {
	7, 2, 2, 6, 4096, FAKE_T0 - FAKE_T0 % HOUR, 10 * S};
enum {
	SAMPLES = 6 * 360, /* six hours */
	GAP = 700,	   /* nobody looked from here */
	GAP_END = 830,
	RESTART = 1000,
	LATE = 1500, /* these came when their hour was rolled up */
	LATE_END = 1540,
	BIN = 6, /* small, of the main arena */
};

static int64_t at(uint64_t n)
{
	return small.start_ns + (int64_t)n * small.step_ns;
}

static bool is_there(uint64_t n)
{
	return n < SAMPLES && (n < GAP || n >= GAP_END);
}

/* --- the courses --------------------------------------------------------- */

static double top_at(uint64_t n)
{
	return 1048576 + 4096.0 * (double)(n % 97) * (double)(n / 500 + 1);
}

static double external_at(uint64_t n)
{
	return (double)(n * 37 % 1000) / 1000;
}

static double bin_at(uint64_t n)
{
	return 96.0 * (double)(n / 7 * 13 % 50);
}

static void set_bin(struct ht_snapshot *s, uint64_t bytes)
{
	struct ht_bin *b = NULL;

	for (size_t i = 0; i < s->bins.n; i++) {
		struct ht_bin *at = &s->bins.v[i];

		if (at->kind != HT_BIN_SMALL || at->index != BIN)
			continue;
		at->bytes = at->chunks = 0;
		if (at->arena == 0)
			b = at;
	}
	if (!b)
		b = ht_snapshot_add_bin(s);
	b->arena = 0;
	b->kind = HT_BIN_SMALL;
	b->index = BIN;
	b->min_size = b->max_size = 96;
	b->bytes = bytes;
	b->chunks = bytes / 96;
}

static void add(uint64_t from, uint64_t to)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = from; n < to; n++) {
		fake_snapshot(&small, n, &s);
		s.totals.top = (uint64_t)top_at(n);
		s.fragmentation.external = external_at(n);
		set_bin(&s, (uint64_t)bin_at(n));
		assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
}

/* All that happens to it; at its end all hours are rolled up. */
static void live(void)
{
	add(0, GAP);
	maintain(&HT_STORE_POLICY_DEFAULT, at(GAP));
	add(GAP_END, RESTART);
	ht_store_close(st);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	add(RESTART, LATE);
	add(LATE_END, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES) + HOUR);
	add(LATE, LATE_END);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES) + 2 * HOUR);
}

/* --- what must be read --------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Lowest, 10th percentile, median, highest of a course in [from, from + n), by
 * nearest rank; how many samples that are. */
static size_t count(double (*course)(uint64_t n), uint64_t from, uint64_t n,
		    double ret[HT_STAT_COUNT])
{
	double v[SAMPLES];
	size_t seen = 0;

	for (uint64_t i = from; i < from + n; i++)
		if (is_there(i))
			v[seen++] = course(i);
	if (seen == 0)
		return 0;
	qsort(v, seen, sizeof(*v), ascending);
	ret[HT_STAT_MIN] = v[0];
	ret[HT_STAT_P10] = v[(size_t)ceil((double)seen / 10) - 1];
	ret[HT_STAT_MEDIAN] = v[(size_t)ceil((double)seen / 2) - 1];
	ret[HT_STAT_MAX] = v[seen - 1];
	return seen;
}

static const struct ht_list_line *line_of(const struct ht_series *s)
{
	for (size_t i = 0; i < s->lines_n; i++)
		if (s->lines[i].key[1] == HT_BIN_SMALL &&
		    s->lines[i].key[2] == BIN)
			return &s->lines[i];
	fail_msg("the bin is not there");
	abort();
}

/* One row: of all figures each statistic, to the bit. */
static void hold_row(const struct ht_series *s, size_t row, uint64_t from,
		     uint64_t n)
{
	static const enum ht_stat of[HT_BANDS] = {HT_STAT_MIN, HT_STAT_MEDIAN,
						  HT_STAT_MAX};
	double top[HT_STAT_COUNT], external[HT_STAT_COUNT], bin[HT_STAT_COUNT];

	assert_true(count(top_at, from, n, top) > 0);
	count(external_at, from, n, external);
	count(bin_at, from, n, bin);
	for (int k = 0; k < HT_STAT_COUNT; k++) {
		assert_true(s->metric[HT_M_top][k][row] == top[k]);
		assert_true(s->metric[HT_M_external][k][row] == external[k]);
	}
	for (int b = 0; b < HT_BANDS; b++) {
		assert_true(line_of(s)->value[0][b][row] == bin[of[b]]);
		assert_true(line_of(s)->value[1][b][row] == bin[of[b]] / 96);
	}
}

static void read_all(size_t max_rows, struct ht_series *s)
{
	ht_series_fini(s);
	ht_series_init(s);
	assert_ok(ht_store_series(st, 1, at(0), at(SAMPLES) - 1, max_rows,
				  HT_SERIES_LIST(HT_LINES_BINS), s, &err));
}

/* Every row is that of its bucket of n samples; how many rows. */
static size_t hold_level(size_t max_rows, uint64_t n)
{
	HT_AUTO_SERIES struct ht_series s;
	size_t rows;

	ht_series_init(&s);
	read_all(max_rows, &s);
	assert_int_equal(s.step_ns, (int64_t)n * small.step_ns);
	for (size_t row = 0; row < s.rows; row++) {
		uint64_t from = (uint64_t)(s.time_ns[row] - small.start_ns) /
				(uint64_t)small.step_ns / n * n;

		hold_row(&s, row, from, n);
		assert_true(row == 0 || s.time_ns[row] > s.time_ns[row - 1]);
	}
	rows = s.rows;
	return rows;
}

/* Buckets of n samples in which anybody looked. */
static size_t buckets(uint64_t n)
{
	double ignored[HT_STAT_COUNT];
	size_t seen = 0;

	for (uint64_t from = 0; from < SAMPLES; from += n)
		seen += count(top_at, from, n, ignored) > 0;
	return seen;
}

/* As the store says; seconds. */
static int64_t rolled_until(void)
{
	sqlite3_stmt *stmt = NULL;
	int64_t until_s;

	assert_int_equal(sqlite3_prepare_v2(st->db,
					    "SELECT rolled_s FROM process", -1,
					    &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	until_s = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return until_s;
}

static void each_level_is_what_was_written(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	live();
	assert_int_equal(hold_level(400, 6), buckets(6));
	assert_int_equal(hold_level(40, 60), buckets(60));
	assert_int_equal(hold_level(6, 360), buckets(360));
	assert_int_equal(rolled_until(), at(SAMPLES) / S);
	/* and the samples, before the clock was seen to step back */
	ht_series_init(&s);
	assert_ok(ht_store_series(st, 1, at(GAP_END), at(LATE) - 1, 0,
				  HT_SERIES_LIST(HT_LINES_BINS), &s, &err));
	assert_int_equal(s.rows, LATE - GAP_END);
	for (size_t row = 0; row < s.rows; row++)
		hold_row(&s, row, GAP_END + row, 1);
}

static void what_a_size_limit_leaves_is_what_was_written(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	int64_t bytes = 0;
	size_t rows;

	(void)state;
	live();
	for (int64_t share = 2; share <= 4; share *= 2) {
		assert_ok(ht_store_size(st, &bytes, &err));
		policy.max_bytes = bytes / 2;
		maintain(&policy, at(SAMPLES) + (2 + share) * HOUR);
		rows = hold_level(6, 360);
		assert_true(rows > 0 && rows <= 6);
	}
	assert_ok(ht_store_check(st, &err));
}

static void roll_ups_outlive_their_samples_and_details(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;

	(void)state;
	live();
	maintain(&policy, at(SAMPLES) + 3 * DAY);
	assert_int_equal(hold_level(400, 6), buckets(6));
	maintain(&policy, at(SAMPLES) + 40 * DAY);
	assert_int_equal(hold_level(40, 60), buckets(60));
	maintain(&policy, at(SAMPLES) + 130 * DAY);
	assert_int_equal(hold_level(6, 360), buckets(360));
	assert_ok(ht_store_check(st, &err));
}

/* A clock that was set back by days brings a sample of an hour whose others are
 * gone: its roll-ups would be made of that one alone. */
static void
a_sample_that_is_days_late_leaves_the_roll_ups_as_they_are(void **state)
{
	(void)state;
	live();
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES) + 3 * DAY);
	add(1000, 1001);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES) + 3 * DAY + HOUR);
	assert_int_equal(hold_level(400, 6), buckets(6));
	assert_int_equal(hold_level(6, 360), buckets(360));
	assert_ok(ht_store_check(st, &err));
}

int main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fresh_open, close_clean)
	const struct CMUnitTest tests[] = {
		TEST(each_level_is_what_was_written),
		TEST(what_a_size_limit_leaves_is_what_was_written),
		TEST(roll_ups_outlive_their_samples_and_details),
		TEST(a_sample_that_is_days_late_leaves_the_roll_ups_as_they_are),
	};

	return cmocka_run_group_tests_name("store: courses", tests, NULL, NULL);
}
