/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence: how far a verdict is from being another one. Advice, not a
 * calibrated probability. */
#include <math.h>

#include "analysis/judge.h"
#include "analysis/thresholds.h"

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

static double state_confidence(const struct ht_measure *m,
			       const struct ht_verdict *v)
{
	const struct ht_quiet *q = &m->quiet;
	double least = fmax(ht_t.retained_bytes, ht_t.retained_share * q->anon);
	double kept = from_ratio(q->retained, least), cause = kept;

	switch (v->label) {
	case HT_LABEL_TOP_PINNED:
		cause = from_ratio(q->blocked / q->retained, ht_t.pinned_share);
		break;
	case HT_LABEL_FRAGMENTATION:
		cause = from_ratio(1 - q->trimmable / q->retained,
				   ht_t.cause_share);
		break;
	case HT_LABEL_ARENA_PROLIFERATION:
		cause = from_ratio(q->arenas_holding, ht_t.arenas_holding);
		break;
	default:
		break;
	}
	return fmin(kept, cause);
}

static double share_of(double rise, double of)
{
	return of > 0 ? fmax(0, rise) / of : 0;
}

/* Nothing is wrong: the surer the less rose, in use and of all that is no
 * file's. */
static double calm_confidence(const struct ht_measure *m)
{
	double moved = fmax(
		share_of(m->in_use_rise, ht_median(m->in_use.x, m->in_use.n)),
		share_of(m->outside_rise, m->anon_now));

	return ht_t.confidence_calm -
	       ht_t.confidence_moved * fmin(1, moved / ht_t.warm_share) +
	       rows_tell(m);
}

double ht_confidence(const struct ht_measure *m, const struct ht_verdict *v)
{
	double c;

	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED &&
	    v->why != HT_REASON_WRITTEN &&
	    (v->label == HT_LABEL_LEAK ||
	     v->label == HT_LABEL_NON_MALLOC_GROWTH))
		return m->lasting->confidence;
	if (m->lasting && v->label == HT_LABEL_LEAK &&
	    v->why != HT_REASON_WRITTEN)
		return ht_t.confidence_outgrows;
	switch (v->label) {
	case HT_LABEL_INSUFFICIENT_DATA:
		return 0;
	case HT_LABEL_LEAK:
		c = growth_confidence(m, ht_growth_of(m, v));
		if (ht_is_mirrored(m, v))
			c = fmin(c, ht_t.mirrored_confidence);
		break;
	case HT_LABEL_NON_MALLOC_GROWTH:
		c = growth_confidence(m, &m->outside_growth) +
		    ht_t.confidence_outside;
		break;
	case HT_LABEL_CACHE_WARMUP:
		c = v->why == HT_REASON_WARM
			    ? ht_t.confidence_warm
			    : fmin(ht_t.confidence_slowing,
				   growth_confidence(m, ht_growth_of(m, v)));
		break;
	case HT_LABEL_PERIODIC:
	case HT_LABEL_STABLE:
		c = v->label == HT_LABEL_PERIODIC ? ht_t.confidence_season
						  : calm_confidence(m);
		break;
	default:
		c = state_confidence(m, v);
	}
	return fmax(ht_t.confidence_least, fmin(ht_t.confidence_cap, c));
}
