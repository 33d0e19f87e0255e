/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/verdict.h"

#include <math.h>
#include <string.h>

#include "analysis/judge.h"
#include "analysis/thresholds.h"
#include "common/clock.h"

const char *const ht_label_names[HT_LABEL_COUNT] = {
#define HT_LABEL(name) #name,
	HT_VERDICT_NAMES(HT_LABEL)
#undef HT_LABEL
};

/* --- rules
 * --------------------------------------------------------------------- Each
 * says whether its label fits; `sure` is 0..1 where the rule knows it better
 * than the general formula, else NaN. */

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
	       m->w.t[m->w.n - 1] < 86400 &&
	       m->in_use_growth.last >=
		       ht_t.outgrows * fmax(m->in_use_growth.first, 1);
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

static bool slows(const struct ht_measure *m)
{
	if (m->lasting)
		return m->lasting->kind == HT_GROWTH_SLOWING &&
		       m->lasting->what != HT_LASTING_OUTSIDE;
	return !m->guarded && m->in_use_growth.kind == HT_GROWTH_SLOWING;
}

static bool retains(const struct ht_measure *m)
{
	const struct ht_quiet *q = &m->quiet;

	return q->n > 0 && q->retained >= fmax(ht_t.retained_bytes,
					       ht_t.retained_share * q->anon);
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
	       m->quiet.non_main >= ht_t.arenas_share * m->quiet.resident_free;
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

static bool top_kept(const struct ht_measure *m)
{
	return retains(m) &&
	       m->quiet.top >= ht_t.cause_share * m->quiet.retained;
}

static bool repeats(const struct ht_measure *m)
{
	return !isnan(m->period);
}

/* Both the level and its floors rose: a load that swings does not count. */
static bool went_up(const struct ht_measure *m)
{
	double enough = fmax(ht_t.warm_bytes,
			     ht_t.warm_share * m->in_use.x[m->in_use.n - 1]);

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

/* The first that fits is the verdict, the later ones are also seen. */
static const struct rule {
	enum ht_label label;
	const char *reason;
	bool (*fits)(const struct ht_measure *m);
} rules[] = {
	{HT_LABEL_INSUFFICIENT_DATA, HT_REASON_YOUNG, loads},
	{HT_LABEL_NON_MALLOC_GROWTH, "", outside_grows},
	{HT_LABEL_LEAK, HT_REASON_TOTAL, total_leaks},
	{HT_LABEL_LEAK, HT_REASON_CLASS, class_leaks},
	{HT_LABEL_LEAK, HT_REASON_WRITTEN, written_leaks},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_SLOWING, slows},
	{HT_LABEL_PERIODIC, "", peaks_return},
	{HT_LABEL_POOL_GROWTH, HT_REASON_THREAD_CACHE, in_thread_caches},
	{HT_LABEL_POOL_GROWTH, HT_REASON_FASTBINS, in_fastbins},
	{HT_LABEL_ARENA_PROLIFERATION, "", over_arenas},
	{HT_LABEL_POOL_GROWTH, HT_REASON_TOPS, tops_kept},
	{HT_LABEL_FRAGMENTATION, "", stuck},
	{HT_LABEL_TOP_PINNED, "", below_pin},
	{HT_LABEL_POOL_GROWTH, HT_REASON_TRIM, top_kept},
	{HT_LABEL_POOL_GROWTH, HT_REASON_HOLES, retains},
	{HT_LABEL_LEAK, HT_REASON_CLASS, leaks_under_guard},
	{HT_LABEL_PERIODIC, "", repeats},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_FILLING, fills},
	{HT_LABEL_CACHE_WARMUP, HT_REASON_WARM, warmed_up},
	{HT_LABEL_INSUFFICIENT_DATA, HT_REASON_BLIND, blind},
	{HT_LABEL_STABLE, HT_REASON_LOAD, load_rises},
	{HT_LABEL_STABLE, HT_REASON_SHIFT, went_up},
	{HT_LABEL_STABLE, "", always},
};

static bool seen(const struct ht_verdict *v, enum ht_label label)
{
	for (size_t i = 0; i < v->also_n; i++)
		if (v->also[i] == label)
			return true;
	return v->label == label;
}

static void apply_rules(const struct ht_measure *m, struct ht_verdict *v)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct rule *r = &rules[i];

		if (found && (r->label == HT_LABEL_STABLE || r->fits == blind))
			break; /* stable is the absence of the others */
		if (found && v->label == HT_LABEL_INSUFFICIENT_DATA)
			break; /* nothing is said yet */
		if (!r->fits(m))
			continue;
		if (!found) {
			found = true;
			v->label = r->label;
			snprintf(v->reason, sizeof(v->reason), "%s", r->reason);
		} else if (!seen(v, r->label)) {
			v->also[v->also_n++] = r->label;
		}
	}
}

/* --- one window
 * ----------------------------------------------------------------- */

static void begin(struct ht_verdict *v)
{
	memset(v, 0, sizeof(*v));
	v->label = HT_LABEL_INSUFFICIENT_DATA;
	v->remedy_bytes = HT_UNKNOWN;
	v->slope_bytes_per_hour = NAN;
	v->limit_bytes = HT_UNKNOWN;
	v->culprit_class = HT_UNKNOWN;
	v->idle_floor = HT_UNKNOWN;
	v->period_s = NAN;
}

