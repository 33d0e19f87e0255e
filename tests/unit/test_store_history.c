/* SPDX-License-Identifier: Apache-2.0 */
/* Store: series, roll-ups and what is kept for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "store/store_int.h"
#include "tests/lib/fake.h"
#include "tests/lib/open_store.h"

#define S    HT_NS_PER_S
#define HOUR (3600 * HT_NS_PER_S)

/* An hour-aligned start, two arenas: quick. */
static const struct fake small = {
	7, 2, 2, 8, 4096, FAKE_T0 - FAKE_T0 % HOUR, 60 * S};

static void add(uint64_t from, uint64_t to)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = from; n < to; n++) {
		fake_snapshot(&small, n, &s);
		assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
}

static int64_t at(uint64_t n)
{
	return small.start_ns + (int64_t)n * small.step_ns;
}

static void read_series(int64_t from, int64_t to, size_t max_rows, int parts,
			struct ht_series *s)
{
	assert_ok(ht_store_series(st, 1, from, to, max_rows, parts, s, &err));
}

/* --- samples ------------------------------------------------------------- */

static void a_series_of_samples_is_what_the_snapshots_said(void **state)
{
	HT_AUTO_SERIES struct ht_series want, got;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	ht_series_init(&want);
	ht_series_init(&got);
	ht_snapshot_init(&s);
	add(0, 50);
	for (uint64_t n = 0; n < 50; n++) {
		fake_snapshot(&small, n, &s);
		assert_ok(ht_series_add_snapshot(&want, &s, &err));
	}
	read_series(0, INT64_MAX, 0, HT_SERIES_CLASSES | HT_SERIES_MAPPINGS,
		    &got);
	assert_int_equal(got.rows, 50);
	assert_int_equal(got.classes_n, want.classes_n);
	assert_int_equal(got.mappings_n, want.mappings_n);
	for (size_t i = 0; i < 50; i++) {
		assert_int_equal(got.time_ns[i], want.time_ns[i]);
		for (int m = 0; m < HT_METRIC_COUNT; m++)
			assert_memory_equal(&got.metric[m][HT_STAT_P10][i],
					    &want.metric[m][HT_STAT_P10][i], 8);
		for (size_t c = 0; c < want.classes_n; c++) {
			assert_true(got.classes[c].bytes[0][i] ==
				    want.classes[c].bytes[0][i]);
			assert_true(got.classes[c].chunks[i] ==
				    want.classes[c].chunks[i]);
		}
		for (size_t k = 0; k < want.mappings_n; k++)
			assert_true(got.mappings[k].anonymous[i] ==
				    want.mappings[k].anonymous[i]);
	}
}

static void a_window_that_begins_between_bases_has_its_classes(void **state)
{
	HT_AUTO_SERIES struct ht_series all, part;

	(void)state;
	ht_series_init(&all);
	ht_series_init(&part);
	add(0, 60);
	read_series(0, INT64_MAX, 0, HT_SERIES_CLASSES, &all);
	read_series(at(37), at(41), 0, HT_SERIES_CLASSES, &part);
	assert_int_equal(part.rows, 5);
	for (size_t c = 0; c < part.classes_n; c++)
		for (size_t i = 0; i < 5; i++)
			assert_true(part.classes[c].bytes[0][i] ==
				    all.classes[c].bytes[0][37 + i]);
}

static void a_clock_that_stepped_back_keeps_order_and_says_so(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot snap;

	(void)state;
	ht_series_init(&s);
	ht_snapshot_init(&snap);
	add(0, 30);
	for (uint64_t n = 30; n < 40; n++) {
		fake_snapshot(&small, n, &snap);
		snap.head.taken_at -= 20 * small.step_ns;
		assert_ok(ht_store_add(st, "t", &snap, NULL, &err));
	}
	read_series(0, INT64_MAX, 0, 0, &s);
	assert_int_equal(s.rows, 40);
	for (size_t i = 1; i < 40; i++) {
		assert_true(s.time_ns[i] > s.time_ns[i - 1]);
		/* in the order they were taken: this one only grows */
		assert_true(s.metric[HT_M_minflt][0][i] >
			    s.metric[HT_M_minflt][0][i - 1]);
		assert_int_equal(s.cut[i], i == 30);
	}
	assert_int_equal(s.time_ns[39], at(19)); /* the newest are right */
}

