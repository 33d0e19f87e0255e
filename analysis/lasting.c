/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/lasting.h"

#include <math.h>
#include <string.h>

#include "analysis/confidence_long.h"
#include "analysis/load.h"
#include "analysis/needs.h"
#include "analysis/thresholds.h"
#include "common/clock.h"

#define CLASSES_MAX 128
#define AUX	    3 /* threads, speed of work and of faults */
#define HOUR_NS	    (INT64_C(3600) * HT_NS_PER_S)

/* A window with one value a bucket, means, of everything that may grow. */
struct study {
	struct ht_window w;
	struct ht_basis b;
	size_t bucket[HT_POINTS_MAX]; /* of each point */
	bool listed[HT_POINTS_MAX];   /* buckets that know size classes */
	size_t m;		      /* classes */
	const struct ht_class_series *class[CLASSES_MAX];
	double x[CLASSES_MAX + AUX][HT_POINTS_MAX];
	struct ht_trend trend[CLASSES_MAX];
	double in_use[HT_POINTS_MAX], outside[HT_POINTS_MAX];
	double work[HT_POINTS_MAX], work_s; /* processor seconds in it */
	bool part;		/* a longer window was looked at as well */
	double level, before_h; /* history before the window */
	double falls;		/* bytes that classes lost beside the load */
	double usual;		/* relative change of most classes */
	double wide;		/* the same of nearly all */
};

/* --- reading ------------------------------------------------------------- */

static double mean_in(const double *rows, size_t from, size_t end)
{
	double sum = 0;
	size_t n = 0;

	for (size_t i = from; rows && i < end; i++)
		if (!isnan(rows[i])) {
			sum += rows[i];
			n++;
		}
	return n ? sum / (double)n : NAN;
}

static bool lists(const struct ht_window *w, size_t bucket)
{
	for (size_t c = 0; c < w->s->classes_n; c++) {
		const double *x = w->s->classes[c].bytes[HT_STAT_MEDIAN];

		for (size_t i = w->begin[bucket]; i < w->begin[bucket + 1]; i++)
			if (!isnan(x[i]))
				return true;
	}
	return false;
}

/* Points where in use is known, and the classes wherever most know them. */
static void pick_points(struct study *l)
{
	const double *u = ht_need_rows(l->w.s, HT_NEED_in_use, HT_STAT_MEDIAN);
	double value[HT_POINTS_MAX];
	size_t known = 0, with = 0;

	for (size_t k = 0; k < l->w.n; k++) {
		value[k] = mean_in(u, l->w.begin[k], l->w.begin[k + 1]);
		l->listed[k] = lists(&l->w, k);
		known += isnan(value[k]) ? 0 : 1;
		with += !isnan(value[k]) && l->listed[k];
	}
	for (size_t k = 0; k < l->w.n; k++) {
		if (isnan(value[k]) || (2 * with > known && !l->listed[k]))
			continue;
		l->bucket[l->b.n] = k;
		l->b.t[l->b.n] = l->w.t[k] / HT_HOUR_S;
		l->in_use[l->b.n++] = value[k];
	}
	if (2 * with <= known)
		memset(l->listed, 0, sizeof(l->listed));
}

/* One value a point; what is missing stays as before. False: never known. */
static bool column(const struct study *l, const double *rows, double *ret)
{
	double last = NAN;
	size_t first = 0;

	for (size_t i = 0; i < l->b.n; i++) {
		size_t k = l->bucket[i];
		double v = mean_in(rows, l->w.begin[k], l->w.begin[k + 1]);

		if (isnan(v))
			v = last;
		first += isnan(v) ? 1 : 0;
		last = ret[i] = v;
	}
	if (2 * first > l->b.n)
		return false;
	for (size_t i = 0; i < first; i++)
		ret[i] = ret[first];
	return true;
}

static void read_classes(struct study *l)
{
	const struct ht_series *s = l->w.s;

	for (size_t c = 0; c < s->classes_n && l->m < CLASSES_MAX; c++) {
		const double *rows = s->classes[c].bytes[HT_STAT_MEDIAN];
		double *x = l->x[l->m], most = 0;

		for (size_t i = 0; i < l->b.n; i++) {
			size_t k = l->bucket[i];

			x[i] = mean_in(rows, l->w.begin[k], l->w.begin[k + 1]);
			if (isnan(x[i]))
				x[i] = 0;
			most = fmax(most, x[i]);
		}
		if (most < fmax(ht_t.seen_bytes, ht_t.seen_share * l->level))
			continue;
		l->class[l->m++] = &s->classes[c];
	}
}

