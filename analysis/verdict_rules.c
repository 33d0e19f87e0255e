/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "analysis/advice_int.h"
#include "analysis/evidence_int.h"
#include "analysis/stats.h"
#include "analysis/thresholds.h"

/* --- when a rule fits ---------------------------------------------------- */

/* Growth over hours and days of this kind; false where shape alone decides. */
static bool lasts(const struct ht_measure *m, enum ht_lasting_what what)
{
	return m->lasting->kind == HT_GROWTH_SUSTAINED &&
	       m->lasting->what == what;
}

static bool outside_grows(const struct ht_measure *m)
{
	double in_use = fmax(m->in_use_rise, m->classes_rise);
	double all =
		m->anon_now + (m->shmem.n ? m->shmem.x[m->shmem.n - 1] : 0);

	if (m->lasting)
		return lasts(m, HT_LASTING_OUTSIDE);
	return m->outside_growth.kind == HT_GROWTH_SUSTAINED &&
	       m->outside_rise >= ht_t.outside_of_inuse * in_use &&
	       m->outside_rise >= ht_t.outside_share * all;
}

/* No load explains what the shape sees, and no day was seen; but no load makes
 * so many times what there was, either. */
static bool outgrows_loads(const struct ht_measure *m)
{
	return m->lasting->kind == HT_GROWTH_NONE &&
	       m->in_use_growth.kind == HT_GROWTH_SUSTAINED &&
	       m->w.t[m->w.n - 1] < HT_DAY_S &&
	       m->in_use_growth.last >=
		       ht_t.outgrows * fmax(m->in_use_growth.first, 1);
}

static bool retains(const struct ht_measure *m)
{
	const struct ht_quiet *q = &m->quiet;

	return q->n > 0 && q->retained >= fmax(ht_t.retained_bytes,
					       ht_t.retained_share * q->anon);
}

/* It ends with the mappings that it fills, and those fit. */
static bool outside_ends(const struct ht_measure *m)
{
	return outside_grows(m) && m->bound.ends &&
	       !(m->bound.room > m->limit - m->anon_now);
}

static bool outside_goes_on(const struct ht_measure *m)
{
	return outside_grows(m) && !outside_ends(m);
}

/* The heap goes on growing, and what the program holds does not: no peak of it
 * needs half of what there is. */
static bool heap_has_no_end(const struct ht_measure *m)
{
	return m->heap_growth.kind == HT_GROWTH_SUSTAINED && m->heap_alone &&
	       retains(m) &&
	       m->quiet.peak <= ht_t.unbounded_peak * m->quiet.heap;
}

static bool total_leaks(const struct ht_measure *m)
{
	if (m->lasting)
		return lasts(m, HT_LASTING_TOTAL) || outgrows_loads(m);
	return !m->guarded && m->in_use_growth.kind == HT_GROWTH_SUSTAINED;
}

static bool class_leaks(const struct ht_measure *m)
{
	if (m->lasting)
		return lasts(m, HT_LASTING_CLASS);
	return !m->guarded && m->classes_leak;
}

/* In use rose by its part of what was written more. */
static bool asked_for(const struct ht_measure *m, double from, double to)
{
	struct ht_points asked, written;
	double rise;

	ht_points_part(&m->in_use, from, to, &asked);
	ht_points_part(&m->written, from, to, &written);
	rise = ht_points_rise(&written);
	return rise >= ht_t.asked_share * m->written_growth.rise &&
	       ht_points_rise(&asked) >= ht_t.asked_of_written * rise;
}

/* A vector that doubles asks in ever rarer steps, which look like a level, and
 * writes what it got meanwhile. It asks at t, t/2, t/4: in both parts of the
 * window; a table that is asked for once and fills does so in one of them. */
static bool written_leaks(const struct ht_measure *m)
{
	return !m->guarded && m->written_growth.kind == HT_GROWTH_SUSTAINED &&
	       asked_for(m, 0, ht_t.asked_before) &&
	       asked_for(m, ht_t.asked_before, 1);
}

