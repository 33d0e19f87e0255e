/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: one line that decides, one with figures a person can check by hand
 * (pmap, /proc/PID/smaps, heaptide trend), and the remedy with its figure.
 */
#include "analysis/evidence_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "analysis/holds.h"
#include "analysis/thresholds.h"
#include "common/clock.h"

double ht_first_level(const struct ht_points *p)
{
	return p->n ? ht_median(p->x, p->n / 8 ? p->n / 8 : 1) : NAN;
}

double ht_last_level(const struct ht_points *p)
{
	size_t k = p->n / 8 ? p->n / 8 : 1;

	return p->n ? ht_median(p->x + p->n - k, k) : NAN;
}

double ht_span_of(const struct told *t)
{
	return t->m->w.t[t->m->w.n - 1];
}

void ht_remedy(const struct told *t, double bytes, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->v->remedy, sizeof(t->v->remedy), fmt, args);
	va_end(args);
	t->v->remedy_bytes =
		isnan(bytes) || bytes < 0 ? HT_UNKNOWN : (uint64_t)bytes;
}

static void window_line(const struct told *t)
{
	ht_say(t->v, "judged on %zu samples over %s", t->v->samples,
	       ht_span(ht_span_of(t)).text);
	ht_said_again(t->v);
}

/* --- growth -------------------------------------------------------------- */

void ht_steady_line(const struct told *t, const char *what,
		    const struct ht_growth *g)
{
	char pace[48];

	if (isfinite(g->speed_late) && g->speed_late > 0)
		snprintf(pace, sizeof(pace),
			 "last 20 %% at %.0f %% of the speed before",
			 100 * fmin(g->speed_late, ht_t.shown_speed));
	else
		snprintf(pace, sizeof(pace), "in steps");
	ht_say(t->v, "%s %s -> %s in %s, %s/s now, %s%s", what, B(g->first),
	       B(g->last), ht_span(ht_span_of(t)).text,
	       ht_change(g->slope).text, pace,
	       g->record && isnan(t->m->period)
		       ? "; the end is above all before"
		       : "");
}

static void name_class(const struct told *t, const struct ht_class_growth *c)
{
	t->v->culprit_class = c->series->max_size;
	if (c->series->max_size == 0)
		snprintf(t->v->culprit, sizeof(t->v->culprit),
			 "mmapped chunks (each a mapping of its own)");
	else
		snprintf(t->v->culprit, sizeof(t->v->culprit),
			 "size class %" PRIu64, c->series->max_size);
}

/* Gained bytes, but not chunks in that proportion. */
static bool same_chunks(const struct ht_class_growth *c)
{
	double more = c->growth.last / fmax(1, c->growth.last - c->growth.rise);

	return c->chunks_first >= 1 &&
	       c->chunks_last - c->chunks_first <
		       ht_t.same_chunks * (more - 1) * fmax(1, c->chunks_first);
}

static void class_line(const struct told *t)
{
	const struct ht_class_growth *c = &t->m->worst_class;
	const struct ht_class_growth *likely = &t->m->likely_class;

	if (c->series) {
		name_class(t, c);
		ht_say(t->v,
		       "%s rose %s -> %s (%.0f -> %.0f chunks, %+.1f/s): %.0f %% of what the rising classes gained",
		       t->v->culprit, B(c->growth.first), B(c->growth.last),
		       c->chunks_first, c->chunks_last, c->chunks_per_s,
		       100 * c->growth.rise / t->m->classes_rise);
	} else if (likely->series) {
		c = likely;
		name_class(t, c);
		ht_say(t->v,
		       "no size class rose all the time; %s gained most: %s (%.0f -> %.0f chunks)",
		       t->v->culprit, B(c->growth.rise), c->chunks_first,
		       c->chunks_last);
	}
	if (c->series && same_chunks(c) && c->chunks_last < ht_t.one_chunk)
		ht_say(t->v,
		       "its chunk grows: one buffer that is appended to and never cleared?");
	else if (c->series && same_chunks(c))
		ht_say(t->v,
		       "its chunks grow, not their number: buffers that are appended to and never cleared, among these %.0f?",
		       c->chunks_last);
}

