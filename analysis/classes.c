/* SPDX-License-Identifier: Apache-2.0 */
/* Classes: which size classes rise steadily. A leak under falling load, or one
 * that is small against the noise of all, shows in its class alone. */
#include <math.h>

#include "analysis/measure.h"
#include "analysis/thresholds.h"

static void class_points(const struct ht_window *w,
			 const struct ht_class_series *c, struct ht_points *ret)
{
	double low[HT_POINTS_MAX], mid[HT_POINTS_MAX], high[HT_POINTS_MAX];

	ht_window_class(w, c, HT_STAT_P10, low);
	ht_window_class(w, c, HT_STAT_MEDIAN, mid);
	ht_window_class(w, c, HT_STAT_MAX, high);
	ht_window_points(w, low, mid, high, ret);
}

/* The nearest class above (direction 1) or below (-1); NULL: none. */
static const struct ht_class_series *neighbour(const struct ht_series *s,
					       const struct ht_class_series *c,
					       int direction)
{
	const struct ht_class_series *best = NULL;

	if (c->max_size == 0)
		return NULL;
	for (size_t i = 0; i < s->classes_n; i++) {
		const struct ht_class_series *o = &s->classes[i];
		bool beyond = direction > 0 ? o->max_size > c->max_size
					    : o->max_size < c->max_size;
		bool nearer =
			!best || (direction > 0 ? o->max_size < best->max_size
						: o->max_size > best->max_size);

		if (o->max_size != 0 && beyond && nearer)
			best = o;
	}
	return best;
}

static double rise_of(const struct ht_window *w,
		      const struct ht_class_series *c)
{
	struct ht_points p;

	if (!c)
		return 0;
	class_points(w, c, &p);
	return ht_points_rise(&p);
}

/* A shift of sizes looks like one class that grows while the next one falls:
 * three neighbours together must grow too. */
static bool only_shifted(const struct ht_window *w,
			 const struct ht_class_series *c, double rise)
{
	double others = rise_of(w, neighbour(w->s, c, 1)) +
			rise_of(w, neighbour(w->s, c, -1));

	return rise + others < ht_t.shifted_share * rise;
}

void ht_measure_counts(const struct ht_window *w, struct ht_class_growth *c)
{
	double chunks[HT_POINTS_MAX];
	size_t k = w->n / 8 ? w->n / 8 : 1;
	double span = w->t[w->n - 1];

	ht_window_rows(w, c->series->chunks, HT_STAT_MEDIAN, chunks);
	for (size_t i = 0; i < w->n; i++)
		chunks[i] = isnan(chunks[i]) ? 0 : chunks[i];
	c->chunks_first = ht_median(chunks, k);
	c->chunks_last = ht_median(chunks + w->n - k, k);
	c->chunks_per_s =
		span > 0 ? (c->chunks_last - c->chunks_first) / span : NAN;
}

static bool class_rises(const struct ht_window *w,
			const struct ht_class_series *c, double level,
			double period, struct ht_growth *g)
{
	double least = fmax(ht_t.class_bytes, ht_t.class_share * level);
	struct ht_points p;

	class_points(w, c, &p);
	/* cheap test first: most classes end here */
	if ((double)p.n < ht_t.least_points ||
	    !(ht_points_rise(&p) >= least / 2))
		return false;
	ht_growth(&p, ht_t.class_level * level, ht_t.class_bytes, period, g);
	return g->kind == HT_GROWTH_SUSTAINED && g->rise >= least &&
	       g->tau >= ht_t.class_tau && !only_shifted(w, c, g->rise);
}

/* What gained most, for a leak that no class proves: it may be spread over
 * classes, or too young for the order of the floors. */
static void find_likely(struct ht_measure *m)
{
	const struct ht_series *s = m->w.s;
	struct ht_class_growth *most = &m->likely_class;

	for (size_t i = 0; i < s->classes_n; i++) {
		struct ht_points p;

		class_points(&m->w, &s->classes[i], &p);
		if (ht_points_rise(&p) <= most->growth.rise)
			continue;
		most->series = &s->classes[i];
		most->growth.rise = ht_points_rise(&p);
		most->growth.last = p.x[p.n - 1];
	}
	if (most->series)
		ht_measure_counts(&m->w, most);
}

/* What the others lost beside what the risen gained. A load that falls while
 * something leaks seldom falls by just as much. */
static void hold_against_others(struct ht_measure *m)
{
	double gained = m->classes_rise, lost = gained - m->in_use_rise;

	m->mirrored = gained > 0 && lost >= ht_t.mirrored_least * gained &&
		      lost <= ht_t.mirrored_most * gained;
	m->only_mix = m->mirrored &&
		      ht_spread(m->in_use.x, m->in_use.n) <=
			      ht_t.mirrored_level * gained &&
		      m->in_use_rise <= ht_t.mirrored_rise * gained;
}

void ht_measure_classes(struct ht_measure *m)
{
	double level = ht_median(m->in_use.x, m->in_use.n);
	const struct ht_series *s = m->w.s;

	for (size_t i = 0; i < s->classes_n; i++) {
		struct ht_growth g;

		if (!class_rises(&m->w, &s->classes[i], level, m->period, &g))
			continue;
		m->classes_rising++;
		m->classes_rise += g.rise;
		if (m->worst_class.series &&
		    m->worst_class.growth.rise >= g.rise)
			continue;
		m->worst_class.series = &s->classes[i];
		m->worst_class.growth = g;
	}
	hold_against_others(m);
	m->classes_leak = m->classes_rising > 0 && !m->only_mix &&
			  m->classes_rise >= fmax(ht_t.rise_bytes,
						  ht_t.classes_share * level);
	if (m->worst_class.series)
		ht_measure_counts(&m->w, &m->worst_class);
	else if (m->in_use_growth.kind == HT_GROWTH_SUSTAINED ||
		 m->written_growth.kind == HT_GROWTH_SUSTAINED)
		find_likely(m);
}
