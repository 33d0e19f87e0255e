/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETA: room / speed, for sustained growth only. Room is what the nearest limit
 * leaves above the anonymous memory of now. Where in use grows and anonymous
 * memory does not, the leak eats retained memory first: that is added to the
 * room, but for the part that is not trimmable (holes too small to use).
 * The interval holds the truth in 80 % of cases: from Sen's interval of the
 * speed, over hours and days from the fit's standard error. Of minutes it is
 * wider, the more so the further it looks beyond what was watched.
 *
 * Mappings, descriptors and threads have limits too: the nearest is the date.
 */
#include "analysis/verdict_int.h"

#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "common/clock.h"

#define YEAR_S (365 * HT_DAY_S)

/* Seconds from the end of the window; INFINITY: perhaps never. */
struct date {
	double at, low, high;
};

/* Anonymous memory as it will be at its highest hour of the day: a service that
 * breathes meets its limit at a peak. */
static double highest(const struct ht_measure *m, double slope)
{
	const struct ht_points *a = &m->anon;
	double now = a->n ? a->t[a->n - 1] : 0, most = m->anon_now;

	for (size_t i = 0; i < a->n; i++)
		if (now - a->t[i] <= HT_DAY_S)
			most = fmax(most, a->high[i] + slope * (now - a->t[i]));
	return most;
}

static int64_t at(const struct ht_verdict *v, double seconds)
{
	return seconds < YEAR_S
		       ? v->to_ns + (int64_t)(seconds * (double)HT_NS_PER_S)
		       : 0;
}

static const struct ht_growth *own_speed(const struct ht_measure *m,
					 const struct ht_verdict *v)
{
	return ht_mostly_unwritten(m, v) ? &m->written_growth
					 : ht_growth_of(m, v);
}

/* The speed at which memory is really taken from the machine. */
static const struct ht_growth *speed(const struct ht_measure *m,
				     const struct ht_verdict *v, double *room)
{
	const struct ht_growth *own = own_speed(m, v);

	if (m->anon_growth.slope > 0 &&
	    m->anon_growth.late_rise >= ht_t.eta_share * own->late_rise)
		return &m->anon_growth;
	if (!isnan(m->quiet.trimmable))
		*room += m->quiet.trimmable;
	return own;
}

/* ties in short series leave Sen's interval without its middle */
static struct date date_of(double room, const struct ht_growth *g)
{
	struct date d = {.at = room / g->slope, .high = INFINITY};

	d.low = fmin(d.at, room / fmax(g->slope_high, g->slope));
	if (g->slope_low > 0)
		d.high = fmax(d.at, room / g->slope_low);
	return d;
}

/* A minute says little of a week: each doubling of the time beyond what was
 * watched adds to what the speed may change by, and so does what it changed by
 * already. */
static void widen(struct date *d, const struct ht_growth *g, double watched)
{
	double beyond = fmax(1, d->at / fmax(1, watched));
	double by = ht_t.eta_least + ht_t.eta_far * log2(beyond);

	if (isfinite(g->speed_late))
		by += ht_t.eta_change * fmin(1, fabs(1 - g->speed_late));
	d->low = fmin(d->low, d->at / (1 + by));
	d->high = by < 1 ? fmax(d->high, d->at / (1 - by)) : INFINITY;
}

static void say_date(struct ht_verdict *v, const char *limit,
		     const struct date *d)
{
	if (d->high >= YEAR_S)
		ht_say(v, "limit %s: in %s at the earliest", limit,
		       d->low >= YEAR_S ? "more than a year"
					: ht_span(d->low).text);
	else
		ht_say(v, "limit %s: reached in %s to %s", limit,
		       ht_span(d->low).text, ht_span(d->high).text);
	if (d->low < YEAR_S)
		ht_said_again(v);
}

static void take_date(struct ht_verdict *v, const struct date *d)
{
	if (d->low >= YEAR_S)
		return;
	v->eta_low_ns = at(v, d->low);
	v->eta_at_ns = at(v, d->at);
	v->eta_high_ns = at(v, d->high);
}

/* What all that rises does together, against the class or total it is told of.
 */
static double all_of(const struct ht_measure *m)
{
	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED &&
	    m->lasting->class)
		return fmax(1, m->lasting->rise / m->lasting->trend.rise);
	return 1;
}

/* What others took meanwhile of what the limit leaves; 0: nothing to speak of.
 */
static double others_took(const struct ht_measure *m)
{
	double took = m->room_fell - fmax(0, m->anon_rise);
	double least = fmax(ht_t.retained_bytes,
			    ht_t.taken_share * (m->limit - m->anon_now));

	return took >= least ? took : 0;
}

/* A limit of many ends when it is full, whoever fills it. From the first eighth
 * of the window to the last are seven eighths of it. */
static void at_the_earliest(const struct ht_measure *m, double room,
			    struct date *d)
{
	double span = m->w.t[m->w.n - 1] * 7 / 8;

	if (others_took(m) > 0)
		d->low = fmin(d->low, room / (m->room_fell / span));
}

static struct date memory_date(const struct ht_measure *m,
			       const struct ht_verdict *v)
{
	double room = fmax(0, m->limit - m->anon_now), all = all_of(m);
	const struct ht_growth *g;
	struct date d;

	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED) {
		g = ht_growth_of(m, v);
		return date_of(fmax(0, m->limit - highest(m, all * g->slope)) /
				       all,
			       g);
	}
	g = speed(m, v, &room);
	d = date_of(room, g);
	widen(&d, g, m->w.t[m->w.n - 1]);
	at_the_earliest(m, room, &d);
	return d;
}

