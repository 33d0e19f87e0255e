/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence: how far a verdict is from being another one. Advice, not a
 * calibrated probability. */
#include <math.h>

#include "analysis/thresholds.h"
#include "analysis/verdict_int.h"

/* Many rows make a verdict surer, few less sure. */
static double rows_tell(const struct ht_measure *m)
{
	double n = (double)m->w.n;

	return (n >= ht_t.many_rows ? ht_t.confidence_many : 0) -
	       (n < ht_t.few_rows ? ht_t.confidence_few : 0);
}

static double growth_confidence(const struct ht_measure *m,
				const struct ht_growth *g)
{
	double c = ht_t.confidence_growth,
	       level = ht_median(m->in_use.x, m->in_use.n);

	c += g->record ? ht_t.confidence_record : 0;
	c += g->t >= ht_t.whole_t ? ht_t.confidence_clear : 0;
	c += m->worst_class.growth.rise >= ht_t.one_class_share * g->rise
		     ? ht_t.confidence_class
		     : 0;
	c += rows_tell(m);
	c -= m->swing >= ht_t.swing_level * level && isnan(m->period) &&
			     m->swing > ht_t.swing_rise * g->rise
		     ? ht_t.confidence_swing
		     : 0;
	return c;
}

/* The further from its threshold, up to twice it, the surer. */
static double from_ratio(double ratio, double threshold)
{
	return ht_t.confidence_edge +
	       ht_t.confidence_far *
		       fmin(1, fabs(ratio - threshold) / threshold);
}

/* Growth over hours and days knows better. */
static double leak_confidence(const struct ht_measure *m,
			      const struct ht_growth *g)
{
	if (!m->lasting)
		return growth_confidence(m, g);
	return m->lasting->kind == HT_GROWTH_SUSTAINED
		       ? m->lasting->confidence
		       : ht_t.confidence_outgrows;
}

/* Bytes by which the window's samples may be off: what moved while they were
 * read, what was estimated and not read (a light look's `quality`). */
static double samples_off(const struct ht_measure *m)
{
	double off[HT_POINTS_MAX];
	size_t n = 0;

	ht_window_column(&m->w, HT_NEED_uncertain, HT_STAT_MEDIAN, off);
	for (size_t i = 0; i < m->w.n; i++)
		if (!isnan(off[i]))
			off[n++] = off[i];
	return n ? ht_median(off, n) : 0;
}

/* What lies within the error of its samples is no surer than they are. */
static double as_samples_are(const struct ht_measure *m,
			     const struct ht_growth *g, double confidence)
{
	double rise = fmax(g->rise, m->in_use_rise);
	double least = ht_t.unsure_rise * samples_off(m);

	return rise < least ? confidence * rise / least : confidence;
}

double ht_sure_of_total(const struct ht_measure *m)
{
	const struct ht_growth *g = &m->in_use_growth;

	return as_samples_are(m, g, leak_confidence(m, g));
}

double ht_sure_of_class(const struct ht_measure *m)
{
	const struct ht_growth *g = &m->worst_class.growth;
	double c = as_samples_are(m, g, leak_confidence(m, g));

	return ht_is_mirrored(m) ? fmin(c, ht_t.mirrored_confidence) : c;
}

double ht_sure_of_written(const struct ht_measure *m)
{
	return growth_confidence(m, &m->written_growth);
}

double ht_sure_of_outside(const struct ht_measure *m)
{
	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED)
		return m->lasting->confidence;
	return growth_confidence(m, &m->outside_growth) +
	       ht_t.confidence_outside;
}

double ht_sure_of_slowing(const struct ht_measure *m)
{
	return fmin(ht_t.confidence_slowing,
		    growth_confidence(m, &m->in_use_growth));
}

double ht_sure_of_filling(const struct ht_measure *m)
{
	return fmin(ht_t.confidence_slowing,
		    growth_confidence(m, &m->written_growth));
}

double ht_sure_of_start_up(const struct ht_measure *m)
{
	return ht_t.start_up_sure +
	       ht_t.start_up_life *
		       fmin((double)m->start_up->repeat, ht_t.start_up_lives);
}

double ht_sure_of_warm(const struct ht_measure *m)
{
	(void)m;
	return ht_t.confidence_warm;
}

double ht_sure_of_season(const struct ht_measure *m)
{
	(void)m;
	return ht_t.confidence_season;
}

/* --- what malloc keeps --------------------------------------------------- */

double ht_sure_of_kept(const struct ht_measure *m)
{
	const struct ht_quiet *q = &m->quiet;

	return from_ratio(q->retained, fmax(ht_t.retained_bytes,
					    ht_t.retained_share * q->anon));
}

double ht_sure_of_pinned(const struct ht_measure *m)
{
	const struct ht_quiet *q = &m->quiet;

	return fmin(ht_sure_of_kept(m),
		    from_ratio(q->blocked / q->retained, ht_t.pinned_share));
}

double ht_sure_of_stuck(const struct ht_measure *m)
{
	const struct ht_quiet *q = &m->quiet;

	return fmin(
		ht_sure_of_kept(m),
		from_ratio(1 - q->trimmable / q->retained, ht_t.cause_share));
}

double ht_sure_of_arenas(const struct ht_measure *m)
{
	return fmin(ht_sure_of_kept(m),
		    from_ratio(m->quiet.arenas_holding, ht_t.arenas_holding));
}

/* --- nothing is wrong ---------------------------------------------------- */

static double share_of(double rise, double of)
{
	return of > 0 ? fmax(0, rise) / of : 0;
}

/* Nothing is wrong: the surer the less rose, in use and of all that is no
 * file's. */
double ht_sure_of_calm(const struct ht_measure *m)
{
	double moved = fmax(
		share_of(m->in_use_rise, ht_median(m->in_use.x, m->in_use.n)),
		share_of(m->outside_rise, m->anon_now));

	return ht_t.confidence_calm -
	       ht_t.confidence_moved * fmin(1, moved / ht_t.warm_share) +
	       rows_tell(m);
}