static void events_cut_a_series(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 10);
	assert_ok(ht_store_event(st, 1, at(4) - S, "trim", "by hand", &err));
	assert_ok(ht_store_event(st, 1, at(7) - S, "failed", "", &err));
	read_series(0, INT64_MAX, 0, 0, &s);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(s.cut[i], i == 4);
}

/* --- roll-ups ------------------------------------------------------------ */

static double from_raw(enum ht_metric m, enum ht_stat k, int64_t from,
		       int64_t to)
{
	HT_AUTO_SERIES struct ht_series raw, one;

	ht_series_init(&raw);
	ht_series_init(&one);
	assert_ok(ht_store_raw(
		st, &(struct ht_store_window){1, from, to, 0, NULL, true}, &raw,
		&err));
	assert_ok(ht_series_bucket(&raw, from, to, &one, &err));
	assert_int_equal(one.rows, 1);
	return one.metric[m][k][0];
}

static void roll_ups_hold_the_statistics_of_their_samples(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 150);
	maintain(&HT_STORE_POLICY_DEFAULT, at(150));
	read_series(at(0), at(119), 12, HT_SERIES_CLASSES, &s);
	assert_int_equal(s.rows, 12); /* of 10 minutes each */
	for (size_t i = 0; i < 12; i++)
		for (int m = 0; m < HT_METRIC_COUNT; m++)
			for (int k = 0; k < HT_STAT_COUNT; k++) {
				double want = from_raw(
					(enum ht_metric)m, (enum ht_stat)k,
					at(10 * i), at(10 * i + 10) - 1);

				assert_true(s.metric[m][k][i] == want ||
					    (isnan(want) &&
					     isnan(s.metric[m][k][i])));
			}
}

static void what_is_not_rolled_up_yet_comes_from_the_samples(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 150);
	maintain(&HT_STORE_POLICY_DEFAULT, at(150));
	read_series(0, INT64_MAX, 16, HT_SERIES_CLASSES, &s);
	assert_int_equal(s.rows, 15);
	for (size_t i = 0; i < 15; i++) {
		assert_true(s.metric[HT_M_in_use][HT_STAT_MAX][i] >=
			    s.metric[HT_M_in_use][HT_STAT_MIN][i]);
		assert_true(s.classes[0].bytes[HT_STAT_MEDIAN][i] > 0);
	}
}

static void rolled_size_classes_equal_those_of_the_samples(void **state)
{
	HT_AUTO_SERIES struct ht_series raw, want, got;

	(void)state;
	ht_series_init(&raw);
	ht_series_init(&want);
	ht_series_init(&got);
	add(0, 125);
	read_series(at(0), at(119), 0, HT_SERIES_CLASSES | HT_SERIES_MAPPINGS,
		    &raw);
	maintain(&HT_STORE_POLICY_DEFAULT, at(125));
	for (size_t i = 0; i < 12; i++)
		assert_ok(ht_series_bucket(&raw, at(10 * i),
					   at(10 * i + 10) - 1, &want, &err));
	read_series(at(0), at(119), 12, HT_SERIES_CLASSES | HT_SERIES_MAPPINGS,
		    &got);
	assert_int_equal(got.classes_n, want.classes_n);
	for (size_t i = 0; i < want.classes_n; i++) {
		struct ht_class_series *c =
			ht_series_class(&got, want.classes[i].max_size);

		for (size_t row = 0; row < 12; row++)
			for (int k = 0; k < HT_STAT_COUNT; k++)
				assert_true(c->bytes[k][row] ==
					    want.classes[i].bytes[k][row]);
	}
	for (size_t i = 0; i < want.mappings_n; i++) {
		struct ht_mapping_series *m = ht_series_mapping(
			&got, want.mappings[i].kind, want.mappings[i].name);

		for (size_t row = 0; row < 12; row++)
			assert_true(m->anonymous[row] ==
				    want.mappings[i].anonymous[row]);
	}
}

