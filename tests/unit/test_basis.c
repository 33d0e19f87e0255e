/* SPDX-License-Identifier: Apache-2.0 */
/* One size class held against load and day: what is a step stays a step. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/basis.h"
#include "tests/lib/made.h"

#define MIB    0x1p20
#define POINTS 73 /* two days: one of hours, one of half hours */
#define STEP   (345 * MIB)

static struct ht_basis basis;

static double load_at(double h, double peak)
{
	return sin(2 * M_PI * (h - peak + 6) / 24);
}

/* As two days look in a store: the first is thinned. The load is known from
 * other classes, give or take a little. */
static void make_basis(double peak)
{
	basis = (struct ht_basis){.n = POINTS, .load_known = true};
	for (size_t i = 0; i < POINTS; i++) {
		basis.t[i] = i < 24 ? (double)i : 24 + 0.5 * (double)(i - 24);
		basis.load[i] = load_at(basis.t[i], peak) +
				0.05 * (ht_made_uniform() - 0.5);
	}
	ht_basis_make(&basis, NULL);
}

/* A class that follows the load, with 1 MiB of noise. */
static double follows(double h, double peak)
{
	return MIB *
	       (105 + 23 * load_at(h, peak) + 2 * (ht_made_uniform() - 0.5));
}

/* The bucket in which it happens holds part of it. */
static void stepped(size_t at, double peak, double *x)
{
	for (size_t i = 0; i < POINTS; i++)
		x[i] = follows(basis.t[i], peak) + (i > at ? STEP : 0) +
		       (i == at ? STEP / 3 : 0);
}

static void a_step_beside_load_and_day_is_never_a_slope(void **state)
{
	double x[POINTS];
	struct ht_trend t;

	(void)state;
	ht_made_seed(3);
	for (double peak = 0; peak < 24; peak += 3) {
		make_basis(peak);
		for (size_t at = 8; at < POINTS - 8; at++) {
			stepped(at, peak, x);
			ht_trend_of(&basis, x, &t);
			if (t.steps == 0 || fabs(t.rise) > 0.5 * STEP)
				fail_msg("step at point %zu, peak at %.0f h: "
					 "%zu steps, %.0f MiB; rise %.0f MiB",
					 at, peak, t.steps, t.step / MIB,
					 t.rise / MIB);
		}
	}
}

static void a_lone_bump_is_neither_step_nor_slope(void **state)
{
	double x[POINTS];
	struct ht_trend t;

	(void)state;
	ht_made_seed(4);
	make_basis(15);
	for (size_t at = 0; at + 4 < POINTS; at++)
		for (size_t width = 1; width <= 3; width++) {
			for (size_t i = 0; i < POINTS; i++)
				x[i] = follows(basis.t[i], 15) +
				       (i >= at && i < at + width ? STEP : 0);
			ht_trend_of(&basis, x, &t);
			if (fabs(t.rise) > 0.1 * STEP && t.t > 5)
				fail_msg("bump of %zu at %zu: rise %.0f MiB, "
					 "t %.0f",
					 width, at, t.rise / MIB, t.t);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_beside_load_and_day_is_never_a_slope),
		cmocka_unit_test(a_lone_bump_is_neither_step_nor_slope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