/* Speed of a counter, one value a point. */
static bool speed(const struct study *l, const double *counter, double *ret)
{
	for (size_t i = 1; i < l->b.n; i++) {
		double time = l->b.t[i] - l->b.t[i - 1];

		ret[i] = (counter[i] - counter[i - 1]) / time;
		if (!(ret[i] >= 0)) /* it began anew */
			ret[i] = i > 1 ? ret[i - 1] : 0;
	}
	ret[0] = ret[1];
	return true;
}

/* Threads and the speeds of work and faults, behind the classes; how many. */
static size_t read_aux(struct study *l, bool *ret_work)
{
	const struct ht_series *s = l->w.s;
	double counter[HT_POINTS_MAX];
	size_t n = 0;

	*ret_work = false;
	l->work_s = 0;
	if (column(l, ht_need_rows(s, HT_NEED_threads, HT_STAT_MEDIAN),
		   l->x[l->m]))
		n++;
	if (column(l, ht_need_rows(s, HT_NEED_minflt, HT_STAT_MEDIAN), counter))
		n += speed(l, counter, l->x[l->m + n]);
	if (column(l, ht_need_rows(s, HT_NEED_cpu_ns, HT_STAT_MEDIAN),
		   counter)) {
		speed(l, counter, l->x[l->m + n]);
		l->work[0] = 0;
		for (size_t i = 1; i < l->b.n; i++)
			l->work[i] =
				l->work[i - 1] +
				l->x[l->m + n][i] * (l->b.t[i] - l->b.t[i - 1]);
		l->work_s = l->work[l->b.n - 1] / (double)HT_NS_PER_S;
		*ret_work = true;
		n++;
	}
	return n;
}

static bool open_study(const struct ht_series *s, int64_t from_ns,
		       int64_t now_ns, struct study *l)
{
	size_t aux;

	memset(l, 0, offsetof(struct study, x));
	l->m = 0;
	l->b.n = 0;
	ht_window_open(s, from_ns, now_ns, &l->w);
	if (l->w.lacks)
		return false;
	pick_points(l);
	if ((double)l->b.n < ht_t.lasting_points)
		return false;
	l->before_h = (double)(l->w.from_ns - s->time_ns[0]) / (double)HOUR_NS;
	l->level = ht_median(l->in_use, l->b.n);
	read_classes(l);
	aux = read_aux(l, &l->b.work_known);
	l->b.load_known =
		ht_load_find(l->x, l->m + aux, l->b.t, l->b.n, l->b.load);
	ht_basis_make(&l->b, l->work);
	return true;
}

/* --- what grows ---------------------------------------------------------- */

static double relative(const struct ht_trend *t)
{
	return t->mean > 0 ? fabs(t->rise) / t->mean : 0;
}

/* What others did beside the load in the same window measures how well the load
 * explains anything here. */
static void compare(struct study *l)
{
	double change[CLASSES_MAX];
	size_t n = 0;

	for (size_t c = 0; c < l->m && n < HT_POINTS_MAX; c++)
		if (l->trend[c].mean >= ht_t.compared_share * l->level)
			change[n++] = relative(&l->trend[c]);
	l->usual = (double)n >= ht_t.compared_least
			   ? ht_quantile(change, n, ht_t.usual_part)
			   : NAN;
	l->wide = (double)n >= ht_t.compared_least
			  ? ht_quantile(change, n, ht_t.wide_part)
			  : NAN;
	l->falls = 0;
	for (size_t c = 0; c < l->m; c++)
		if (l->trend[c].t <= -ht_t.fall_t)
			l->falls -= l->trend[c].rise;
}

static double length_of(const struct ht_trend *t)
{
	return t->end - t->begin;
}

/* A rise is a pace that goes on; less of one is asked of longer growth, since a
 * cache that fills so slowly is rare. */
static double pace_asked(double hours)
{
	return hours < HT_DAY_H		 ? ht_t.pace_day
	       : hours < ht_t.long_hours ? ht_t.pace_days
					 : ht_t.pace_week;
}

