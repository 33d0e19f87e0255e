/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: two stretches of history side by side; each figure counted by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cli/windows.h"
#include "common/clock.h"

static struct ht_series s[2];
static struct ht_window_changes told;
static struct ht_err err;

static int begin(void **state)
{
	(void)state;
	ht_series_init(&s[0]);
	ht_series_init(&s[1]);
	told = (struct ht_window_changes){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	ht_series_fini(&s[0]);
	ht_series_fini(&s[1]);
	ht_window_changes_fini(&told);
	return 0;
}

static void rows(size_t first, size_t second)
{
	const size_t n[2] = {first, second};

	for (int i = 0; i < 2; i++)
		for (size_t row = 0; row < n[i]; row++)
			assert_int_equal(
				ht_series_add_row(&s[i],
						  (int64_t)row * HT_NS_PER_S,
						  &err),
				HT_OK);
}

/* Row r of the window holds v + step * r. */
static void put(int side, enum ht_metric m, double v, double step)
{
	for (size_t row = 0; row < s[side].rows; row++)
		s[side].metric[m][HT_STAT_MEDIAN][row] = v + step * (double)row;
}

static void put_class(int side, uint64_t size, size_t row, double bytes)
{
	struct ht_class_series *c = ht_series_class(&s[side], size);

	assert_non_null(c);
	c->bytes[HT_STAT_MEDIAN][row] = bytes;
	c->chunks[row] = bytes / (double)size;
}

static struct ht_list_line *line(int side, enum ht_lines list, uint64_t a,
				 uint64_t b, uint64_t c)
{
	struct ht_list_line *l = ht_series_line(
		&s[side], list, (uint64_t[HT_LINE_KEYS]){a, b, c});

	assert_non_null(l);
	return l;
}

static void set_line(struct ht_list_line *l, size_t figure, size_t row,
		     double v)
{
	l->value[figure][HT_MIDDLE][row] = v;
}

static void compare(enum ht_windows_part part)
{
	ht_window_changes_fini(&told);
	assert_int_equal(ht_windows_compare(s, part, &told, &err), HT_OK);
}

static void assert_spread(const struct ht_spread *v, double low, double median,
			  double high)
{
	assert_true(v->low == low);
	assert_true(v->median == median);
	assert_true(v->high == high);
}

static void a_window_is_its_median_and_its_tenth_and_ninetieth(void **state)
{
	(void)state;
	rows(20, 5);
	put(0, HT_M_rss, 2000, -100); /* 2000, 1900, ... 100 */
	put(1, HT_M_rss, 5000, 1);
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].key[0], HT_M_rss);
	assert_string_equal(told.v[0].unit, "bytes");
	/* the 2nd, the 10th and the 18th of twenty */
	assert_spread(&told.v[0].v[0], 200, 1000, 1800);
	/* the 1st, the 3rd and the 5th of five */
	assert_spread(&told.v[0].v[1], 5000, 5002, 5004);
	assert_true(ht_window_change(&told.v[0]) == 4002);
	assert_int_equal(told.noise, 0);
}

static void one_row_is_its_own_spread(void **state)
{
	(void)state;
	rows(1, 1);
	put(0, HT_M_rss, 7, 0);
	put(1, HT_M_rss, 8, 0);
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.n, 1);
	assert_spread(&told.v[0].v[0], 7, 7, 7);
	assert_spread(&told.v[0].v[1], 8, 8, 8);
}

static void what_varies_as_much_as_it_differs_is_noise(void **state)
{
	(void)state;
	rows(20, 20);
	put(0, HT_M_rss, 100, 10); /* 110 .. 270, median 190 */
	put(1, HT_M_rss, 270, 0);  /* a steady one at its upper end */
	put(0, HT_M_swap, 271, 0); /* the same, and one above */
	put(1, HT_M_swap, 100, 10);
	put(0, HT_M_top, 270, 0); /* the windows change places */
	put(1, HT_M_top, 100, 10);
	put(0, HT_M_vsz, 100, 10);
	put(1, HT_M_vsz, 100, 10);
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.noise, 2); /* rss, top */
	assert_int_equal(told.n, 1);	 /* vsz is equal: neither */
	assert_int_equal(told.v[0].key[0], HT_M_swap);
	assert_true(ht_window_change(&told.v[0]) == -81);
}

