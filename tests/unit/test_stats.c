/* SPDX-License-Identifier: Apache-2.0 */
/* Robust statistics of short series: values that can be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/season.h"
#include "analysis/stats.h"
#include "tests/lib/made.h"

#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

static void points_of(const double *x, size_t n, struct ht_points *p)
{
	p->n = n;
	for (size_t i = 0; i < n; i++) {
		p->t[i] = (double)i;
		p->x[i] = p->low[i] = p->high[i] = x[i];
	}
}

static void quantiles_lie_between_neighbours(void **state)
{
	const double x[] = {5, 1, 4, 2, 3}, ties[] = {2, 2, 2, 2};

	(void)state;
	assert_near(ht_median(x, 5), 3, 0);
	assert_near(ht_quantile(x, 5, 0), 1, 0);
	assert_near(ht_quantile(x, 5, 1), 5, 0);
	assert_near(ht_quantile(x, 5, 0.1), 1.4, 1e-12);
	assert_near(ht_median(x, 4), 3, 1e-12);
	assert_near(ht_median(ties, 4), 2, 0);
	assert_true(isnan(ht_median(x, 0)));
}

static void quantiles_agree_with_sorting(void **state)
{
	double x[HT_POINTS_MAX];

	(void)state;
	ht_made_seed(5);
	for (int run = 0; run < 200; run++) {
		size_t n = 1 + (size_t)(ht_made_uniform() * 95), below = 0;
		double q;

		for (size_t i = 0; i < n; i++)
			x[i] = floor(ht_made_uniform() * 20);
		q = ht_quantile(x, n, 0.5);
		for (size_t i = 0; i < n; i++)
			below += x[i] < q;
		assert_true(2 * below <= n);
	}
}

static void one_wild_value_does_not_move_the_slope(void **state)
{
	double t[] = {0, 1, 2, 3, 4, 5}, x[] = {0, 2, 4, 600, 8, 10};

	(void)state;
	assert_near(ht_theil_sen(t, x, 6), 2, 1e-12);
}

static void slopes_use_the_times_not_the_count(void **state)
{
	double t[] = {0, 1, 10}, x[] = {0, 3, 30};

	(void)state;
	assert_near(ht_theil_sen(t, x, 3), 3, 1e-12);
}

static void tau_counts_pairs(void **state)
{
	const double up[] = {1, 2, 3, 4}, mixed[] = {1, 3, 2, 4};

	(void)state;
	assert_near(ht_kendall(up, 4), 1, 0);
	assert_near(ht_kendall(mixed, 4), 4.0 / 6, 1e-12);
}

static void like_neighbours_count_less(void **state)
{
	double t[72], white[72], alike[72], e = 0;

	(void)state;
	ht_made_seed(3);
	for (size_t i = 0; i < 72; i++) {
		double noise = ht_made_normal();

		e = 0.9 * e + noise;
		t[i] = (double)i;
		white[i] = 0.1 * (double)i + noise;
		alike[i] = 0.1 * (double)i + e;
	}
	assert_true(ht_line_of(t, white, 72).effective > 50);
	assert_true(ht_line_of(t, alike, 72).effective < 25);
}

static void the_interval_holds_the_slope(void **state)
{
	double t[60], x[60], low, high;

	(void)state;
	ht_made_seed(9);
	for (size_t i = 0; i < 60; i++) {
		t[i] = (double)i;
		x[i] = 2 * (double)i + ht_made_normal();
	}
	ht_sen_interval(t, x, 60, 60, &low, &high);
	assert_true(low < 2 && 2 < high);
	assert_true(high - low < 0.1);
}

static void floors_are_low_and_skip_gaps(void **state)
{
	double x[48], ft[HT_FLOORS_MAX], fx[HT_FLOORS_MAX];
	struct ht_points p;

	(void)state;
	for (size_t i = 0; i < 48; i++)
		x[i] = i % 4 == 0 ? 10 : 50;
	points_of(x, 48, &p);
	assert_int_equal(ht_floors(&p, 12, ft, fx), 12);
	for (size_t i = 0; i < 12; i++)
		assert_true(fx[i] < 50);
	p.t[47] = 480; /* a long gap before the last point */
	assert_true(ht_floors(&p, 12, ft, fx) < 12);
}

