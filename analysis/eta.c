/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETA: room / speed, for sustained growth only. Room is what the nearest limit
 * leaves above the anonymous memory of now. Where in use grows and anonymous
 * memory does not, the leak eats retained memory first: that is added to the
 * room, but for the part that is not trimmable (holes too small to use).
 * The interval holds the truth in 80 % of cases: from Sen's interval of the
 * speed, over hours and days from the fit's standard error.
 */
#include "analysis/judge.h"

#include <math.h>

#include "analysis/thresholds.h"
#include "common/clock.h"

#define YEAR_S (365.0 * 86400)

/* Anonymous memory as it will be at its highest hour of the day: a service that
 * breathes meets its limit at a peak. */
static double highest(const struct ht_measure *m, double slope)
{
	const struct ht_points *a = &m->anon;
	double now = a->n ? a->t[a->n - 1] : 0, most = m->anon_now;

	for (size_t i = 0; i < a->n; i++)
		if (now - a->t[i] <= 86400)
			most = fmax(most, a->high[i] + slope * (now - a->t[i]));
	return most;
}

static int64_t at(const struct ht_verdict *v, double seconds)
{
	return v->to_ns + (int64_t)(seconds * (double)HT_NS_PER_S);
}

/* The speed at which memory is really taken from the machine. */
static const struct ht_growth *speed(const struct ht_measure *m,
				     const struct ht_verdict *v, double *room)
{
	const struct ht_growth *own = ht_growth_of(m, v);

	if (m->anon_growth.slope > 0 &&
	    m->anon_growth.late_rise >= 0.25 * own->late_rise)
		return &m->anon_growth;
	if (!isnan(m->quiet.trimmable))
		*room += m->quiet.trimmable;
	return own;
}

static void say_eta(struct ht_verdict *v, double limit, double low, double high)
{
	if (high >= YEAR_S)
		ht_say(v, "limit %s: in %s at the earliest",
		       ht_bytes(limit).text,
		       low >= YEAR_S ? "more than a year" : ht_span(low).text);
	else
		ht_say(v, "limit %s: reached in %s to %s", ht_bytes(limit).text,
		       ht_span(low).text, ht_span(high).text);
}

void ht_eta(const struct ht_measure *m, struct ht_verdict *v)
{
	const struct ht_growth *g;
	double room, eta, low, high, all = 1;

	if (v->label != HT_LABEL_LEAK && v->label != HT_LABEL_NON_MALLOC_GROWTH)
		return;
	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED &&
	    m->lasting->class)
		all = fmax(1, m->lasting->rise / m->lasting->trend.rise);
	v->slope_bytes_per_hour = all * ht_growth_of(m, v)->slope * 3600;
	if (isnan(m->limit))
		return;
	v->limit_bytes = (uint64_t)m->limit;
	room = fmax(0, m->limit - m->anon_now);
	g = speed(m, v, &room);
	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED) {
		g = ht_growth_of(m, v);
		room = fmax(0, m->limit - highest(m, all * g->slope)) / all;
	}
	eta = room / g->slope;
	/* ties in short series leave Sen's interval without its middle */
	low = fmin(eta, room / fmax(g->slope_high, g->slope));
	high = g->slope_low > 0 ? fmax(eta, room / g->slope_low) : INFINITY;
	if (low < YEAR_S) {
		v->eta_low_ns = at(v, low);
		v->eta_at_ns = eta < YEAR_S ? at(v, eta) : 0;
		v->eta_high_ns = high < YEAR_S ? at(v, high) : 0;
	}
	say_eta(v, m->limit, low, high);
}