/* Rows that saw it grow. */
static double rows_since(const struct ht_measure *m, const struct ht_growth *g)
{
	size_t b = 0;

	while (b < m->w.n && m->w.t[b] < g->since)
		b++;
	return (double)(m->w.begin[m->w.n] - m->w.begin[b]);
}

static bool too_young(const struct ht_measure *m, const struct ht_growth *g,
		      double level)
{
	return g->rise >= ht_t.young_share * level &&
	       rows_since(m, g) < ht_t.young_rows;
}

/* Most of what the process holds came just now: it may be loading, and what it
 * will do next was not seen yet. */
static bool loads(const struct ht_measure *m)
{
	if (m->lasting)
		return false;
	if (outside_grows(m))
		return too_young(m, &m->outside_growth, m->anon_now);
	if (total_leaks(m))
		return too_young(m, &m->in_use_growth, m->in_use_growth.last);
	if (class_leaks(m))
		return too_young(m, &m->worst_class.growth,
				 m->in_use_growth.last);
	return written_leaks(m) &&
	       too_young(m, &m->written_growth, m->in_use_growth.last);
}

static bool starts_up(const struct ht_measure *m)
{
	return m->start_up != NULL;
}

static bool slows(const struct ht_measure *m)
{
	if (m->lasting)
		return m->lasting->kind == HT_GROWTH_SLOWING &&
		       m->lasting->what != HT_LASTING_OUTSIDE;
	return !m->guarded && m->in_use_growth.kind == HT_GROWTH_SLOWING;
}

static bool peaks_return(const struct ht_measure *m)
{
	return retains(m) && !isnan(m->period) &&
	       m->quiet.peak >= ht_t.peak_needs * m->quiet.heap;
}

static bool in_thread_caches(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.tcache >= ht_t.cause_share * m->quiet.retained;
}

static bool in_fastbins(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.fastbin >= ht_t.cause_share * m->quiet.retained &&
	       !(m->quiet.arenas_holding >= ht_t.arenas_holding);
}

static bool over_arenas(const struct ht_measure *m)
{
	return retains(m) && m->quiet.arenas_holding >= ht_t.arenas_holding &&
	       m->quiet.shareable >= ht_t.arenas_share * m->quiet.resident_free;
}

static bool stuck(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.stuck >= ht_t.cause_share * m->quiet.retained;
}

static bool below_pin(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.blocked >= ht_t.pinned_share * m->quiet.retained;
}

/* malloc_trim(0) leaves them, free() does as long as the threshold is high. */
static bool tops_kept(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.tops_kept >= ht_t.cause_share * m->quiet.retained;
}

/* Far beyond what the default threshold leaves each arena: fewer arenas would
 * keep as much, a lower threshold nothing. */
static bool tops_are_large(const struct ht_measure *m)
{
	double usual = m->quiet.arenas * 2 * HT_DEFAULT_THRESHOLD;

	return retains(m) && m->quiet.tops_kept - usual >=
				     ht_t.cause_share * m->quiet.retained;
}

static bool top_kept(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.top_resident >= ht_t.cause_share * m->quiet.retained;
}

static bool repeats(const struct ht_measure *m)
{
	return !isnan(m->period);
}

/* Both the level and its floors rose: a load that swings does not count. */
static bool went_up(const struct ht_measure *m)
{
	double enough = fmax(ht_t.warm_bytes,
			     ht_t.warm_share * ht_points_last(&m->in_use));

	return m->in_use_growth.kind < HT_GROWTH_SLOWING &&
	       m->in_use_rise >= enough && m->in_use_growth.rise >= enough / 2;
}

/* Level is only what was asked for, not what is written of it. */
static bool fills(const struct ht_measure *m)
{
	return went_up(m) && m->written_growth.kind == HT_GROWTH_SUSTAINED;
}

static bool warmed_up(const struct ht_measure *m)
{
	double span = m->w.t[m->w.n - 1];

	return went_up(m) &&
	       m->warm_seconds >=
		       fmax(ht_t.warm_time, ht_t.warm_rows / (double)m->w.n) *
			       span;
}

/* Nothing grows, and what malloc keeps of what was freed is not known. */
static bool blind(const struct ht_measure *m)
{
	return m->retained.n == 0;
}