static void a_hinge_is_found_where_the_slope_begins(void **state)
{
	double x[60];
	struct ht_points p;

	(void)state;
	for (size_t i = 0; i < 60; i++)
		x[i] = i < 30 ? 5 : 5 + (double)(i - 30);
	points_of(x, 60, &p);
	assert_in_range(ht_hinge(&p), 28, 32);
}

static void a_sine_has_its_period(void **state)
{
	double x[90];
	struct ht_points p;

	(void)state;
	for (size_t i = 0; i < 90; i++)
		x[i] = 100 + 40 * sin(2 * M_PI * (double)i / 17.5);
	points_of(x, 90, &p);
	assert_near(ht_season(&p), 17.5, 0.5);
}

static void noise_rarely_has_a_period(void **state)
{
	double x[90];
	struct ht_points p;
	int found = 0;

	(void)state;
	ht_made_seed(4);
	for (int run = 0; run < 500; run++) {
		for (size_t i = 0; i < 90; i++)
			x[i] = 100 + 20 * ht_made_normal();
		points_of(x, 90, &p);
		found += !isnan(ht_season(&p));
	}
	assert_true(found <= 10);
}

/* Noise about 300, and in three moments of ten a peak. */
static double with_peaks(void)
{
	double rest = 300 + 60 * ht_made_normal();

	if (ht_made_uniform() > 0.3)
		return rest;
	return rest + 500 + 500 * ht_made_uniform();
}

static void peaks_without_order_rarely_have_a_period(void **state)
{
	double x[90];
	struct ht_points p;
	int found = 0;

	(void)state;
	ht_made_seed(7);
	for (int run = 0; run < 500; run++) {
		for (size_t i = 0; i < 90; i++)
			x[i] = with_peaks();
		points_of(x, 90, &p);
		found += !isnan(ht_season(&p));
	}
	assert_true(found <= 5);
}

static void short_peaks_have_their_period(void **state)
{
	double x[90];
	struct ht_points p;

	(void)state;
	ht_made_seed(7);
	for (size_t i = 0; i < 90; i++)
		x[i] = 100 + (i % 11 == 3 ? 1000 : 0) + ht_made_normal();
	points_of(x, 90, &p);
	assert_near(ht_season(&p), 11, 0.5);
}

static void without_its_season_a_wave_is_flat(void **state)
{
	double x[96];
	struct ht_points p, mean;

	(void)state;
	for (size_t i = 0; i < 96; i++)
		x[i] = 100 + 40 * sin(2 * M_PI * (double)i / 16);
	points_of(x, 96, &p);
	ht_season_remove(&p, 16, &mean);
	assert_in_range(mean.n, 78, 82);
	for (size_t i = 0; i < mean.n; i++)
		assert_near(mean.x[i], 100, 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_lie_between_neighbours),
		cmocka_unit_test(quantiles_agree_with_sorting),
		cmocka_unit_test(one_wild_value_does_not_move_the_slope),
		cmocka_unit_test(slopes_use_the_times_not_the_count),
		cmocka_unit_test(tau_counts_pairs),
		cmocka_unit_test(like_neighbours_count_less),
		cmocka_unit_test(the_interval_holds_the_slope),
		cmocka_unit_test(floors_are_low_and_skip_gaps),
		cmocka_unit_test(a_hinge_is_found_where_the_slope_begins),
		cmocka_unit_test(a_sine_has_its_period),
		cmocka_unit_test(noise_rarely_has_a_period),
		cmocka_unit_test(peaks_without_order_rarely_have_a_period),
		cmocka_unit_test(short_peaks_have_their_period),
		cmocka_unit_test(without_its_season_a_wave_is_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
