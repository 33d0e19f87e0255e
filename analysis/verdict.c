/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/verdict.h"

#include <math.h>
#include <string.h>

#include "analysis/holds.h"
#include "analysis/thresholds.h"
#include "analysis/verdict_int.h"
#include "common/clock.h"

const char *const ht_reason_names[HT_REASON_COUNT] = {[HT_REASON_NONE] = "",
#define HT_REASON(id, word) word,
						      HT_REASONS(HT_REASON)
#undef HT_REASON
};

const char *const ht_label_names[HT_LABEL_COUNT] = {
#define HT_LABEL(name) #name,
	HT_VERDICT_NAMES(HT_LABEL)
#undef HT_LABEL
};

/* --- one window ---------------------------------------------------------- */

/* A history, or the part of it that is asked about. */
struct asked {
	const struct ht_series *s;
	int64_t from_ns, to_ns;
	const struct ht_snapshot *latest;
	const struct ht_lasting *lasting;   /* NULL: too short for that */
	const struct ht_start_up *start_up; /* NULL: it is none */
};

static void begin(struct ht_verdict *v)
{
	memset(v, 0, sizeof(*v));
	v->label = HT_LABEL_INSUFFICIENT_DATA;
	v->remedy_bytes = HT_UNKNOWN;
	v->slope_bytes_per_hour = NAN;
	v->limit_bytes = HT_UNKNOWN;
	v->limit_count = HT_UNKNOWN;
	v->culprit_class = HT_UNKNOWN;
	v->idle_floor = HT_UNKNOWN;
	v->period_s = NAN;
}

static void insufficient(const struct ht_window *w, struct ht_verdict *v)
{
	snprintf(v->reason, sizeof(v->reason), "%s", w->lacks);
	if ((double)w->n < ht_t.min_rows)
		ht_say(v, "%s: %zu of %.0f samples that a verdict needs",
		       w->lacks, w->n, ht_t.min_rows);
	else
		ht_say(v,
		       "%s: what happened meanwhile nobody saw; record on without a break",
		       w->lacks);
	ht_say_rise(v);
}

const struct ht_growth *ht_growth_of(const struct ht_measure *m,
				     const struct ht_verdict *v)
{
	const struct ht_verdict_rule *r = ht_rule_of(v);

	return r ? (const struct ht_growth *)((const char *)m + r->growth)
		 : &m->in_use_growth;
}

bool ht_mostly_unwritten(const struct ht_measure *m, const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK && m->reserves && !m->lasting &&
	       m->written_growth.late_rise <
		       ht_t.written_share * ht_growth_of(m, v)->late_rise;
}

bool ht_is_growth(const struct ht_verdict *v)
{
	const struct ht_verdict_rule *r = ht_rule_of(v);

	return r && r->grows;
}

/* When what the verdict says began, in seconds; NaN: unknown. */
static double began(const struct ht_measure *m, const struct ht_verdict *v)
{
	const struct ht_verdict_rule *r = ht_rule_of(v);

	switch (r ? r->since : HT_SINCE_UNKNOWN) {
	case HT_SINCE_GROWTH:
		return ht_growth_of(m, v)->since;
	case HT_SINCE_HALF_WAY:
		return m->half_way;
	default:
		return NAN;
	}
}

/* Where another allocator serves the program malloc's heap is not measured, and
 * what lies outside it is all there is. */
static bool outside_tells(const struct ht_measure *m)
{
	return m->outside.n >= (size_t)ht_t.min_rows &&
	       m->outside_growth.kind == HT_GROWTH_SUSTAINED;
}

static void judge(const struct asked *a, const struct ht_window *w,
		  struct ht_verdict *v)
{
	struct ht_measure m;
	double since;

	begin(v);
	v->samples = w->rows;
	v->from_ns = w->from_ns;
	v->to_ns = w->to_ns;
	ht_rise(w->s, w->from_ns, w->to_ns, &v->rise);
	if (w->lacks) {
		insufficient(w, v);
		return;
	}
	ht_measure(w, a->lasting, &m);
	m.start_up = a->start_up;
	ht_ceiling(w, a->latest, &m.ceiling);
	m.quiet.blocked =
		fmax(m.quiet.blocked, ht_pinned_in_threads(a->latest));
	if (m.in_use.n < (size_t)ht_t.min_rows && !outside_tells(&m)) {
		snprintf(v->reason, sizeof(v->reason), "heap not measured");
		ht_say(v, "in use is known in %zu of %zu samples only",
		       m.in_use.n, w->n);
		ht_say_rise(v);
		return;
	}
	ht_apply_rules(&m, v);
	v->period_s = m.period;
	if (!isnan(m.idle_floor))
		v->idle_floor = (uint64_t)m.idle_floor;
	since = began(&m, v);
	if (!isnan(since))
		v->since_ns = v->from_ns + (int64_t)(since * HT_NS_PER_S);
	ht_evidence(&m, a->latest, v);
	ht_eta(&m, a->latest, v);
}

/* --- the choice of the window -------------------------------------------- */