static bool may_grow(const struct ht_trend *t, double least)
{
	return t->t >= ht_t.lasting_t && t->rise >= least &&
	       !(t->pace > ht_t.pace_most && length_of(t) < HT_DAY_H) &&
	       t->rise >= ht_t.lasting_spread * t->spread &&
	       t->rise >= ht_t.lasting_drop * t->drop &&
	       t->rise >= ht_t.lasting_step * fabs(t->step);
}

static enum ht_growth_kind kind_of(const struct ht_trend *t)
{
	double asked = pace_asked(length_of(t));

	if (!(t->late_t >= ht_t.lasting_late_t))
		return t->pace > ht_t.pace_least && t->pace < 1
			       ? HT_GROWTH_SLOWING
			       : HT_GROWTH_FLAT;
	if (t->filling >= ht_t.filling_fit &&
	    t->pace + ht_t.pace_errors * t->pace_se >= asked)
		return HT_GROWTH_SUSTAINED;
	return HT_GROWTH_SLOWING;
}

/* How much more it rose than what others do by chance. 1: as much as most. */
static double stands_out(const struct study *l, const struct ht_trend *t)
{
	if (isnan(l->usual))
		return NAN;
	return relative(t) / fmax(l->usual, ht_t.usual_least);
}

/* It has grown since the process began, or as long as it was looked at. */
static bool from_the_start(const struct study *l, const struct ht_trend *t)
{
	return l->before_h < ht_t.start_hours &&
	       t->begin < ht_t.start_share * l->b.t[l->b.n - 1];
}

/* What nothing but time can tell: a cache of a day's size that fills, a tenant
 * that wakes for the first time. */
static double most_sure(const struct study *l, const struct ht_trend *t,
			enum ht_lasting_what what)
{
	double seen = l->b.t[l->b.n - 1] + l->before_h;
	double most = ht_confidence_seen(seen);
	double fit =
		seen < ht_t.line_early_hours ? ht_t.line_early : ht_t.line_fit;
	bool line = t->filling >= fit && t->pace >= ht_t.pace_day;

	if (from_the_start(l, t) && !line)
		most = fmin(most,
			    seen < ht_t.fill_hours ? ht_t.confidence_fill : 1);
	if (t->rise < ht_t.sure_drop * t->drop)
		most = fmin(most, ht_t.confidence_drop);
	if (what != HT_LASTING_CLASS && !l->b.day_known)
		most = fmin(most, ht_t.confidence_total);
	return most;
}

static double confidence_of(const struct study *l, const struct ht_trend *t,
			    enum ht_lasting_what what)
{
	double out = what == HT_LASTING_CLASS ? stands_out(l, t) : NAN;

	return fmin(ht_confidence_sum(length_of(t), t->t, out),
		    most_sure(l, t, what));
}

/* Rows before the growth never came near where it is now. */
static bool record(const struct study *l, const double *rows,
		   const struct ht_trend *t)
{
	int64_t since = l->w.from_ns + (int64_t)(t->begin * (double)HOUR_NS);
	const struct ht_series *s = l->w.s;
	double before = -INFINITY, now = NAN;

	for (size_t i = 0; rows && i < s->rows && s->time_ns[i] <= l->w.to_ns;
	     i++) {
		if (isnan(rows[i]))
			continue;
		if (s->time_ns[i] <= since)
			before = fmax(before, rows[i]);
		now = rows[i];
	}
	return now >= before + t->rise / 2;
}

/* A straight line that makes most of what there is: no load does that. */
static bool multiplies(const struct ht_trend *t)
{
	return relative(t) >= ht_t.straight_rise &&
	       t->filling >= ht_t.straight_fit;
}

/* Before a whole day was seen: beside the others it must stand out. */
static bool believable_class(const struct study *l, const struct ht_trend *t)
{
	double hours = length_of(t), out = stands_out(l, t);

	if (!(out >= ht_t.stands_out) ||
	    !(l->b.load_known || l->usual < ht_t.flat_usual ||
	      out >= 2 * ht_t.stands_out))
		return false;
	if (hours >= ht_t.unsure_hours && t->filling >= ht_t.unsure_fit)
		return true;
	return hours >= ht_t.lasting_hours || multiplies(t) ||
	       (hours >= ht_t.line_hours && out >= 2 * ht_t.stands_out &&
		t->filling >= ht_t.line_fit);
}