static bool leaks_under_guard(const struct ht_measure *m)
{
	return m->guarded && (m->in_use_growth.kind == HT_GROWTH_SUSTAINED ||
			      m->classes_leak);
}

/* It rises, but with the load, or for no longer than a load may. */
static bool load_rises(const struct ht_measure *m)
{
	return m->lasting && m->in_use_growth.kind == HT_GROWTH_SUSTAINED;
}

static bool always(const struct ht_measure *m)
{
	(void)m;
	return true;
}

/* --- the rules ----------------------------------------------------------- */

#define OF(member) offsetof(struct ht_measure, member)

/* The first that fits is the verdict, the later ones are also seen. */
static const struct ht_verdict_rule rules[] = {
	{HT_LABEL_INSUFFICIENT_DATA, HT_REASON_YOUNG, loads, ht_tell_young,
	 NULL, ht_remedy_young, OF(in_use_growth), false, HT_SINCE_UNKNOWN},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_START_UP, starts_up, ht_tell_start_up,
	 ht_sure_of_start_up, ht_remedy_start_up, OF(in_use_growth), false,
	 HT_SINCE_GROWTH},
	{HT_LABEL_NON_MALLOC_GROWTH, HT_REASON_NONE, outside_goes_on,
	 ht_tell_outside, ht_sure_of_outside, ht_remedy_outside,
	 OF(outside_growth), true, HT_SINCE_GROWTH},
	{HT_LABEL_LEAK, HT_REASON_TOTAL, total_leaks, ht_tell_total,
	 ht_sure_of_total, ht_remedy_leak, OF(in_use_growth), true,
	 HT_SINCE_GROWTH},
	{HT_LABEL_LEAK, HT_REASON_CLASS, class_leaks, ht_tell_class,
	 ht_sure_of_class, ht_remedy_leak, OF(worst_class.growth), true,
	 HT_SINCE_GROWTH},
	{HT_LABEL_LEAK, HT_REASON_WRITTEN, written_leaks, ht_tell_written,
	 ht_sure_of_written, ht_remedy_leak, OF(written_growth), true,
	 HT_SINCE_GROWTH},
	{HT_LABEL_NON_MALLOC_GROWTH, HT_REASON_BOUNDED, outside_ends,
	 ht_tell_bounded, ht_sure_of_outside, ht_remedy_bounded,
	 OF(outside_growth), true, HT_SINCE_GROWTH},
	{HT_LABEL_POOL_GROWTH, HT_REASON_UNBOUNDED, heap_has_no_end,
	 ht_tell_unbounded, ht_sure_of_kept, ht_remedy_unbounded,
	 OF(heap_growth), true, HT_SINCE_GROWTH},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_SLOWING, slows, ht_tell_slowing,
	 ht_sure_of_slowing, ht_remedy_slowing, OF(in_use_growth), false,
	 HT_SINCE_GROWTH},
	{HT_LABEL_PERIODIC, HT_REASON_NONE, peaks_return, ht_tell_periodic,
	 ht_sure_of_season, ht_remedy_periodic, OF(in_use_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_POOL_GROWTH, HT_REASON_THREAD_CACHE, in_thread_caches,
	 ht_tell_tcache, ht_sure_of_kept, ht_remedy_tcache, OF(heap_growth),
	 false, HT_SINCE_UNKNOWN},
	{HT_LABEL_POOL_GROWTH, HT_REASON_FASTBINS, in_fastbins,
	 ht_tell_fastbins, ht_sure_of_kept, ht_remedy_fastbins, OF(heap_growth),
	 false, HT_SINCE_UNKNOWN},
	{HT_LABEL_POOL_GROWTH, HT_REASON_TOPS, tops_are_large, ht_tell_tops,
	 ht_sure_of_kept, ht_remedy_tops, OF(heap_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_ARENA_PROLIFERATION, HT_REASON_NONE, over_arenas,
	 ht_tell_arenas, ht_sure_of_arenas, ht_remedy_arenas, OF(in_use_growth),
	 false, HT_SINCE_UNKNOWN},
	{HT_LABEL_POOL_GROWTH, HT_REASON_TOPS, tops_kept, ht_tell_tops,
	 ht_sure_of_kept, ht_remedy_tops, OF(heap_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_FRAGMENTATION, HT_REASON_NONE, stuck, ht_tell_stuck,
	 ht_sure_of_stuck, ht_remedy_stuck, OF(in_use_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_TOP_PINNED, HT_REASON_NONE, below_pin, ht_tell_pinned,
	 ht_sure_of_pinned, ht_remedy_pinned, OF(in_use_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_POOL_GROWTH, HT_REASON_TRIM, top_kept, ht_tell_top,
	 ht_sure_of_kept, ht_remedy_top, OF(heap_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_POOL_GROWTH, HT_REASON_HOLES, retains, ht_tell_holes,
	 ht_sure_of_kept, ht_remedy_holes, OF(heap_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_LEAK, HT_REASON_CLASS, leaks_under_guard, ht_tell_class,
	 ht_sure_of_class, ht_remedy_leak, OF(worst_class.growth), true,
	 HT_SINCE_GROWTH},
	{HT_LABEL_PERIODIC, HT_REASON_NONE, repeats, ht_tell_periodic,
	 ht_sure_of_season, ht_remedy_periodic, OF(in_use_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_FILLING, fills, ht_tell_filling,
	 ht_sure_of_filling, ht_remedy_filling, OF(written_growth), false,
	 HT_SINCE_GROWTH},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_WARM, warmed_up, ht_tell_warm,
	 ht_sure_of_warm, ht_remedy_warm, OF(in_use_growth), false,
	 HT_SINCE_HALF_WAY},
	{HT_LABEL_INSUFFICIENT_DATA, HT_REASON_BLIND, blind, ht_tell_blind,
	 NULL, ht_remedy_blind, OF(in_use_growth), false, HT_SINCE_UNKNOWN},
	{HT_LABEL_STABLE, HT_REASON_LOAD, load_rises, ht_tell_load,
	 ht_sure_of_calm, ht_remedy_load, OF(in_use_growth), false,
	 HT_SINCE_UNKNOWN},
	{HT_LABEL_STABLE, HT_REASON_SHIFT, went_up, ht_tell_shift,
	 ht_sure_of_calm, ht_remedy_stable, OF(in_use_growth), false,
	 HT_SINCE_HALF_WAY},
	{HT_LABEL_STABLE, HT_REASON_NONE, always, ht_tell_level,
	 ht_sure_of_calm, ht_remedy_stable, OF(in_use_growth), false,
	 HT_SINCE_UNKNOWN},
};
#define RULES (sizeof(rules) / sizeof(*rules))

/* Two rules may give one verdict: they say the same of it. */
const struct ht_verdict_rule *ht_rule_of(const struct ht_verdict *v)
{
	for (size_t i = 0; i < RULES; i++)
		if (rules[i].label == v->label && rules[i].why == v->why)
			return &rules[i];
	return NULL;
}

static double sure(const struct ht_verdict_rule *r, const struct ht_measure *m)
{
	return r->confidence ? fmax(ht_t.confidence_least,
				    fmin(ht_t.confidence_cap, r->confidence(m)))
			     : 0;
}

static bool seen(const struct ht_verdict *v, enum ht_label label)
{
	for (size_t i = 0; i < v->also_n; i++)
		if (v->also[i] == label)
			return true;
	return v->label == label;
}

void ht_apply_rules(const struct ht_measure *m, struct ht_verdict *v)
{
	bool found = false;

	for (size_t i = 0; i < RULES; i++) {
		const struct ht_verdict_rule *r = &rules[i];

		if (found && (r->label == HT_LABEL_STABLE || r->fits == blind))
			break; /* stable is the absence of the others */
		if (found && v->label == HT_LABEL_INSUFFICIENT_DATA)
			break; /* nothing is said yet */
		if (!r->fits(m))
			continue;
		if (!found) {
			found = true;
			v->label = r->label;
			v->why = r->why;
			snprintf(v->reason, sizeof(v->reason), "%s",
				 ht_reason_names[r->why]);
			v->confidence = sure(r, m);
		} else if (!seen(v, r->label)) {
			v->also[v->also_n++] = r->label;
		}
	}
}