static void insufficient(const struct ht_window *w, struct ht_verdict *v)
{
	snprintf(v->reason, sizeof(v->reason), "%s", w->lacks);
	ht_say(v, "%s: %zu of %.0f samples that a verdict needs", w->lacks,
	       w->n, ht_t.min_rows);
}

const struct ht_growth *ht_growth_of(const struct ht_measure *m,
				     const struct ht_verdict *v)
{
	if (strcmp(v->reason, HT_REASON_WRITTEN) == 0 ||
	    strcmp(v->reason, HT_REASON_FILLING) == 0)
		return &m->written_growth;
	switch (v->label) {
	case HT_LABEL_NON_MALLOC_GROWTH:
		return &m->outside_growth;
	case HT_LABEL_LEAK:
		return strcmp(v->reason, HT_REASON_CLASS) == 0
			       ? &m->worst_class.growth
			       : &m->in_use_growth;
	default:
		return &m->in_use_growth;
	}
}

static bool is_growth(enum ht_label label)
{
	return label == HT_LABEL_LEAK || label == HT_LABEL_NON_MALLOC_GROWTH;
}

/* When what the verdict says began, in seconds; NaN: unknown. */
static double began(const struct ht_measure *m, const struct ht_verdict *v)
{
	if (strcmp(v->reason, HT_REASON_SHIFT) == 0 ||
	    strcmp(v->reason, HT_REASON_WARM) == 0)
		return m->half_way;
	return is_growth(v->label) || v->label == HT_LABEL_CACHE_WARMUP
		       ? ht_growth_of(m, v)->since
		       : NAN;
}

static void judge(const struct ht_window *w, const struct ht_snapshot *latest,
		  const struct ht_lasting *lasting, struct ht_verdict *v)
{
	struct ht_measure m;
	double since;

	begin(v);
	v->samples = w->rows;
	v->from_ns = w->from_ns;
	v->to_ns = w->to_ns;
	if (w->lacks) {
		insufficient(w, v);
		return;
	}
	ht_measure(w, lasting, &m);
	if (m.in_use.n < (size_t)ht_t.min_rows) {
		snprintf(v->reason, sizeof(v->reason), "heap not measured");
		ht_say(v, "in use is known in %zu of %zu samples only",
		       m.in_use.n, w->n);
		return;
	}
	apply_rules(&m, v);
	v->confidence = ht_confidence(&m, v);
	v->period_s = m.period;
	if (!isnan(m.idle_floor))
		v->idle_floor = (uint64_t)m.idle_floor;
	since = began(&m, v);
	if (!isnan(since))
		v->since_ns = v->from_ns + (int64_t)(since * HT_NS_PER_S);
	ht_evidence(&m, latest, v);
	ht_eta(&m, v);
}

/* --- the choice of the window
 * ----------------------------------------------------- */

#define HOUR_NS (INT64_C(3600) * HT_NS_PER_S)
#define WINDOWS 5
static const int64_t lengths[WINDOWS] = {HOUR_NS, 6 * HOUR_NS, 24 * HOUR_NS,
					 HT_LASTING_MOST_NS, INT64_MAX};

/* A history, or the part of it that is asked about. */
struct asked {
	const struct ht_series *s;
	int64_t from_ns, to_ns;
	const struct ht_snapshot *latest;
	const struct ht_lasting *lasting; /* NULL: too short for that */
};

static void judge_window(const struct asked *a, int64_t from_ns,
			 struct ht_verdict *ret)
{
	struct ht_window w;

	ht_window_open(a->s, from_ns, a->to_ns, &w);
	judge(&w, a->latest, a->lasting, ret);
}

/* Windows with enough data, the shortest first; each longer one holds more. */
static size_t judge_all(const struct asked *a, struct ht_verdict v[WINDOWS])
{
	size_t n = 0;

	for (size_t i = 0; i < WINDOWS; i++) {
		bool whole = i + 1 == WINDOWS;
		int64_t from = whole ? a->from_ns : a->to_ns - lengths[i];

		if (!whole && from <= a->from_ns)
			continue; /* the whole history is shorter */
		judge_window(a, from, &v[n]);
		if (v[n].label != HT_LABEL_INSUFFICIENT_DATA ||
		    (whole && n == 0))
			n++;
	}
	return n;
}

/* Growth in a short window counts when it reaches what the long one never saw:
 * a morning's rise is growth to an hour and nothing to a week. */
static bool record_in(const struct ht_series *s,
		      const struct ht_verdict *recent,
		      const struct ht_verdict *whole)
{
	enum ht_need m = recent->label == HT_LABEL_LEAK
				 ? HT_NEED_in_use
				 : HT_NEED_non_malloc_anon;
	const double *high = ht_need_rows(s, m, HT_STAT_MAX);
	const double *low = ht_need_rows(s, m, HT_STAT_P10);
	double now = NAN, before = NAN;

	for (size_t i = 0; i < s->rows; i++) {
		int64_t t = s->time_ns[i];

		if (t < whole->from_ns || t > whole->to_ns)
			continue;
		if (t < recent->from_ns)
			before = fmax(before, high[i]);
		else if (!isnan(low[i]))
			now = low[i];
	}
	return isnan(before) || now >= before;
}