static void
medians_alone_and_some_metrics_alone_are_the_same_figures(void **state)
{
	static const bool some[HT_METRIC_COUNT] = {[HT_M_rss] = true};
	HT_AUTO_SERIES struct ht_series all, part;

	(void)state;
	ht_series_init(&all);
	ht_series_init(&part);
	add(0, 125);
	maintain(&HT_STORE_POLICY_DEFAULT, at(125));
	read_series(at(0), at(119), 12, 0, &all);
	assert_ok(ht_store_series_of(st, 1, at(0), at(119), 12,
				     HT_SERIES_MEDIANS, some, &part, &err));
	for (size_t i = 0; i < 12; i++) {
		double median = all.metric[HT_M_rss][HT_STAT_MEDIAN][i];

		for (int k = 0; k < HT_STAT_COUNT; k++)
			assert_true(part.metric[HT_M_rss][k][i] == median);
		assert_true(isnan(part.metric[HT_M_in_use][0][i]));
	}
}

static void mixed_history_is_in_order_and_reaches_both_ends(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	size_t minutes = 3 * 24 * 60;

	(void)state;
	ht_series_init(&s);
	add(0, minutes);
	maintain(&HT_STORE_POLICY_DEFAULT, at(minutes));
	assert_ok(ht_store_series_mixed(st, 1, 0, at(minutes - 1), 0, NULL, &s,
					&err));
	for (size_t i = 1; i < s.rows; i++)
		assert_true(s.time_ns[i] > s.time_ns[i - 1]);
	assert_true(s.time_ns[0] < at(60));
	assert_int_equal(s.time_ns[s.rows - 1], at(minutes - 1));
	assert_true(s.rows > 400 && s.rows < 900);
}

/* --- what is kept -------------------------------------------------------- */

static void what_was_thinned_out_is_still_there_in_coarser_form(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot got, want;
	size_t minutes = 24 * 60;

	(void)state;
	ht_series_init(&s);
	ht_snapshot_init(&got);
	ht_snapshot_init(&want);
	policy.detail_s = policy.raw_s = 3 * 3600;
	add(0, minutes);
	maintain(&policy, at(minutes));
	read_series(0, INT64_MAX, 0, 0, &s); /* samples do not reach back */
	assert_true(s.rows >= minutes - 60 && s.rows <= minutes);
	assert_true(s.time_ns[0] < at(1));
	/* each hour's first snapshot is kept as it was */
	assert_ok(ht_store_snapshot_at(st, 1, at(5 * 60 + 30), &got, &err));
	fake_snapshot(&small, 5 * 60, &want);
	assert_null(snapshot_difference(&want, &got, NULL));
	/* and the newest ones all */
	assert_ok(ht_store_snapshot_at(st, 1, at(minutes - 7), &got, &err));
	fake_snapshot(&small, minutes - 7, &want);
	allow_64th(&want.limits.mem_available, got.limits.mem_available);
	assert_null(snapshot_difference(&want, &got, NULL));
	assert_ok(ht_store_check(st, &err));
}

static void a_size_limit_is_kept_and_the_newest_stays(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	HT_AUTO_SERIES struct ht_series s;
	size_t minutes = 4 * 24 * 60;
	int64_t before = 0, after = 0;

	(void)state;
	ht_series_init(&s);
	add(0, minutes);
	assert_ok(ht_store_size(st, &before, &err));
	policy.max_bytes = before / 2;
	maintain(&policy, at(minutes));
	assert_ok(ht_store_size(st, &after, &err));
	assert_true(after <= policy.max_bytes);
	assert_true(after > policy.max_bytes / 4); /* no more than needed */
	read_series(at(minutes - 60), INT64_MAX, 0, 0, &s);
	assert_int_equal(s.rows, 60);
	assert_ok(ht_store_check(st, &err));
}