/* May this growth be said at all. */
static bool believable(const struct study *l, const struct ht_trend *t,
		       enum ht_lasting_what what, const double *rows)
{
	double hours = length_of(t), out = stands_out(l, t);

	/* what began before a short window is the longer one's */
	if (l->part && t->begin < ht_t.part_begin * l->b.t[l->b.n - 1])
		return false;
	if (what == HT_LASTING_CLASS && t->rise < ht_t.falls_share * l->falls)
		return false;
	/* a class that goes up and down by itself every day: a tenant's */
	if (l->part && !l->b.day_known &&
	    l->before_h + t->begin >= ht_t.day_seen_hours &&
	    !record(l, rows, t))
		return false;
	if (l->b.day_known && hours >= ht_t.day_growth_hours)
		return !(out < ht_t.out_least);
	if (what == HT_LASTING_CLASS && !isnan(out))
		return believable_class(l, t);
	if (multiplies(t))
		return true;
	return l->before_h + t->begin >= ht_t.day_seen_hours &&
	       hours >= ht_t.alone_hours &&
	       t->rise >= ht_t.alone_spread * t->spread && record(l, rows, t);
}

static double least_of(const struct study *l, enum ht_lasting_what what)
{
	return what == HT_LASTING_CLASS
		       ? fmax(ht_t.class_bytes, ht_t.lasting_share * l->level)
		       : fmax(ht_t.rise_bytes, ht_t.lasting_total * l->level);
}

static void in_growths_words(const struct study *l, struct ht_lasting *g)
{
	double hours = l->b.t[l->b.n - 1];

	g->growth = ht_growth_of_trend(&g->trend, g->kind,
				       g->since_ns - g->from_ns);
	g->per_work = l->work_s > 0
			      ? g->trend.slope * hours / (l->work_s / HT_HOUR_S)
			      : NAN;
}

/* The surer one; of about equally sure ones that which gained most. */
static bool better(const struct ht_lasting *than, enum ht_growth_kind kind,
		   double confidence, const struct ht_trend *t)
{
	if (kind != than->kind)
		return kind > than->kind;
	if (fabs(confidence - than->confidence) > ht_t.as_sure)
		return confidence > than->confidence;
	return t->rise > than->trend.rise;
}

static void consider(const struct study *l, struct ht_trend *t, const double *x,
		     enum ht_lasting_what what,
		     const struct ht_class_series *class, const double *rows,
		     struct ht_lasting *best)
{
	enum ht_growth_kind kind;
	double c;

	/* dear: only what may come to something is asked */
	if (!may_grow(t, least_of(l, what)) ||
	    stands_out(l, t) < ht_t.out_least)
		return;
	t->filling = ht_trend_filling(&l->b, x);
	kind = kind_of(t);
	if (kind < HT_GROWTH_SLOWING || !believable(l, t, what, rows))
		return;
	c = confidence_of(l, t, what);
	if (kind == HT_GROWTH_SUSTAINED && what == HT_LASTING_CLASS) {
		best->rising++;
		best->rise += t->rise;
	}
	if (!better(best, kind, c, t))
		return;
	if (kind == best->kind)
		c = fmax(c, best->confidence);
	best->kind = kind;
	best->what = what;
	best->class = class;
	best->trend = *t;
	best->confidence = c;
	best->from_ns = l->w.from_ns;
	best->to_ns = l->w.to_ns;
	best->since_ns = l->w.from_ns + (int64_t)(t->begin * (double)HOUR_NS);
	best->load_known = l->b.load_known;
	best->day_known = l->b.day_known;
	in_growths_words(l, best);
}

static void outside_of(struct study *l)
{
	const struct ht_series *s = l->w.s;
	double shared[HT_POINTS_MAX];

	if (!column(l, ht_need_rows(s, HT_NEED_non_malloc_anon, HT_STAT_MEDIAN),
		    l->outside)) {
		memset(l->outside, 0, sizeof(l->outside));
		return;
	}
	if (column(l, ht_need_rows(s, HT_NEED_rss_shmem, HT_STAT_MEDIAN),
		   shared))
		for (size_t i = 0; i < l->b.n; i++)
			l->outside[i] += shared[i];
}

/* How deep classes fell in the longest window. */
struct falls {
	size_t n;
	const struct ht_class_series *class[CLASSES_MAX];
	double drop[CLASSES_MAX];
};

