/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/season.h"

#include <math.h>

#include "analysis/thresholds.h"

/* Residuals on an even grid, so that a lag is a time also where sampling was
 * uneven. Cells without data are NaN and count in no product. */
struct grid {
	size_t n;
	double step; /* seconds */
	double x[HT_POINTS_MAX];
};

/* About the mean: about another level, as the median of a load of rare peaks,
 * every lag seems alike. */
static void centre(struct grid *g)
{
	double sum = 0;
	size_t cells = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (!isnan(g->x[i])) {
			sum += g->x[i];
			cells++;
		}
	}
	for (size_t i = 0; i < g->n && cells; i++)
		g->x[i] -= sum / (double)cells;
}

static void grid_of(const struct ht_points *p, const double *x, struct grid *g)
{
	size_t filled[HT_POINTS_MAX] = {0};

	g->n = p->n;
	g->step = ht_points_span(p) / (double)(p->n - 1);
	for (size_t i = 0; i < g->n; i++)
		g->x[i] = 0;
	for (size_t i = 0; i < p->n; i++) {
		size_t cell = (size_t)((p->t[i] - p->t[0]) / g->step + 0.5);

		cell = cell < g->n ? cell : g->n - 1;
		g->x[cell] += x[i];
		filled[cell]++;
	}
	for (size_t i = 0; i < g->n; i++)
		g->x[i] = filled[i] ? g->x[i] / (double)filled[i] : NAN;
	centre(g);
}

/* Unbiased autocorrelation: each lag is divided by its own number of pairs. */
static double correlation(const struct grid *g, size_t lag)
{
	double both = 0, square = 0;
	size_t pairs = 0, cells = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (isnan(g->x[i]))
			continue;
		square += g->x[i] * g->x[i];
		cells++;
		if (i + lag < g->n && !isnan(g->x[i + lag])) {
			both += g->x[i] * g->x[i + lag];
			pairs++;
		}
	}
	if (pairs == 0 || square <= 0)
		return 0;
	return both / (double)pairs / (square / (double)cells);
}

static double threshold(const struct grid *g)
{
	return fmax(ht_t.season_r, ht_t.season_sigmas / sqrt((double)g->n));
}

/* Highest autocorrelation within an eighth of `lag`. */
static double best_near(const double *r, size_t n, size_t lag)
{
	size_t from = lag - lag / 8, to = lag + lag / 8;
	double best = -1;

	for (size_t k = from; k <= to && k < n; k++)
		best = fmax(best, r[k]);
	return best;
}

static bool repeats(const struct grid *g, const double *r, size_t known,
		    size_t lag)
{
	double least = threshold(g);

	if (r[lag] < least)
		return false;
	if (2 * lag - lag / 8 < known)
		return best_near(r, known, 2 * lag) >=
		       ht_t.season_again * least;
	return r[lag] >= least + ht_t.season_alone;
}

/* The lag whose parabola through three neighbours peaks between cells. */
static double refine(const double *r, size_t k)
{
	double bend = r[k - 1] - 2 * r[k] + r[k + 1];

	if (bend >= 0)
		return (double)k;
	return (double)k + (r[k - 1] - r[k + 1]) / 2 / bend;
}

/* Lag in cells, or 0. */
static double free_search(const struct grid *g)
{
	/* products over less than a quarter of the window are noise */
	size_t known = g->n * 3 / 4, last, k = 1, best = 0;
	size_t least = (size_t)ht_t.season_lag;
	double r[HT_POINTS_MAX];

	last = (size_t)((double)g->n / ht_t.season_periods);
	for (size_t i = 0; i < known; i++)
		r[i] = correlation(g, i);
	while (k < known && r[k] >= 0)
		k++;
	for (k = k < least ? least : k; k <= last && k + 1 < known; k++)
		if (r[k] >= r[k - 1] && r[k] >= r[k + 1] &&
		    (best == 0 || r[k] > r[best]))
			best = k;
	return best && repeats(g, r, known, best) ? refine(r, best) : 0;
}

static const double usual_periods[] = {HT_HOUR_S, HT_DAY_S, 7 * HT_DAY_S};

static double usual_period(const struct grid *g, double span)
{
	for (size_t i = 0; i < sizeof(usual_periods) / sizeof(double); i++) {
		double period = usual_periods[i];
		size_t lag = (size_t)(period / g->step + 0.5);

		if ((double)lag < ht_t.season_lag ||
		    span < ht_t.season_periods * period)
			continue;
		/* a daily wave is also alike an hour later: half a period
		 * later it must be unlike */
		if (correlation(g, lag) >= threshold(g) + ht_t.season_alone &&
		    correlation(g, lag / 2) <
			    ht_t.season_half * correlation(g, lag))
			return period;
	}
	return NAN;
}

double ht_season(const struct ht_points *p)
{
	double residual[HT_POINTS_MAX], slope, lag, period;
	struct grid g;

	if ((double)p->n < ht_t.season_rows || ht_points_span(p) <= 0)
		return NAN;
	slope = ht_theil_sen(p->t, p->x, p->n);
	for (size_t i = 0; i < p->n; i++)
		residual[i] = p->x[i] - slope * p->t[i];
	if (ht_spread(residual, p->n) <
	    ht_t.season_amplitude * ht_median(p->x, p->n))
		return NAN;
	grid_of(p, residual, &g);
	period = usual_period(&g, ht_points_span(p));
	if (!isnan(period))
		return period;
	lag = free_search(&g);
	return lag > 0 ? lag * g.step : NAN;
}

/* Integral of the line through the points from `from` to `to`: each point
 * stands for the time up to the middle between it and its neighbours. */
static double mean_over(const struct ht_points *p, double from, double to)
{
	double sum = 0, weight = 0;

	for (size_t i = 0; i < p->n; i++) {
		double before = i ? (p->t[i - 1] + p->t[i]) / 2 : p->t[i];
		double after =
			i + 1 < p->n ? (p->t[i] + p->t[i + 1]) / 2 : p->t[i];
		double w = fmin(after, to) - fmax(before, from);

		if (w > 0) {
			sum += w * p->x[i];
			weight += w;
		}
	}
	return weight > 0 ? sum / weight : NAN;
}

void ht_season_remove(const struct ht_points *p, double period,
		      struct ht_points *ret)
{
	double last = p->t[p->n - 1];

	ret->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		double t = p->t[i], mean;

		if (t - period / 2 < p->t[0] - HT_ROUNDING ||
		    t + period / 2 > last + HT_ROUNDING)
			continue;
		mean = mean_over(p, t - period / 2, t + period / 2);
		ret->t[ret->n] = t;
		ret->x[ret->n] = ret->low[ret->n] = ret->high[ret->n] = mean;
		ret->n++;
	}
}
