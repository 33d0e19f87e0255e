/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Monte Carlo: how often the growth test calls a made series a leak that is
 * none (false alarms), and how often it finds one that is (detections).
 *
 *	build/tools/montecarlo [-n RUNS] [-s SEED] [-k POINTS]
 *
 * Levels are 100 MB. Each series is judged as in use of a process that has
 * nothing else. "start" is what the method's first version was measured at.
 * Exit status 1 when a rate is beyond its limit in the table below.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/verdict.h"
#include "tests/lib/made.h"

#define LEVEL	 100e6
#define ROWS_MAX 2000

/* --- series: x[0..n) as shares of the level ------------------------------ */

typedef void (*maker)(double *x, size_t n, double a, double b);

/* a: standard deviation, b: correlation of neighbours */
static void noise(double *x, size_t n, double a, double b)
{
	double e = ht_made_normal();

	for (size_t i = 0; i < n; i++) {
		x[i] = 1 + a * e;
		e = b * e + sqrt(1 - b * b) * ht_made_normal();
	}
}

static void walk(double *x, size_t n, double a, double b)
{
	double at = 1;

	(void)b;
	for (size_t i = 0; i < n; i++)
		x[i] = at += a * ht_made_normal();
}

/* a: amplitude, b: periods */
static void sine(double *x, size_t n, double a, double b)
{
	double phase = 2 * M_PI * ht_made_uniform();

	noise(x, n, 0.01, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * sin(phase + 2 * M_PI * b * (double)i / (double)n);
}

static void sawtooth(double *x, size_t n, double a, double b)
{
	double phase = ht_made_uniform();

	noise(x, n, 0.01, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * fmod(phase + b * (double)i / (double)n, 1);
}

/* a: height, b: share of the time */
static void bursts(double *x, size_t n, double a, double b)
{
	double left = 0;

	noise(x, n, 0.01, 0);
	for (size_t i = 0; i < n; i++) {
		if (left <= 0 && ht_made_uniform() < b / 3)
			left = 1 + 5 * ht_made_uniform();
		if (left-- > 0)
			x[i] += a;
	}
}

static void step(double *x, size_t n, double a, double b)
{
	double at = b > 0 ? b : 0.05 + 0.9 * ht_made_uniform();

	noise(x, n, 0.01, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += (double)i >= at * (double)n ? a : 0;
}

/* The same where little else moves: b is the noise. */
static void still_step(double *x, size_t n, double a, double b)
{
	double at = 0.05 + 0.9 * ht_made_uniform();

	noise(x, n, b, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += (double)i >= at * (double)n ? a : 0;
}

/* a: rise, b: where it ends */
static void ramp_level(double *x, size_t n, double a, double b)
{
	noise(x, n, 0.005, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * fmin(1, (double)i / (double)n / b);
}

/* Half of a by 40 %, level, the other half in one step at b. */
static void ramp_step(double *x, size_t n, double a, double b)
{
	ramp_level(x, n, a / 2, 0.4);
	for (size_t i = 0; i < n; i++)
		x[i] += (double)i >= b * (double)n ? a / 2 : 0;
}

/* a: rise, b: time constant as a share of the window */
static void warmup(double *x, size_t n, double a, double b)
{
	noise(x, n, 0.005, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * (1 - exp(-(double)i / (double)n / b));
}

/* a: rise over the window, b: noise */
static void leak(double *x, size_t n, double a, double b)
{
	noise(x, n, b, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * (double)i / (double)n;
}

static void leak_ar(double *x, size_t n, double a, double b)
{
	noise(x, n, b, 0.9);
	for (size_t i = 0; i < n; i++)
		x[i] += a * (double)i / (double)n;
}

/* a: rise, b: where it begins */
static void leak_late(double *x, size_t n, double a, double b)
{
	noise(x, n, 0.01, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * fmax(0, (double)i / (double)n - b) / (1 - b);
}

static void leak_season(double *x, size_t n, double a, double b)
{
	sine(x, n, b, 6);
	for (size_t i = 0; i < n; i++)
		x[i] += a * (double)i / (double)n;
}

static void leak_bursts(double *x, size_t n, double a, double b)
{
	bursts(x, n, b, 0.25);
	for (size_t i = 0; i < n; i++)
		x[i] += a * (double)i / (double)n;
}

static void leak_steps(double *x, size_t n, double a, double b)
{
	noise(x, n, 0.005, 0);
	for (size_t i = 0; i < n; i++)
		x[i] += a * floor(b * (double)i / (double)n) / b;
}

static const struct made {
	const char *name;
	maker make;
	double a, b;
	double start; /* percent where the method started; NaN: not measured */
	double limit; /* the least for a leak, the most for the others */
	bool leak;
} made[] = {
	{"white noise 5 %", noise, 0.05, 0, 0, 0, false},
	{"AR(1) .9, 5 %", noise, 0.05, 0.9, 1, 2, false},
	{"AR(1) .98, 5 %", noise, 0.05, 0.98, 8, 8, false},
	{"random walk, 1 % a step", walk, 0.01, 0, 12, 12, false},
	{"sine 30 %, 1.6 periods", sine, 0.3, 1.6, 0, 0, false},
	{"sine 30 %, 6 periods", sine, 0.3, 6, NAN, 0, false},
	{"sawtooth 50 %, 3.3 periods", sawtooth, 0.5, 3.3, 0.2, 0.2, false},
	{"sawtooth 50 %, 7 periods", sawtooth, 0.5, 7, 0.2, 0.2, false},
	{"bursts x 3, a quarter of the time", bursts, 2, 0.25, 0, 0, false},
	{"one step of 30 %", step, 0.3, 0, 0, 0, false},
	{"one step at 75 %", step, 0.3, 0.75, 0, 0, false},
	{"one step of 80 %, noise 0.2 %", still_step, 0.8, 0.002, NAN, 0,
	 false},
	{"one step of 30 %, noise 0.05 %", still_step, 0.3, 0.0005, NAN, 0,
	 false},
	{"ramp of 50 %, level from 60 %", ramp_level, 0.5, 0.6, 0, 0, false},
	{"ramp of 25 %, level, step of 25 %", ramp_step, 0.5, 0.8, NAN, 0,
	 false},
	{"warm-up, tau 10 %", warmup, 1, 0.1, 0, 0, false},
	{"warm-up, tau 20 %", warmup, 1, 0.2, 15, 15, false},
	{"warm-up, tau 40 %", warmup, 1, 0.4, 40, 40, false},
	{"+5 % at 0.5 % noise", leak, 0.05, 0.005, 94, 90, true},
	{"+10 % at 2 % noise", leak, 0.1, 0.02, 75, 70, true},
	{"+20 % at 5 % noise", leak, 0.2, 0.05, 55, 50, true},
	{"+40 % at AR(.9) 5 % noise", leak_ar, 0.4, 0.05, 68, 60, true},
	{"+20 %, begins at 60 %", leak_late, 0.2, 0.6, 100, 98, true},
	{"+30 % under a +-30 % season", leak_season, 0.3, 0.3, 100, 98, true},
	{"+30 % under bursts x 3", leak_bursts, 0.3, 2, 61, 30, true},
	{"+30 % in 12 steps", leak_steps, 0.3, 12, NAN, 98, true},
};

static double rate(const struct made *m, size_t runs, size_t n)
{
	double x[ROWS_MAX];
	size_t said = 0;

	for (size_t r = 0; r < runs; r++) {
		HT_AUTO_SERIES struct ht_series s;
		struct ht_verdict v;

		ht_series_init(&s);
		m->make(x, n, m->a, m->b);
		for (size_t i = 0; i < n; i++)
			x[i] = LEVEL * fmax(0, x[i]);
		ht_made_in_use(&s, x, n, 0.2);
		ht_verdict_window(&s, s.time_ns[0], s.time_ns[n - 1], NULL, &v);
		said += v.label == HT_LABEL_LEAK;
	}
	return 100 * (double)said / (double)runs;
}

static void print_row(const struct made *m, double percent)
{
	printf("| %s%s | %.1f %% | ", m->leak ? "leak: " : "", m->name,
	       percent);
	if (isnan(m->start))
		puts("- |");
	else
		printf("%g %% |\n", m->start);
}

static bool keeps_limit(const struct made *m, double percent)
{
	bool keeps = m->leak ? percent >= m->limit : percent <= m->limit;

	if (!keeps)
		fprintf(stderr,
			"%s: LEAK said in %.1f %%, %s %.1f %% allowed\n",
			m->name, percent, m->leak ? "at least" : "at most",
			m->limit);
	return keeps;
}

int main(int argc, char **argv)
{
	size_t runs = 400, points = 72;
	uint64_t first = 1;
	bool kept = true;
	int option;

	while ((option = getopt(argc, argv, "n:s:k:")) != -1) {
		if (option == 'n')
			runs = strtoul(optarg, NULL, 10);
		else if (option == 's')
			first = strtoull(optarg, NULL, 10);
		else if (option == 'k')
			points = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (points < 24 || points > ROWS_MAX || runs == 0) {
		fprintf(stderr,
			"montecarlo: 24 to %d points, one run or more\n",
			ROWS_MAX);
		return 2;
	}
	printf("| series (%zu points, %zu runs) | LEAK said | start |\n"
	       "| --- | --- | --- |\n",
	       points, runs);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
		double percent;

		ht_made_seed(first);
		percent = rate(&made[i], runs, points);
		print_row(&made[i], percent);
		kept &= keeps_limit(&made[i], percent);
	}
	return kept ? 0 : 1;
}
