/* SPDX-License-Identifier: Apache-2.0 */
/* Store: lists over time: bins, arenas, free chunks by size, thread caches. A
 * made history goes in through the real store; what comes back is held against
 * the snapshots themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
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

static const struct fake small = {
	7, 3, 4, 8, 4096, FAKE_T0 - FAKE_T0 % HOUR, 10 * S};
#define SAMPLES	 800 /* two hours and a little */
#define THINNED	 5   /* each fifth looks at the bins, as a daemon does */
#define ROLLED_S 7200

static int64_t at(uint64_t n)
{
	return small.start_ns + (int64_t)n * small.step_ns;
}

/* As fake_snapshot() has it, but: in the second hour a new arena takes the
 * place in the ring behind the main one, as glibc puts it there; and sample n
 * says nothing of its bins, heaps and threads unless `whole`. */
static void make(uint64_t n, bool whole, struct ht_snapshot *s)
{
	bool born = n >= 360;

	fake_snapshot(&small, n, s);
	for (size_t i = 0; i < s->arenas.n; i++) {
		uint64_t *index = &s->arenas.v[i].index;

		*index = *index && born ? 3 - *index : *index;
	}
	for (size_t i = 0; i < s->bins.n; i++) {
		uint64_t *index = &s->bins.v[i].arena;

		*index = *index && born ? 3 - *index : *index;
	}
	for (size_t i = 0; i < s->heaps.n; i++) {
		uint64_t *index = &s->heaps.v[i].arena;

		*index = *index && born ? 3 - *index : *index;
	}
	if (whole)
		return;
	ht_snapshot_cut(s, HT_RECORD_bin, 0);
	ht_snapshot_cut(s, HT_RECORD_heap, 0);
	ht_snapshot_cut(s, HT_RECORD_thread, 0);
}

static bool is_whole(uint64_t n)
{
	return n % THINNED == 0;
}

static void add(uint64_t from, uint64_t to)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = from; n < to; n++) {
		make(n, is_whole(n), &s);
		assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
}

static void read_list(enum ht_lines list, uint64_t from, uint64_t to,
		      size_t max_rows, struct ht_series *s)
{
	const bool none[HT_METRIC_COUNT] = {false};

	assert_ok(ht_store_series_of(st, 1, at(from), at(to) - 1, max_rows,
				     HT_SERIES_LIST(list), none, s, &err));
}

/* --- what the snapshots say ---------------------------------------------- */

/* Figure f of a line in sample n, said without the code under test. NaN: not
 * measured, or not there. */
static double told(const struct ht_list_line *l, size_t f, uint64_t n)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	double sum = NAN;

	ht_snapshot_init(&s);
	make(n, true, &s);
	if (l->list == HT_LINES_BINS || l->list == HT_LINES_ARENA_BINS) {
		sum = is_whole(n) ? 0 : NAN;
		for (size_t i = 0; i < s.bins.n; i++) {
			const struct ht_bin *b = &s.bins.v[i];
			uint64_t address = 0;

			for (size_t a = 0; a < s.arenas.n; a++)
				if (s.arenas.v[a].index == b->arena)
					address = s.arenas.v[a].address;
			if (b->kind == l->key[1] && b->index == l->key[2] &&
			    (l->list == HT_LINES_BINS || address == l->key[0]))
				sum += (double)(f ? b->chunks : b->bytes);
		}
	}
	for (size_t i = 0; l->list == HT_LINES_ARENAS && i < s.arenas.n; i++) {
		const struct ht_arena *a = &s.arenas.v[i];
		const uint64_t v[] = {a->system, a->in_use,    a->free,
				      a->top,	 a->trimmable, a->retained,
				      1};

		if (a->address == l->key[0])
			sum = f == 6 && !is_whole(n) ? NAN : (double)v[f];
	}
	for (size_t i = 0;
	     l->list == HT_LINES_FREE_CLASSES && i < s.size_classes.n; i++)
		if (s.size_classes.v[i].max_size == l->key[0])
			sum = (double)(f ? s.size_classes.v[i].free_chunks
					 : s.size_classes.v[i].free_bytes);
	for (size_t i = 0;
	     l->list == HT_LINES_THREADS && is_whole(n) && i < s.threads.n; i++)
		if (s.threads.v[i].tid == l->key[0])
			sum = (double)(f ? s.threads.v[i].tcache_chunks
					 : s.threads.v[i].tcache_bytes);
	return sum;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Lowest, median (nearest rank) or highest of samples [from, to). */
static double stated(const struct ht_list_line *l, size_t f, int band,
		     uint64_t from, uint64_t to)
{
	double v[SAMPLES];
	size_t n = 0;

	for (uint64_t i = from; i < to; i++) {
		double one = told(l, f, i);

		if (!isnan(one))
			v[n++] = one;
	}
	if (n == 0)
		return NAN;
	qsort(v, n, sizeof(*v), ascending);
	return v[band == HT_LOW ? 0 : band == HT_HIGH ? n - 1 : (n - 1) / 2];
}