#define HOUR_NS (INT64_C(3600) * HT_NS_PER_S)
#define WINDOWS 5
static const int64_t lengths[WINDOWS] = {HOUR_NS, 6 * HOUR_NS, 24 * HOUR_NS,
					 HT_LASTING_MOST_NS, INT64_MAX};

static void judge_window(const struct asked *a, int64_t from_ns,
			 struct ht_verdict *ret)
{
	struct ht_window w;

	ht_window_open(a->s, from_ns, a->to_ns, &w);
	judge(a, &w, ret);
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
	enum ht_need m = recent->label == HT_LABEL_LEAK ? HT_NEED_in_use
			 : recent->label == HT_LABEL_POOL_GROWTH
				 ? HT_NEED_heap_resident
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

	if (ht_is_growth(&v[last]) || v[last].label == HT_LABEL_PERIODIC)
		best = last;
	for (size_t i = last; best == 0 && i-- > 0;)
		if (ht_is_growth(&v[i]) && record_in(s, &v[i], &v[last]))
			return i;
	for (size_t i = last; best == 0 && i > 0; i--)
		if (v[i].label == v[0].label)
			best = i;
	if (best == 0 && ht_is_growth(&v[0]) && n > 1)
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

/* From here on growth is told by what lasted. */
#define SURE_S ((double)HT_LASTING_FROM_NS / (double)HT_NS_PER_S)

/* What growth like this may turn out to be. */
static const char *same_look(const struct ht_verdict *v)
{
	if (v->label == HT_LABEL_POOL_GROWTH)
		return "a heap that has not met its largest peak";
	return v->label == HT_LABEL_LEAK ? "a cache that fills"
					 : "what fills once and stays";
}

/* The slowest growth, bytes an hour, that so many seconds show. */
static double least_told(const struct ht_series *s, double seen)
{
	const double *in_use = ht_need_rows(s, HT_NEED_in_use, HT_STAT_MEDIAN);
	double level = 0;

	for (size_t i = s->rows; level == 0 && i-- > 0;)
		level = fmax(0, in_use[i]); /* fmax: NaN loses */
	return fmax(ht_t.rise_bytes, ht_t.rise_share * level) * 3600 / seen;
}

/* Calm that was watched for seconds: what comes in steps rests between them,
 * and slow growth hides in what is too small to tell. */
static void not_yet_calm(const struct ht_series *s, double seen,
			 struct ht_verdict *v)
{
	bool rose = v->why == HT_REASON_WARM || v->why == HT_REASON_SHIFT;

	if ((v->label != HT_LABEL_STABLE && v->label != HT_LABEL_PERIODIC &&
	     !rose) ||
	    seen >= ht_t.young_seconds || !(seen > 0))
		return;
	v->confidence = fmin(v->confidence, ht_t.confidence_seconds);
	if (rose)
		ht_say(v,
		       "so far: %s; what grows in steps rests like this between them; ask again in %s",
		       ht_span(seen).text, ht_span(ht_t.young_seconds).text);
	else
		ht_say(v,
		       "so far: %s; growth of less than %s an hour may not show yet; ask again in %s",
		       ht_span(seen).text, ht_bytes(least_told(s, seen)).text,
		       ht_span(ht_t.young_seconds).text);
}

/* Growth that was watched for seconds or minutes may be a cache that fills or a
 * morning: nobody can be sure, and when to ask again is said. */
static void not_yet_sure(const struct asked *a, struct ht_verdict *v)
{
	double seen = (double)(a->to_ns - a->from_ns) / (double)HT_NS_PER_S;
	bool minutes = seen >= ht_t.young_seconds;

	if (!ht_is_growth(v)) {
		not_yet_calm(a->s, seen, v);
		return;
	}
	v->confidence = fmin(v->confidence, minutes ? ht_t.confidence_minutes
						    : ht_t.confidence_seconds);
	ht_say(v, "so far: %s; %s looks the same; ask again in %s",
	       ht_span(seen).text, same_look(v),
	       ht_span(minutes ? SURE_S : ht_t.young_seconds).text);
}

/* What the lives before did in their first hours is no growth that goes on. */
static void judge_start_up(const struct asked *a, struct ht_verdict *v)
{
	struct asked again = *a;
	const struct ht_class_series *class = NULL;
	struct ht_start_up u;

	if (v->label != HT_LABEL_LEAK && v->label != HT_LABEL_NON_MALLOC_GROWTH)
		return;
	for (size_t i = 0; v->why == HT_REASON_CLASS && i < a->s->classes_n;
	     i++)
		if (a->s->classes[i].max_size == v->culprit_class)
			class = &a->s->classes[i];
	ht_start_up_find(a->s, a->to_ns, class,
			 v->label == HT_LABEL_LEAK ? HT_NEED_in_use
						   : HT_NEED_non_malloc_anon,
			 &u);
	if (u.repeat == 0)
		return;
	again.start_up = &u; /* cppcheck-suppress autoVariables */
	judge_window(&again, v->from_ns, v);
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
		ret->confidence = fmin(ht_t.confidence_cap,
				       ret->confidence + ht_t.confidence_agree);
	judge_start_up(a, ret);
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
	ht_name_pid(ret, s->pid);
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
	ht_name_pid(ret, s->pid);
}