static size_t choose(const struct ht_series *s, const struct ht_verdict *v,
		     size_t n)
{
	size_t last = n - 1, best = 0;

	if (is_growth(v[last].label) || v[last].label == HT_LABEL_PERIODIC)
		best = last;
	for (size_t i = last; best == 0 && i-- > 0;)
		if (is_growth(v[i].label) && record_in(s, &v[i], &v[last]))
			return i;
	for (size_t i = last; best == 0 && i > 0; i--)
		if (v[i].label == v[0].label)
			best = i;
	if (best == 0 && is_growth(v[0].label) && n > 1)
		return last; /* a rise inside what the longest window knows */
	return best;
}

/* Growth over hours and days was looked for in all windows at once: it decides,
 * and what it does not see is none. */
static void judge_long(struct asked *a, struct ht_verdict *ret)
{
	struct ht_verdict v[WINDOWS];
	struct ht_lasting lasting;
	size_t n;

	ht_lasting_find(a->s, a->from_ns, a->to_ns, &lasting);
	a->lasting = &lasting; /* cppcheck-suppress autoVariables */
	if (lasting.kind >= HT_GROWTH_SLOWING) {
		judge_window(a, lasting.from_ns, ret);
		return;
	}
	n = judge_all(a, v);
	*ret = v[choose(a->s, v, n)];
}

/* Growth that was watched for seconds or minutes may be a cache that fills or a
 * morning: nobody can be sure, and when to ask again is said. */
static void not_yet_sure(const struct asked *a, struct ht_verdict *v)
{
	double seen = (double)(a->to_ns - a->from_ns) / (double)HT_NS_PER_S;
	bool minutes = seen >= ht_t.young_seconds;

	if (!is_growth(v->label))
		return;
	v->confidence = fmin(v->confidence, minutes ? ht_t.confidence_minutes
						    : ht_t.confidence_seconds);
	ht_say(v,
	       "so far: %s; a cache that fills looks the same; ask again in %s",
	       ht_span(seen).text,
	       ht_span(minutes ? 7200 : ht_t.young_seconds).text);
}

static void judge_short(const struct asked *a, struct ht_verdict *ret)
{
	struct ht_verdict v[WINDOWS];
	size_t n = judge_all(a, v), best = choose(a->s, v, n);
	bool agree = false;

	for (size_t i = 0; i < n; i++)
		agree |= i != best && v[i].label == v[best].label;
	*ret = v[best];
	if (agree && ret->label != HT_LABEL_INSUFFICIENT_DATA)
		ret->confidence =
			fmin(ht_t.confidence_cap, ret->confidence + 0.1);
	not_yet_sure(a, ret);
}

/* Both the record of a week and that of a year are judged by their last seven
 * days, from a full hour on: the same rows, whoever read them. */
static int64_t first_asked(const struct ht_series *s, int64_t to_ns)
{
	int64_t week = to_ns - HT_LASTING_MOST_NS;
	int64_t oldest = s->rows ? s->time_ns[0] : to_ns;

	week += HOUR_NS - 1 - (week + HOUR_NS - 1) % HOUR_NS;
	return oldest > week ? oldest : week;
}

void ht_verdict(const struct ht_series *s, int64_t now_ns,
		const struct ht_snapshot *latest, struct ht_verdict *ret)
{
	/* as of the newest row: whoever asks later is told the same */
	int64_t last_ns = s->rows ? s->time_ns[s->rows - 1] : now_ns;
	int64_t to_ns = now_ns < last_ns ? now_ns : last_ns;
	struct asked a = {.s = s,
			  .from_ns = first_asked(s, to_ns),
			  .to_ns = to_ns,
			  .latest = latest};

	if (to_ns - a.from_ns >= HT_LASTING_FROM_NS)
		judge_long(&a, ret);
	else
		judge_short(&a, ret);
}

void ht_verdict_window(const struct ht_series *s, int64_t from_ns,
		       int64_t to_ns, const struct ht_snapshot *latest,
		       struct ht_verdict *ret)
{
	struct asked a = {
		.s = s, .from_ns = from_ns, .to_ns = to_ns, .latest = latest};
	struct ht_lasting lasting;

	if (s->rows && from_ns < s->time_ns[0])
		a.from_ns = s->time_ns[0];
	if (s->rows && to_ns > s->time_ns[s->rows - 1])
		a.to_ns = s->time_ns[s->rows - 1];
	if (a.to_ns - a.from_ns >= HT_LASTING_FROM_NS) {
		ht_lasting_find(s, a.from_ns, a.to_ns, &lasting);
		a.lasting = &lasting;
		if (lasting.kind >= HT_GROWTH_SLOWING)
			a.from_ns = lasting.from_ns;
	}
	judge_window(&a, a.from_ns, ret);
	if (!a.lasting)
		not_yet_sure(&a, ret);
}