/* Each row of s stands for `each` samples from `from` on. */
static void hold(const struct ht_series *s, uint64_t from, uint64_t each,
		 size_t stride)
{
	for (size_t i = 0; i < s->lines_n; i++)
		for (size_t row = 0; row < s->rows; row += stride)
			for (size_t f = 0;
			     f < ht_line_kinds[s->lines[i].list].figures_n; f++)
				for (int b = 0; b < HT_BANDS; b++) {
					const struct ht_list_line *l =
						&s->lines[i];
					uint64_t n = from + row * each;
					double want =
						stated(l, f, b, n, n + each);
					double got = l->value[f][b][row];

					if (got != want &&
					    !(isnan(got) && isnan(want)))
						fail_msg("%s %" PRIx64
							 " %" PRIu64 " %" PRIu64
							 " figure %zu of row "
							 "%zu: %g, not %g",
							 ht_line_kinds[l->list]
								 .name,
							 l->key[0], l->key[1],
							 l->key[2], f, row, got,
							 want);
				}
}

/* --- samples ------------------------------------------------------------- */

static const size_t lines_of[HT_LINES_COUNT] = {34, 102, 3, 8, 4};

static void lists_of_samples_are_what_the_snapshots_said(void **state)
{
	(void)state;
	add(340, 380); /* over the birth of an arena */
	for (int list = 0; list < HT_LINES_COUNT; list++) {
		HT_AUTO_SERIES struct ht_series s;

		ht_series_init(&s);
		read_list((enum ht_lines)list, 340, 380, 0, &s);
		assert_int_equal(s.rows, 40);
		assert_true(s.lines_n > lines_of[list] / 2 &&
			    s.lines_n <= lines_of[list]);
		hold(&s, 340, 1, 1);
	}
}

static void a_window_of_samples_begins_with_what_held_before(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 60);
	read_list(HT_LINES_BINS, 33, 48, 0, &s);
	assert_int_equal(s.rows, 15);
	hold(&s, 33, 1, 1);
}

/* --- roll-ups ------------------------------------------------------------ */

static void each_level_has_the_stated_statistic_of_each_line(void **state)
{
	static const struct {
		size_t rows, stride;
	} levels[] = {{120, 13}, {12, 5}, {2, 1}};

	(void)state;
	add(0, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	for (int list = 0; list < HT_LINES_COUNT; list++)
		for (size_t i = !ht_store_line_level((enum ht_lines)list, 60);
		     i < 3; i++) {
			HT_AUTO_SERIES struct ht_series s;

			ht_series_init(&s);
			read_list((enum ht_lines)list, 0, 720, levels[i].rows,
				  &s);
			assert_int_equal(s.rows, levels[i].rows);
			assert_true(s.lines_n > lines_of[list] / 2);
			hold(&s, 0, 720 / levels[i].rows, levels[i].stride);
		}
}

static void a_closed_and_opened_store_says_the_same(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 300);
	maintain(&HT_STORE_POLICY_DEFAULT, at(300));
	ht_store_close(st);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	add(300, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	read_list(HT_LINES_BINS, 0, 720, 12, &s);
	hold(&s, 0, 60, 1);
}

static void arenas_keep_their_identity_when_the_ring_shifts(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	read_list(HT_LINES_ARENA_BINS, 330, 390, 1, &s);
	for (size_t i = 0; i < s.lines_n; i++)
		assert_true(s.lines[i].key[0] > 0x7f0000000000);
	ht_series_fini(&s);
	ht_series_init(&s);
	read_list(HT_LINES_ARENAS, 0, 720, 12, &s);
	assert_int_equal(s.lines_n, 3);
	hold(&s, 0, 60, 1);
}

static void what_is_not_rolled_up_yet_comes_from_the_samples(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	read_list(HT_LINES_BINS, 0, 780, 13, &s);
	assert_int_equal(s.rows, 13);
	hold(&s, 0, 60, 1);
}

static void
an_hour_that_is_rolled_up_again_replaces_what_was_there(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 400); /* then come those that are late */
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	add(400, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	read_list(HT_LINES_THREADS, 0, 720, 12, &s);
	assert_int_equal(s.rows, 12);
	hold(&s, 0, 60, 1);
}

static void a_gap_leaves_its_buckets_out_and_the_rest_right(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, 100);
	add(240, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	read_list(HT_LINES_BINS, 240, 720, 8, &s);
	assert_int_equal(s.rows, 8);
	hold(&s, 240, 60, 1);
}

static void roll_ups_outlive_the_samples_whatever_the_size_limit(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, SAMPLES);
	policy.max_bytes = 1; /* all ages shrink to their least */
	maintain(&policy, at(SAMPLES) + 2 * HOUR);
	read_list(HT_LINES_BINS, 0, 720, 2, &s);
	assert_true(s.rows >= 1 && s.lines_n > 0);
	hold(&s, 720 - 360 * s.rows, 360, 1);
}