/* One number of a query, as text. */
static char *answer(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	char *text = NULL;

	assert_int_equal(sqlite3_prepare_v2(st->db, sql, -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	text = strdup((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return text;
}

/* A slice takes as few rows as the machine is slow: no number of them is right
 * everywhere, but some is too many. */
#define PIECES_MOST 1000000

/* Slices of no time at all: each does one piece. How many there were. */
static int maintain_in_pieces(int64_t now_ns, int most)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	bool done = false;
	int calls = 0;

	while (!done && calls < most) {
		assert_ok(
			ht_store_maintain(st, &policy, now_ns, 0, &done, &err));
		calls++;
	}
	return calls;
}

static void an_hour_in_pieces_is_the_hour_at_once(void **state)
{
	static const char all[] =
		"SELECT (SELECT count(*) || ' ' || total(in_use) || ' ' || "
		"total(rss) || ' ' || total(at_s % 100000 * level_s * "
		"length(stat)) FROM rollup) || ' ' || (SELECT count(*) || ' ' "
		"|| total(median) || ' ' || total(max_size * (at_s % 100000)) "
		"FROM class_rollup)";
	HT_AUTO_FREE char *pieces = NULL;
	HT_AUTO_FREE char *whole = NULL;

	(void)state;
	add(0, 60);
	/* 60 buckets of a minute, 6 of ten, one of an hour */
	assert_true(maintain_in_pieces(at(130), PIECES_MOST) >= 67);
	pieces = answer(all);
	assert_ok(ht_store_exec(st, "UPDATE process SET rolled_s = 0", &err));
	maintain(&HT_STORE_POLICY_DEFAULT, at(130));
	whole = answer(all);
	assert_string_equal(pieces, whole);
}

static void a_sample_that_comes_into_an_hour_in_work_is_in_it(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snap;
	HT_AUTO_FREE char *rolled = NULL;
	HT_AUTO_FREE char *samples = NULL;

	(void)state;
	ht_snapshot_init(&snap);
	add(0, 60);
	assert_int_equal(maintain_in_pieces(at(130), 20), 20);
	assert_int_equal(st->roll.process_id, 1); /* it is in work */
	fake_snapshot(&small, 60, &snap);	  /* the clock steps back */
	snap.head.taken_at = at(10) + S;
	assert_ok(ht_store_add(st, "t", &snap, NULL, &err));
	assert_true(maintain_in_pieces(at(130), PIECES_MOST) < PIECES_MOST);
	rolled = answer("SELECT total(samples) FROM rollup WHERE "
			"stat = 'median' AND level_s = 60");
	samples = answer("SELECT total(1) FROM sample");
	assert_string_equal(samples, "61.0");
	assert_string_equal(rolled, samples);
}

static void upkeep_comes_in_slices(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	bool done = true;
	int calls = 0;

	(void)state;
	add(0, 10 * 60);
	do {
		assert_ok(ht_store_maintain(st, &policy, at(10 * 60), 0, &done,
					    &err));
		calls++;
	} while (!done && calls < PIECES_MOST);
	assert_true(done);
	assert_true(calls > 9); /* an hour at a time at most */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh_open, close_clean)
	const struct CMUnitTest tests[] = {
		T(a_series_of_samples_is_what_the_snapshots_said),
		T(a_window_that_begins_between_bases_has_its_classes),
		T(a_clock_that_stepped_back_keeps_order_and_says_so),
		T(events_cut_a_series),
		T(roll_ups_hold_the_statistics_of_their_samples),
		T(what_is_not_rolled_up_yet_comes_from_the_samples),
		T(rolled_size_classes_equal_those_of_the_samples),
		T(medians_alone_and_some_metrics_alone_are_the_same_figures),
		T(mixed_history_is_in_order_and_reaches_both_ends),
		T(what_was_thinned_out_is_still_there_in_coarser_form),
		T(a_size_limit_is_kept_and_the_newest_stays),
		T(an_hour_in_pieces_is_the_hour_at_once),
		T(a_sample_that_comes_into_an_hour_in_work_is_in_it),
		T(upkeep_comes_in_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