static double fell(const struct falls *f, const struct ht_class_series *class)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->class[i] == class)
			return f->drop[i];
	return 0;
}

static void remember(const struct study *l, struct falls *f)
{
	if (f->n)
		return;
	for (size_t c = 0; c < l->m; c++) {
		f->class[f->n] = l->class[c];
		f->drop[f->n++] = l->trend[c].drop;
	}
}

static void judge(struct study *l, struct falls *before,
		  struct ht_lasting *best)
{
	const struct ht_series *s = l->w.s;
	struct ht_trend total, outside;

	best->rising = 0;
	best->rise = 0;
	for (size_t c = 0; c < l->m; c++)
		ht_trend_of(&l->b, l->x[c], &l->trend[c]);
	compare(l);
	for (size_t c = 0; c < l->m; c++) {
		const struct ht_class_series *class = l->class[c];

		/* in a short window it must beat what it did in the long one */
		l->trend[c].drop = fmax(l->trend[c].drop, fell(before, class));
		consider(l, &l->trend[c], l->x[c], HT_LASTING_CLASS, class,
			 class->bytes[HT_STAT_MEDIAN], best);
	}
	if ((double)l->m < ht_t.few_classes) {
		ht_trend_of(&l->b, l->in_use, &total);
		consider(l, &total, l->in_use, HT_LASTING_TOTAL, NULL,
			 ht_need_rows(s, HT_NEED_in_use, HT_STAT_MEDIAN), best);
	}
	outside_of(l);
	ht_trend_of(&l->b, l->outside, &outside);
	consider(l, &outside, l->outside, HT_LASTING_OUTSIDE, NULL,
		 ht_need_rows(s, HT_NEED_non_malloc_anon, HT_STAT_MEDIAN),
		 best);
	remember(l, before);
}

/* --- windows ------------------------------------------------------------- */

/* The first is whatever is asked about: seven days at most. */
static const double hours[] = {168, 48, 16};
#define STUDIES (sizeof(hours) / sizeof(*hours))

/* What each life repeats, of the newest one. */
static void as_in_lives_before(const struct ht_series *s, int64_t from_ns,
			       int64_t to_ns, struct study *l,
			       struct ht_lasting *best)
{
	struct ht_lasting one = {.kind = HT_GROWTH_SUSTAINED};
	struct ht_recurrence *r = &one.again;

	ht_recurrence_find(s, from_ns, to_ns, r);
	if (best->kind == HT_GROWTH_SUSTAINED && best->class &&
	    ht_recurrence_fills(r, best->class))
		best->kind = best->growth.kind = HT_GROWTH_SLOWING;
	if (r->lives == 0 || !open_study(s, from_ns, to_ns, l) ||
	    (best->kind == HT_GROWTH_SUSTAINED &&
	     best->confidence >= r->confidence))
		return;
	one.what = r->class ? HT_LASTING_CLASS : HT_LASTING_OUTSIDE;
	one.class = r->class;
	one.confidence = r->confidence;
	one.from_ns = l->w.from_ns;
	one.to_ns = l->w.to_ns;
	one.since_ns = l->w.to_ns - (int64_t)(r->age * (double)HOUR_NS);
	one.rising = r->rising;
	one.rise = r->rise;
	one.load_known = r->load_known;
	one.day_known = r->day_known;
	one.trend = ht_recurrence_trend(r);
	in_growths_words(l, &one);
	*best = one;
}

void ht_lasting_find(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
		     struct ht_lasting *ret)
{
	struct falls before = {.n = 0};
	struct study l;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < STUDIES; i++) {
		int64_t length = (int64_t)(hours[i] * (double)HOUR_NS);
		struct ht_lasting one = {.kind = HT_GROWTH_NONE};

		/* hardly more than that is there: the whole was looked at */
		if (i > 0 && (double)(to_ns - from_ns) <
				     ht_t.window_more * (double)length)
			continue;
		if (!open_study(s, i ? to_ns - length : from_ns, to_ns, &l))
			continue;
		l.part = i > 0;
		judge(&l, &before, &one);
		if (one.kind > ret->kind ||
		    (one.kind == ret->kind && one.confidence > ret->confidence))
			*ret = one;
	}
	as_in_lives_before(s, from_ns, to_ns, &l, ret);
}