/* Growth that ends inside mappings before memory does has no such date. */
static bool ends_before(const struct ht_measure *m, const struct ht_verdict *v)
{
	return v->label == HT_LABEL_NON_MALLOC_GROWTH && m->bound.inside &&
	       !(m->bound.room > m->limit - m->anon_now);
}

static void say_end(const struct ht_measure *m, struct ht_verdict *v)
{
	ht_say(v,
	       "it lies inside mappings that do not grow: at most %s more fit into them, so no date of memory follows from it",
	       ht_bytes(m->bound.room).text);
}

/* The main thread's stack ends at RLIMIT_STACK, long before memory does. */
static bool is_stack(const struct ht_measure *m, const struct ht_verdict *v)
{
	return v->label == HT_LABEL_NON_MALLOC_GROWTH && m->bound.most &&
	       m->bound.most->kind == HT_MAPPING_STACK &&
	       m->bound.gained >= ht_t.stack_share * m->outside_rise;
}

/* The mapping of a stack goes from its lowest page that was ever touched. Where
 * no sample has the limit, or there is none, no date is told. */
static void tell_stack(const struct ht_measure *m,
		       const struct ht_snapshot *latest, struct ht_verdict *v)
{
	uint64_t most = latest ? latest->limits.rlimit_stack : HT_UNKNOWN;
	const struct ht_growth *g = &m->outside_growth;
	char limit[80];
	struct date d;

	if (most == HT_UNKNOWN) {
		ht_say(v,
		       "a stack ends at RLIMIT_STACK (prlimit --stack --pid PID): the program ends there, before memory does, so no date of memory follows from it");
		return;
	}
	d = date_of(fmax(0, (double)most - fmax(m->bound.size, m->bound.used)),
		    g);
	widen(&d, g, m->w.t[m->w.n - 1]);
	take_date(v, &d);
	v->limit_bytes = most;
	snprintf(v->limit_name, sizeof(v->limit_name), "RLIMIT_STACK");
	snprintf(limit, sizeof(limit),
		 "%s (RLIMIT_STACK; the program ends there)",
		 ht_bytes((double)most).text);
	say_date(v, limit, &d);
}

static void tell_memory(const struct ht_measure *m,
			const struct ht_snapshot *latest, struct ht_verdict *v)
{
	char limit[200];
	struct date d;

	if (!ht_is_growth(v))
		return;
	v->slope_bytes_per_hour =
		all_of(m) * ht_growth_of(m, v)->slope * HT_HOUR_S;
	if (ends_before(m, v)) {
		say_end(m, v);
		return;
	}
	if (is_stack(m, v)) {
		tell_stack(m, latest, v);
		return;
	}
	if (ht_mostly_unwritten(m, v) && !(m->written_growth.slope > 0) &&
	    !(m->anon_growth.slope > 0))
		return; /* it ends with the address space */
	if (isnan(m->limit))
		return;
	v->limit_bytes = (uint64_t)m->limit;
	if (latest)
		ht_limit_name(latest, v->limit_name, sizeof(v->limit_name));
	d = memory_date(m, v);
	take_date(v, &d);
	snprintf(limit, sizeof(limit), "%s%s%.128s%s", ht_bytes(m->limit).text,
		 v->limit_name[0] ? " (" : "", v->limit_name,
		 v->limit_name[0] ? ")" : "");
	say_date(v, limit, &d);
	if (others_took(m) > 0)
		ht_say(v,
		       "others took %s below that limit in the same time: it is met the sooner for them",
		       ht_bytes(others_took(m)).text);
	if (latest && ht_limit_unread(latest))
		ht_say(v, "another limit may come first: %s",
		       ht_limit_unread(latest));
}

/* As many whole clauses of a remedy as leave room for another. */
static void clauses_of(const char *remedy, char *ret, size_t size)
{
	size_t n = strlen(remedy);

	if (n >= size)
		for (n = size - 1; n > 0 && remedy[n] != ';'; n--)
			;
	snprintf(ret, size, "%.*s", (int)n, remedy);
}

/* The nearer of the two is the verdict's date. */
static void tell_ceiling(const struct ht_measure *m, struct ht_verdict *v)
{
	const struct ht_ceiling *c = &m->ceiling;
	char limit[240], own[200] = "";
	struct date d;

	if (!c->what)
		return;
	d = date_of(fmax(0, c->most - c->now), &c->growth);
	widen(&d, &c->growth, m->w.t[m->w.n - 1]);
	if (c->bytes)
		snprintf(limit, sizeof(limit), "%s of %s (%s; %s -> %s)",
			 ht_bytes(c->most).text, c->what, c->of,
			 ht_bytes(c->first).text, ht_bytes(c->now).text);
	else
		snprintf(limit, sizeof(limit), "%.0f %s (%s; %.0f -> %.0f)",
			 c->most, c->what, c->of, c->first, c->now);
	say_date(v, limit, &d);
	if (v->eta_at_ns && v->eta_at_ns <= at(v, d.at))
		return;
	take_date(v, &d);
	if (ht_is_growth(v))
		clauses_of(v->remedy, own, sizeof(own));
	snprintf(v->remedy, sizeof(v->remedy), "%s%s%s %s out%s: %s", own,
		 *own ? "; " : "", c->what, c->bytes ? "runs" : "run",
		 *own ? " first" : "", c->remedy);
	v->limit_bytes = c->bytes ? (uint64_t)c->most : HT_UNKNOWN;
	v->limit_count = c->bytes ? HT_UNKNOWN : (uint64_t)c->most;
	snprintf(v->limit_name, sizeof(v->limit_name), "%s", c->of);
}

void ht_eta(const struct ht_measure *m, const struct ht_snapshot *latest,
	    struct ht_verdict *v)
{
	tell_memory(m, latest, v);
	tell_ceiling(m, v);
}
