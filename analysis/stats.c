/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/stats.h"

#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"

#define PAIRS_MAX (HT_POINTS_MAX * (HT_POINTS_MAX - 1) / 2)

static void swap(double *a, double *b)
{
	double c = *a;

	*a = *b;
	*b = c;
}

/* Hoare's selection: x[k] is afterwards what sorting would put there, with
 * nothing larger before it. Linear on average. */
static double select_kth(double *x, size_t n, size_t k)
{
	size_t low = 0, high = n - 1;

	while (low < high) {
		double pivot = x[low + (high - low) / 2];
		size_t i = low, j = high;

		for (;;) {
			while (x[i] < pivot)
				i++;
			while (pivot < x[j])
				j--;
			if (i >= j)
				break;
			swap(&x[i++], &x[j--]);
		}
		if (x[j] > pivot && j > low)
			j--;
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
	return x[k];
}

/* Reorders x. */
static double quantile_of(double *x, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t k = (size_t)at;
	double below, above;

	if (n == 0)
		return NAN;
	below = select_kth(x, n, k);
	if (k + 1 >= n || at <= (double)k)
		return below;
	above = x[k + 1];
	for (size_t i = k + 2; i < n; i++)
		above = x[i] < above ? x[i] : above;
	return below + (at - (double)k) * (above - below);
}

double ht_quantile(const double *x, size_t n, double q)
{
	double copy[HT_POINTS_MAX];

	if (n == 0 || n > HT_POINTS_MAX)
		return NAN;
	memcpy(copy, x, n * sizeof(*x));
	return quantile_of(copy, n, q);
}

double ht_median(const double *x, size_t n)
{
	return ht_quantile(x, n, HT_MEDIAN);
}

double ht_spread(const double *x, size_t n)
{
	return ht_quantile(x, n, HT_P95) - ht_quantile(x, n, HT_P5);
}

static size_t pairwise_slopes(const double *t, const double *x, size_t n,
			      double *ret)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			if (t[j] > t[i])
				ret[m++] = (x[j] - x[i]) / (t[j] - t[i]);
	return m;
}

double ht_theil_sen(const double *t, const double *x, size_t n)
{
	double slopes[PAIRS_MAX];
	size_t m;

	if (n < 2 || n > HT_POINTS_MAX)
		return NAN;
	m = pairwise_slopes(t, x, n, slopes);
	return m ? quantile_of(slopes, m, HT_MEDIAN) : NAN;
}

void ht_sen_interval(const double *t, const double *x, size_t n,
		     double effective, double *ret_low, double *ret_high)
{
	double slopes[PAIRS_MAX];
	double e = effective, half;
	size_t m;

	*ret_low = *ret_high = NAN;
	if (n < 2 || n > HT_POINTS_MAX)
		return;
	m = pairwise_slopes(t, x, n, slopes);
	if (m == 0)
		return;
	/* as a share of the pairs that e independent points would have */
	half = HT_Z80 * sqrt(e * (e - 1) * (2 * e + 5) / 18) /
	       (e * (e - 1) / 2);
	half = fmin(half / 2, HT_MEDIAN);
	*ret_low = quantile_of(slopes, m, HT_MEDIAN - half);
	*ret_high = quantile_of(slopes, m, HT_MEDIAN + half);
}

double ht_kendall(const double *x, size_t n)
{
	long balance = 0;

	if (n < 2)
		return NAN;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			balance += (x[j] > x[i]) - (x[j] < x[i]);
	return (double)balance / ((double)n * (double)(n - 1) / 2);
}

/* By the median absolute deviation: no outlier moves it. */
static double robust_sigma(const double *residual, size_t n)
{
	double size[HT_POINTS_MAX], rms = 0;

	for (size_t i = 0; i < n; i++) {
		size[i] = fabs(residual[i]);
		rms += residual[i] * residual[i];
	}
	rms = sqrt(rms / (double)n);
	return fmax(HT_MAD_SIGMA * ht_median(size, n), ht_t.sigma_least * rms);
}

static double lag_one(const double *x, size_t n)
{
	double mean = 0, both = 0, square = 0;

	for (size_t i = 0; i < n; i++)
		mean += x[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		square += (x[i] - mean) * (x[i] - mean);
		if (i + 1 < n)
			both += (x[i] - mean) * (x[i + 1] - mean);
	}
	return square > 0 ? both / square : 0;
}

struct ht_line ht_line_of(const double *t, const double *x, size_t n)
{
	struct ht_line l = {0, 0, 0, (double)n, 0};
	double residual[HT_POINTS_MAX], at_zero[HT_POINTS_MAX], level, rho, far;

