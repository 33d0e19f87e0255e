/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/load.h"

#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"

#define SERIES_MAX 160
#define ROUNDS	   25

/* One series without its straight line, in standard deviations. */
struct wave {
	double z[HT_POINTS_MAX];
	double mean, sigma;
	double r; /* correlation with the factor */
};

static double mean_of(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return sum / (double)n;
}

/* False: it does not move. */
static bool wave_of(const double *x, const double *t, size_t n, struct wave *w)
{
	double mt = mean_of(t, n), tt = 0, tx = 0;

	w->mean = mean_of(x, n);
	for (size_t i = 0; i < n; i++) {
		tt += (t[i] - mt) * (t[i] - mt);
		tx += (t[i] - mt) * (x[i] - w->mean);
	}
	for (size_t i = 0; i < n; i++)
		w->z[i] = x[i] - w->mean - tx / tt * (t[i] - mt);
	w->sigma = sqrt(ht_dot(w->z, w->z, n) / (double)n);
	if (!(w->sigma > ht_t.load_moves * fabs(w->mean)))
		return false;
	for (size_t i = 0; i < n; i++)
		w->z[i] /= w->sigma;
	return true;
}

static void normalise(double *u, size_t n)
{
	double mean = mean_of(u, n), size;

	for (size_t i = 0; i < n; i++)
		u[i] -= mean;
	size = sqrt(ht_dot(u, u, n) / (double)n);
	for (size_t i = 0; i < n && size > 0; i++)
		u[i] /= size;
}

/* First principal component by power iteration; fills each wave's r. */
static void factor(struct wave *w, size_t m, size_t n, double *u)
{
	double next[HT_POINTS_MAX], sum = 0;

	for (size_t i = 0; i < n; i++) /* a start that no symmetry cancels */
		u[i] = w[0].z[i];
	for (size_t c = 1; c < m; c++)
		ht_take(u, -ht_dot(w[c].z, w[0].z, n) / (double)n, w[c].z, n);
	for (int round = 0; round < ROUNDS; round++) {
		normalise(u, n);
		memset(next, 0, sizeof(next));
		for (size_t c = 0; c < m; c++) {
			w[c].r = ht_dot(w[c].z, u, n) / (double)n;
			ht_take(next, -w[c].r, w[c].z, n);
		}
		memcpy(u, next, sizeof(next));
	}
	for (size_t c = 0; c < m; c++)
		sum += w[c].r;
	for (size_t c = 0; c < m && sum < 0; c++)
		w[c].r = -w[c].r;
}

static size_t members(const struct wave *w, size_t m, size_t *ret)
{
	size_t n = 0;

	for (size_t c = 0; c < m && n < HT_POINTS_MAX; c++)
		if (w[c].r >= ht_t.load_member)
			ret[n++] = c;
	return n;
}

bool ht_load_find(const double (*x)[HT_POINTS_MAX], size_t series,
		  const double *t, size_t n, double ret[HT_POINTS_MAX])
{
	struct wave w[SERIES_MAX];
	const double *raw[SERIES_MAX];
	size_t in[HT_POINTS_MAX], m = 0, k;
	double said[HT_POINTS_MAX], u[HT_POINTS_MAX];

	for (size_t c = 0; c < series && m < SERIES_MAX; c++)
		if (wave_of(x[c], t, n, &w[m]))
			raw[m++] = x[c];
	if ((double)m < ht_t.load_series)
		return false;
	factor(w, m, n, u);
	k = members(w, m, in);
	if ((double)k < ht_t.load_series)
		return false;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < k; j++) {
			const struct wave *v = &w[in[j]];

			said[j] = (raw[in[j]][i] - v->mean) / (v->sigma * v->r);
		}
		ret[i] = ht_median(said, k);
	}
	normalise(ret, n);
	return true;
}