/* A database of before: no roll-up lists anything. */
static void where_no_roll_up_lists_it_the_kept_whole_sample_stands(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	HT_AUTO_SERIES struct ht_series s;
	size_t known = 0;

	(void)state;
	ht_series_init(&s);
	add(0, SAMPLES);
	policy.detail_s = policy.raw_s = 7200;
	maintain(&policy, at(SAMPLES) + 4 * HOUR);
	assert_int_equal(sqlite3_exec(st->db,
				      "DELETE FROM bin_rollup; UPDATE rollup "
				      "SET lists = NULL",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	read_list(HT_LINES_BINS, 0, 720, 12, &s);
	assert_int_equal(s.rows, 12);
	for (size_t row = 0; row < 12; row++)
		known += s.listed[HT_LINES_BINS][row];
	assert_int_equal(known, 2); /* one an hour */
	assert_true(s.listed[HT_LINES_BINS][0] && s.listed[HT_LINES_BINS][6]);
	for (size_t i = 0; i < s.lines_n; i++) {
		const struct ht_list_line *l = &s.lines[i];

		assert_true(l->value[0][HT_MIDDLE][0] == told(l, 0, 0));
		assert_true(l->value[0][HT_MIDDLE][6] == told(l, 0, 360));
		assert_true(isnan(l->value[0][HT_MIDDLE][3]));
	}
}

static void chunk_sizes_of_bins_are_known_without_samples(void **state)
{
	HT_AUTO_SERIES struct ht_series s;

	(void)state;
	ht_series_init(&s);
	add(0, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	read_list(HT_LINES_BINS, 0, 720, 2, &s);
	for (size_t i = 0; i < s.lines_n; i++) {
		const struct ht_list_line *l = &s.lines[i];

		if (l->key[1] == HT_BIN_UNSORTED)
			assert_true(l->min_size == HT_UNKNOWN);
		else if (l->key[1] == HT_BIN_SMALL)
			assert_int_equal(l->max_size, 16 * l->key[2]);
	}
}

static bool like(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* All lists, all metrics and size classes, some of it not rolled up yet. */
static void medians_alone_are_the_medians_of_all(void **state)
{
	const int parts = HT_SERIES_CLASSES |
			  HT_SERIES_LISTS * ((1 << HT_LINES_COUNT) - 1);
	HT_AUTO_SERIES struct ht_series all, alone;
	size_t seen = 0;

	(void)state;
	ht_series_init(&all);
	ht_series_init(&alone);
	add(0, SAMPLES);
	maintain(&HT_STORE_POLICY_DEFAULT, at(SAMPLES));
	assert_ok(ht_store_series(st, 1, at(0), at(SAMPLES), 20, parts, &all,
				  &err));
	assert_ok(ht_store_series(st, 1, at(0), at(SAMPLES), 20,
				  parts | HT_SERIES_MEDIANS, &alone, &err));
	assert_int_equal(all.rows, alone.rows);
	assert_true(all.rows > 12 && all.lines_n == alone.lines_n);
	assert_true(all.classes_n && all.classes_n == alone.classes_n);
	for (size_t row = 0; row < all.rows; row++) {
		for (size_t m = 0; m < HT_METRIC_COUNT; m++)
			assert_true(like(all.metric[m][HT_STAT_MEDIAN][row],
					 alone.metric[m][HT_STAT_P10][row]));
		for (size_t i = 0; i < all.classes_n; i++)
			assert_true(
				like(all.classes[i].bytes[HT_STAT_MEDIAN][row],
				     alone.classes[i].bytes[HT_STAT_MAX][row]));
		for (size_t i = 0; i < all.lines_n; i++, seen++)
			for (size_t f = 0; f < 2; f++)
				assert_true(like(
					all.lines[i].value[f][HT_MIDDLE][row],
					alone.lines[i].value[f][HT_HIGH][row]));
	}
	assert_true(seen > 500);
}

int main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, fresh_open, close_clean)
	const struct CMUnitTest tests[] = {
		TEST(lists_of_samples_are_what_the_snapshots_said),
		TEST(a_window_of_samples_begins_with_what_held_before),
		TEST(each_level_has_the_stated_statistic_of_each_line),
		TEST(a_closed_and_opened_store_says_the_same),
		TEST(arenas_keep_their_identity_when_the_ring_shifts),
		TEST(what_is_not_rolled_up_yet_comes_from_the_samples),
		TEST(an_hour_that_is_rolled_up_again_replaces_what_was_there),
		TEST(a_gap_leaves_its_buckets_out_and_the_rest_right),
		TEST(roll_ups_outlive_the_samples_whatever_the_size_limit),
		TEST(where_no_roll_up_lists_it_the_kept_whole_sample_stands),
		TEST(medians_alone_are_the_medians_of_all),
		TEST(chunk_sizes_of_bins_are_known_without_samples),
	};

	return cmocka_run_group_tests_name("store: lists", tests, NULL, NULL);
}