	if (n < HT_LINE_POINTS || n > HT_POINTS_MAX || t[n - 1] <= t[0])
		return l;
	l.slope = ht_theil_sen(t, x, n);
	l.rise = l.slope * (t[n - 1] - t[0]);
	for (size_t i = 0; i < n; i++)
		at_zero[i] = x[i] - l.slope * t[i];
	level = ht_median(at_zero, n);
	for (size_t i = 0; i < n; i++)
		residual[i] = at_zero[i] - level;
	l.sigma = robust_sigma(residual, n);
	far = ht_t.outlier_sigmas * l.sigma;
	for (size_t i = 0; i < n; i++)
		residual[i] = fmax(-far, fmin(far, residual[i]));
	rho = fmax(0, fmin(ht_t.correlation_most, lag_one(residual, n)));
	l.effective =
		fmax(ht_t.effective_least, (double)n * (1 - rho) / (1 + rho));
	if (l.sigma > 0)
		l.t = l.rise / (l.sigma * sqrt(12 / l.effective));
	else /* a straight line without noise is as sure as can be */
		l.t = l.rise > 0 ? INFINITY : l.rise < 0 ? -INFINITY : 0;
	return l;
}

size_t ht_floors_count(size_t n)
{
	if ((double)n >= ht_t.many_rows)
		return HT_FLOORS_MAX;
	return (size_t)((double)n >= ht_t.few_rows ? ht_t.floors_some
						   : ht_t.floors_few);
}

double ht_points_span(const struct ht_points *p)
{
	return p->n ? p->t[p->n - 1] - p->t[0] : 0;
}

size_t ht_floors(const struct ht_points *p, size_t k, double *ret_t,
		 double *ret_x)
{
	double span = ht_points_span(p), part[HT_POINTS_MAX];
	size_t m = 0, i = 0;

	if (span <= 0)
		return 0;
	for (size_t s = 0; s < k; s++) {
		double end = p->t[0] + span * (double)(s + 1) / (double)k;
		size_t n = 0;

		for (; i < p->n && (p->t[i] < end || s + 1 == k); i++)
			part[n++] = p->low[i];
		if (n == 0)
			continue;
		ret_t[m] = end - span / (double)k / 2;
		ret_x[m++] = quantile_of(part, n, HT_P10);
	}
	return m;
}

void ht_points_part(const struct ht_points *p, double from, double to,
		    struct ht_points *ret)
{
	double span = ht_points_span(p), begin = p->n ? p->t[0] : 0;
	/* shares are exact only up to rounding */
	double first = begin + from * span - span * HT_ROUNDING;
	double last = begin + to * span + span * HT_ROUNDING;

	ret->n = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (p->t[i] < first || p->t[i] > last)
			continue;
		ret->t[ret->n] = p->t[i];
		ret->x[ret->n] = p->x[i];
		ret->low[ret->n] = p->low[i];
		ret->high[ret->n++] = p->high[i];
	}
}

double ht_points_last(const struct ht_points *p)
{
	return p->n ? p->x[p->n - 1] : NAN;
}

double ht_points_begin(const struct ht_points *p)
{
	size_t k = p->n / 8 ? p->n / 8 : 1, head = k / 4 ? k / 4 : 1;
	double first = ht_median(p->x, k), begin = ht_median(p->x, head);

	return first - begin >= ht_t.begin_share * ht_points_rise(p) ? begin
								     : first;
}

double ht_points_rise(const struct ht_points *p)
{
	size_t k = p->n / 8 ? p->n / 8 : 1;

	if (p->n < 2)
		return 0;
	return ht_median(p->x + p->n - k, k) - ht_median(p->x, k);
}

/* Residual sum of squares of x ~ a + b max(0, t - t[h]). */
static double hinge_error(const struct ht_points *p, size_t h)
{
	double n = (double)p->n, sx = 0, su = 0, suu = 0, sux = 0, sxx = 0, d,
	       b;

	for (size_t i = 0; i < p->n; i++) {
		double u = fmax(0, p->t[i] - p->t[h]);

		sx += p->x[i];
		su += u;
		suu += u * u;
		sux += u * p->x[i];
		sxx += p->x[i] * p->x[i];
	}
	d = suu - su * su / n;
	b = d > 0 ? (sux - su * sx / n) / d : 0;
	return sxx - sx * sx / n - b * (sux - su * sx / n);
}

size_t ht_hinge(const struct ht_points *p)
{
	size_t best = 0;
	double least = INFINITY;

	for (size_t h = 0; h + HT_LINE_POINTS < p->n; h++) {
		double e = hinge_error(p, h);

		if (e < least) {
			least = e;
			best = h;
		}
	}
	return best;
}

/* Some sums at once: one alone would wait for each addition before the next. */
#define SUMS 4
double ht_dot(const double *a, const double *b, size_t n)
{
	double sum[SUMS] = {0};
	size_t i = 0;

	for (; i + SUMS <= n; i += SUMS)
		for (size_t k = 0; k < SUMS; k++)
			sum[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		sum[0] += a[i] * b[i];
	for (size_t k = 1; k < SUMS; k++)
		sum[0] += sum[k];
	return sum[0];
}

void ht_take(double *x, double factor, const double *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] -= factor * q[i];
}