static void pool_line(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v, "freed and kept by malloc: %s -> %s%s",
	       B(ht_first_level(&m->retained)), B(ht_last_level(&m->retained)),
	       m->retained_rise < ht_t.pool_share * ht_growth_of(m, t->v)->rise
		       ? ", so it is not the pool that grows"
		       : "");
}

void ht_tell_young(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v,
	       "in use %s -> %s, anonymous memory %s -> %s, and still rising: a program that loads its data looks like this as well; %.0f samples of the rise tell",
	       B(ht_first_level(&m->in_use)), B(ht_last_level(&m->in_use)),
	       B(ht_first_level(&m->anon)), B(ht_last_level(&m->anon)),
	       ht_t.young_rows);
}

void ht_remedy_young(const struct told *t)
{
	ht_remedy(t, NAN, "wait and look again");
}

/* Why residency is unknown, if the last look says it. */
static const char *why_blind(const struct told *t)
{
	for (size_t i = 0; t->latest && i < t->latest->unknowns.n; i++)
		if (t->latest->unknowns.v[i].reason == HT_WHY_PAGEMAP)
			return t->latest->unknowns.v[i].text;
	return "its samples say why (heaptide explain PID, heaptide doctor PID)";
}

void ht_tell_blind(const struct told *t)
{
	window_line(t);
	ht_say(t->v,
	       "in use does not grow, but what malloc keeps of freed memory is unknown: neither a grown pool nor fragmentation could be seen");
	ht_say(t->v, "%s", why_blind(t));
}

void ht_remedy_blind(const struct told *t)
{
	ht_remedy(
		t, NAN,
		"let the agent read which pages are resident (docs/privileges.md)");
}

static void written_lines(const struct told *t)
{
	const struct ht_points *u = &t->m->in_use;

	ht_steady_line(t, "what is written of in use", &t->m->written_growth);
	ht_say(t->v,
	       "in use %s -> %s in ever rarer steps, each written full before the next: a vector or table that doubles",
	       B(ht_first_level(u)), B(ht_last_level(u)));
}

/* What one life cannot tell, several do. */
static void lives_line(const struct told *t)
{
	const struct ht_recurrence *r = &t->m->lasting->again;

	ht_say(t->v,
	       "%zu lives of the program, one after another, grow so with their age: by %s to %s an hour before this one",
	       r->lives, ht_change(r->slowest).text,
	       ht_change(r->fastest).text);
	ht_say(t->v,
	       "held against %s%s: not explained (t %.0f; last 40 %% of a life at %.0f %% of the speed before)",
	       r->load_known ? "the load" : "no load, for none is known",
	       r->day_known ? " and the time of day" : "", fmin(r->t, 999),
	       100 * fmin(fmax(r->pace, 0), ht_t.shown_speed));
}

/* Growth over hours and days: how fast, since when, how sure, and what it was
 * held against. */
void ht_lasting_lines(const struct told *t, const char *what)
{
	const struct ht_lasting *g = t->m->lasting;
	const struct ht_trend *r = &g->trend;
	char since[HT_TIME_TEXT];

	ht_time_here_text(g->since_ns, since);
	ht_say(t->v, "%s: %s/h for %s, since %s: %s (+- %s) in all", what,
	       ht_change(r->slope).text,
	       ht_span((r->end - r->begin) * HT_HOUR_S).text, since,
	       ht_change(r->rise).text,
	       B(HT_Z80 * r->se * (r->end - r->begin)));
	if (g->again.lives) {
		lives_line(t);
		return;
	}
	ht_say(t->v,
	       "held against %s%s: not explained (t %.0f; last 40 %% at %.0f %% of the speed before; deepest fall beside them %s)",
	       g->load_known ? "the load" : "no load, for none is known",
	       g->day_known ? " and the time of day" : "", fmin(r->t, 999),
	       100 * fmin(fmax(r->pace, 0), ht_t.shown_speed), B(r->drop));
	if (!isnan(g->per_work))
		ht_say(t->v, "%s for each hour of processor time",
		       ht_change(g->per_work).text);
}

