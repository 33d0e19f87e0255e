/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/size_trend.h"

#define LEAST	5    /* windows; below a line says nothing */
#define SURELY	16   /* 4, squared */
#define ROUNDED 1e-9 /* of a variance: none */

static void close_window(struct ht_size_trend *trend)
{
	double at, size;

	if (trend->calls > 0) {
		at = trend->at / trend->calls;
		size = trend->size / trend->calls;
		trend->n++;
		trend->t += at;
		trend->s += size;
		trend->tt += at * at;
		trend->ts += at * size;
		trend->ss += size * size;
	}
	trend->calls = trend->at = trend->size = 0;
}

void ht_size_trend_add(struct ht_size_trend *trend, uint64_t window,
		       double at_s, double size)
{
	if (window != trend->window)
		close_window(trend);
	trend->window = window;
	trend->calls++;
	trend->at += at_s;
	trend->size += size;
}

bool ht_size_trend_any(const struct ht_size_trend *trend)
{
	return trend->calls > 0;
}

bool ht_size_trend_rises(const struct ht_size_trend *trend)
{
	struct ht_size_trend all = *trend;
	double stt, sts, sss, left;

	close_window(&all);
	if (all.n < LEAST)
		return false;
	stt = all.tt - all.t * all.t / all.n;
	sts = all.ts - all.t * all.s / all.n;
	sss = all.ss - all.s * all.s / all.n;
	if (stt <= ROUNDED * all.tt || sss <= ROUNDED * all.ss || sts <= 0)
		return false;
	left = (sss - sts * sts / stt) / (all.n - 2); /* off the line */
	return sts * sts > SURELY * left * stt;
}