static void what_is_not_known_is_told_last_and_is_no_zero(void **state)
{
	(void)state;
	rows(4, 4);
	put(1, HT_M_pss, 1 << 30, 0); /* the first window did not read it */
	put(0, HT_M_rss, 100, 0);
	put(1, HT_M_rss, 101, 0);
	put(0, HT_M_external, 0.1, 0);
	put(1, HT_M_external, 0.9, 0);
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.n, 3);
	assert_int_equal(told.v[0].key[0], HT_M_rss);
	assert_int_equal(told.v[1].key[0], HT_M_external);
	assert_int_equal(told.v[2].key[0], HT_M_pss);
	assert_true(isnan(told.v[2].v[0].median));
	assert_true(isnan(told.v[2].v[0].low) && isnan(told.v[2].v[0].high));
	assert_true(isnan(ht_window_change(&told.v[2])));
	assert_int_equal(told.noise, 0);
}

static void rows_that_do_not_know_a_figure_do_not_count(void **state)
{
	(void)state;
	rows(5, 3);
	put(0, HT_M_rss, 10, 10);
	s[0].metric[HT_M_rss][HT_STAT_MEDIAN][0] = NAN;
	s[0].metric[HT_M_rss][HT_STAT_MEDIAN][4] = NAN;
	put(1, HT_M_rss, 90, 0);
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.n, 1);
	assert_spread(&told.v[0].v[0], 20, 30, 40);
}

static void bytes_come_first_and_of_them_what_changed_most(void **state)
{
	(void)state;
	rows(3, 3);
	put(0, HT_M_threads, 1, 0); /* thrice: +200 % */
	put(1, HT_M_threads, 3, 0);
	put(0, HT_M_external, 0.5, 0);
	put(1, HT_M_external, 0.4, 0);
	put(0, HT_M_rss, 1000, 0);
	put(1, HT_M_rss, 500, 0); /* -500 */
	put(0, HT_M_in_use, 0, 0);
	put(1, HT_M_in_use, 400, 0); /* +400 */
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.n, 4);
	assert_int_equal(told.v[0].key[0], HT_M_rss);
	assert_int_equal(told.v[1].key[0], HT_M_in_use);
	assert_int_equal(told.v[2].key[0], HT_M_threads);
	assert_int_equal(told.v[3].key[0], HT_M_external);
}

static void a_thousandth_of_a_ratio_is_noise(void **state)
{
	(void)state;
	rows(3, 3);
	put(0, HT_M_external, 0.5, 0);
	put(1, HT_M_external, 0.5009, 0);
	put(0, HT_M_stuck_ratio, 0.5, 0);
	put(1, HT_M_stuck_ratio, 0.5011, 0);
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.noise, 1);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].key[0], HT_M_stuck_ratio);
}

static void what_only_rises_or_is_not_the_process_is_left_out(void **state)
{
	static const enum ht_metric not_told[] = {HT_M_minflt, HT_M_majflt,
						  HT_M_cpu_ns, HT_M_limit,
						  HT_M_pause_us};

	(void)state;
	rows(3, 3);
	for (size_t i = 0; i < sizeof(not_told) / sizeof(*not_told); i++) {
		put(0, not_told[i], 1, 0);
		put(1, not_told[i], 1e9, 0);
	}
	compare(HT_WINDOWS_METRICS);
	assert_int_equal(told.n, 0);
	assert_int_equal(told.noise, 0);
}

static void
a_chunk_size_without_chunks_beside_others_holds_nothing(void **state)
{
	(void)state;
	rows(3, 3);
	for (size_t row = 0; row < 3; row++) {
		put_class(0, 32, row, 3200);
		put_class(1, 64, row, 6400);
	}
	put_class(1, 128, 2, 1280); /* one row of three: the median is 0 */
	compare(HT_WINDOWS_CLASSES);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.v[0].key[0], 64);
	assert_spread(&told.v[0].v[0], 0, 0, 0);
	assert_spread(&told.v[0].v[1], 6400, 6400, 6400);
	assert_true(told.v[0].chunks[0] == 0 && told.v[0].chunks[1] == 100);
	assert_int_equal(told.v[1].key[0], 32);
	assert_true(ht_window_change(&told.v[1]) == -3200);
	assert_true(told.v[1].chunks[0] == 100 && told.v[1].chunks[1] == 0);
	assert_int_equal(told.noise, 0); /* 128: 0 and 0 */
}

static void
chunk_sizes_that_a_window_did_not_measure_are_not_known(void **state)
{
	(void)state;
	rows(2, 2);
	put_class(1, 64, 0, 6400);
	put_class(1, 64, 1, 6400);
	compare(HT_WINDOWS_CLASSES);
	assert_int_equal(told.n, 1);
	assert_true(isnan(told.v[0].v[0].median) && isnan(told.v[0].chunks[0]));
	assert_true(told.v[0].v[1].median == 6400);
}