/* What a trim returns now does not end a leak; where it returns nothing, that
 * is said. */
void ht_remedy_leak(const struct told *t)
{
	const struct ht_measure *m = t->m;
	char trim[160] = "";

	if (m->trimmable_now >=
	    fmax(ht_t.advice_bytes, ht_t.trim_worth * m->anon_now))
		snprintf(
			trim, sizeof(trim),
			"; malloc_trim(0) would return %s now, the leak goes on all the same",
			B(m->trimmable_now));
	else if (!isnan(m->trimmable_now))
		snprintf(trim, sizeof(trim),
			 "; malloc_trim() and tunables will not help");
	ht_remedy(
		t, NAN,
		"the program asks and does not free: find who allocates %s (`heaptide diff PID` shows what grew with it), look for a container that only grows%s",
		t->v->culprit[0] ? t->v->culprit : "it", trim);
}

bool ht_is_mirrored(const struct ht_measure *m)
{
	return m->mirrored && !m->lasting;
}

/* What all leaks say beside their growth. */
static void leak_lines(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (ht_mostly_unwritten(m, t->v))
		ht_say(t->v,
		       "%s of that was written: the rest takes address space, not memory",
		       B(fmax(0, ht_points_rise(&m->written))));
	class_line(t);
	if (t->v->why == HT_REASON_CLASS && ht_is_mirrored(m))
		ht_say(t->v,
		       "other size classes lost %s meanwhile: sizes may have shifted, and a smaller leak may hide in it",
		       B(m->classes_rise - m->in_use_rise));
	pool_line(t);
}

/* Growth over hours and days tells more than its shape. */
static bool lasting_leak(const struct told *t)
{
	const struct ht_lasting *g = t->m->lasting;

	if (!g || g->kind != HT_GROWTH_SUSTAINED)
		return false;
	ht_lasting_lines(t, g->class ? "one size class" : "in use");
	return true;
}

void ht_tell_total(const struct told *t)
{
	if (!lasting_leak(t))
		ht_steady_line(t, "in use (floor)", &t->m->in_use_growth);
	leak_lines(t);
}

void ht_tell_class(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (!lasting_leak(t))
		ht_say(t->v,
		       "in use as a whole %s -> %s, but one size class never comes down",
		       B(ht_first_level(&m->in_use)),
		       B(ht_last_level(&m->in_use)));
	leak_lines(t);
}

void ht_tell_written(const struct told *t)
{
	written_lines(t);
	leak_lines(t);
}

/* Huge pages fill what a trim left: said where nothing worse is. */
static void tell_refill(const struct told *t)
{
	const struct ht_refill *r = &t->m->refill;
	double now = t->m->trimmable_now;

	if (!(r->bytes >= ht_t.retained_bytes) || ht_is_growth(t->v) ||
	    t->v->label == HT_LABEL_INSUFFICIENT_DATA)
		return;
	ht_say(t->v,
	       "%s of the heap became resident again with %.0f page faults: the kernel fills its holes with huge pages (khugepaged)",
	       B(r->bytes), r->faults);
	ht_remedy(
		t, now,
		"no leak; what malloc_trim(0) returns (%s now) does not last: no huge pages for the heap (%s), or what lives long allocated apart",
		B(now), ht_no_huge_pages(t->latest));
}

void ht_evidence(const struct ht_measure *m, const struct ht_snapshot *latest,
		 struct ht_verdict *v)
{
	const struct told t = {m, latest, v};
	const struct ht_verdict_rule *rule = ht_rule_of(v);

	if (rule) {
		rule->evidence(&t);
		rule->remedy(&t);
	}
	tell_refill(&t);
	if (m->guarded && v->label != HT_LABEL_STABLE &&
	    m->in_use_rise < ht_t.guard_in_use * m->anon_rise)
		ht_say(v,
		       "anonymous memory grew %s, in use only %s of it: the growth is mostly memory that was freed",
		       B(m->anon_rise), B(fmax(0, m->in_use_rise)));
	ht_say_rise(v);
	window_line(&t);
}