static void a_bin_that_a_window_does_not_name_was_empty(void **state)
{
	struct ht_list_line *l;

	(void)state;
	rows(2, 2);
	for (size_t row = 0; row < 2; row++)
		ht_series_begin_lines(&s[0], HT_LINES_BINS, row);
	l = line(1, HT_LINES_BINS, 0, HT_BIN_SMALL, 5);
	l->min_size = l->max_size = 80;
	for (size_t row = 0; row < 2; row++) {
		ht_series_begin_lines(&s[1], HT_LINES_BINS, row);
		set_line(l, 0, row, 800);
		set_line(l, 1, row, 10);
	}
	compare(HT_WINDOWS_BINS);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].key[1], HT_BIN_SMALL);
	assert_int_equal(told.v[0].key[2], 5);
	assert_int_equal(told.v[0].min_size, 80);
	assert_int_equal(told.v[0].max_size, 80);
	assert_true(ht_window_change(&told.v[0]) == 800);
	assert_true(told.v[0].chunks[0] == 0 && told.v[0].chunks[1] == 10);
	/* had it not been measured, it would not be known */
	s[0].listed[HT_LINES_BINS][0] = s[0].listed[HT_LINES_BINS][1] = false;
	compare(HT_WINDOWS_BINS);
	assert_int_equal(told.n, 1);
	assert_true(isnan(told.v[0].v[0].median));
}

/* Figure 1 is in_use; figure 0, system, is not looked at. */
static void a_new_arena_held_nothing_before(void **state)
{
	struct ht_list_line *old[2], *born;

	(void)state;
	rows(2, 4);
	for (int i = 0; i < 2; i++) {
		old[i] = line(i, HT_LINES_ARENAS, 0x1000, 0, 0);
		for (size_t row = 0; row < s[i].rows; row++) {
			ht_series_begin_lines(&s[i], HT_LINES_ARENAS, row);
			set_line(old[i], 0, row, 4096);
			set_line(old[i], 1, row, 500);
		}
	}
	born = line(1, HT_LINES_ARENAS, 0x2000, 0, 0);
	set_line(born, 1, 3, 900); /* there in the last row of four */
	compare(HT_WINDOWS_ARENAS);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].key[0], 0x2000);
	assert_true(ht_window_change(&told.v[0]) == 900);
	assert_true(isnan(told.v[0].chunks[0]) && isnan(told.v[0].chunks[1]));
	assert_int_equal(told.v[0].min_size, HT_UNKNOWN);
}

static void lists_are_not_mixed_up(void **state)
{
	struct ht_list_line *arena, *bin;

	(void)state;
	rows(1, 1);
	for (int i = 0; i < 2; i++) {
		ht_series_begin_lines(&s[i], HT_LINES_ARENAS, 0);
		ht_series_begin_lines(&s[i], HT_LINES_BINS, 0);
	}
	arena = line(1, HT_LINES_ARENAS, 7, 0, 0);
	set_line(arena, 1, 0, 70);
	bin = line(1, HT_LINES_BINS, 0, HT_BIN_FAST, 2);
	set_line(bin, 0, 0, 64);
	set_line(bin, 1, 0, 1);
	compare(HT_WINDOWS_ARENAS);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].key[0], 7);
	compare(HT_WINDOWS_BINS);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.v[0].key[2], 2);
}

static void windows_without_rows_differ_in_nothing(void **state)
{
	(void)state;
	for (int part = 0; part < HT_WINDOWS_PARTS; part++) {
		compare((enum ht_windows_part)part);
		assert_int_equal(told.n, 0);
		assert_int_equal(told.noise, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_window_is_its_median_and_its_tenth_and_ninetieth),
		TEST(one_row_is_its_own_spread),
		TEST(what_varies_as_much_as_it_differs_is_noise),
		TEST(what_is_not_known_is_told_last_and_is_no_zero),
		TEST(rows_that_do_not_know_a_figure_do_not_count),
		TEST(bytes_come_first_and_of_them_what_changed_most),
		TEST(a_thousandth_of_a_ratio_is_noise),
		TEST(what_only_rises_or_is_not_the_process_is_left_out),
		TEST(a_chunk_size_without_chunks_beside_others_holds_nothing),
		TEST(chunk_sizes_that_a_window_did_not_measure_are_not_known),
		TEST(a_bin_that_a_window_does_not_name_was_empty),
		TEST(a_new_arena_held_nothing_before),
		TEST(lists_are_not_mixed_up),
		TEST(windows_without_rows_differ_in_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
