/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/recurrence.h"

#include <math.h>
#include <string.h>

#include "analysis/confidence_long.h"
#include "analysis/load.h"
#include "analysis/thresholds.h"
#include "analysis/window.h"
#include "common/clock.h"

#define CLASSES_MAX 128
#define AUX	    3 /* memory outside malloc, threads, speed of work */
#define FILLINGS    5 /* time constants, each twice the one before */
#define HOUR_NS	    (INT64_C(3600) * HT_NS_PER_S)
#define WEEK_NS	    (168 * HOUR_NS)

struct life {
	struct ht_window w;
	int64_t born_ns;
	size_t first, end; /* its points */
};

/* Lives one after the other, with one value a point, means. */
struct lives {
	size_t n;
	struct life life[HT_RECURRENCE_LIVES]; /* the newest last */
	struct ht_basis b;
	size_t from[HT_POINTS_MAX], to[HT_POINTS_MAX]; /* rows of each point */
	double age[HT_POINTS_MAX];		       /* hours */
	double longest, hours; /* age of the longest, of all together */
	double ramp[HT_POINTS_MAX], ramp2; /* age beside the basis */
	size_t classes;
	const struct ht_class_series *class[CLASSES_MAX];
	double x[CLASSES_MAX + AUX][HT_POINTS_MAX];
	double level;	     /* in use */
	double usual, falls; /* relative change of most, bytes that some lost */
};

/* --- reading ------------------------------------------------------------- */

static bool open_life(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
		      struct life *ret)
{
	ht_window_open(s, from_ns, to_ns, &ret->w);
	if (ret->w.lacks || ret->w.n < (size_t)ht_t.lives_points ||
	    ret->w.to_ns - ret->w.from_ns <
		    (int64_t)(ht_t.lives_hours * (double)HOUR_NS))
		return false;
	ret->born_ns = s->started_ns && s->started_ns < s->time_ns[0]
			       ? s->started_ns
			       : s->time_ns[0];
	return true;
}

/* The newest, and before it what began within a week; the oldest first. */
static bool open_lives(const struct ht_series *s, int64_t from_ns,
		       int64_t to_ns, struct lives *l)
{
	struct life newest;

	l->n = 0;
	if (!open_life(s, from_ns, to_ns, &newest))
		return false;
	for (size_t i = s->earlier_n; i-- > 0;) {
		const struct ht_series *e = &s->earlier[i];
		struct life *at = &l->life[HT_RECURRENCE_LIVES - 2 - l->n];

		if (l->n + 1 == HT_RECURRENCE_LIVES || e->rows == 0 ||
		    e->time_ns[0] < to_ns - WEEK_NS)
			break;
		if (open_life(e, e->time_ns[0], INT64_MAX, at))
			l->n++;
	}
	memmove(l->life, &l->life[HT_RECURRENCE_LIVES - 1 - l->n],
		l->n * sizeof(*l->life));
	l->life[l->n++] = newest;
	return l->n > 1;
}

/* Equal parts of a life's time, as many in each life. */
static void add_points(struct lives *l, struct life *k, size_t parts)
{
	double span = k->w.t[k->w.n - 1];
	size_t part = SIZE_MAX;

	k->first = l->b.n;
	for (size_t i = 0; i < k->w.n; i++) {
		size_t at = (size_t)(k->w.t[i] / span * (double)parts);

		at = at < parts ? at : parts - 1;
		if (at != part)
			l->from[l->b.n++] = k->w.begin[i];
		part = at;
		l->to[l->b.n - 1] = k->w.begin[i + 1];
	}
	k->end = l->b.n;
	for (size_t i = k->first; i < k->end; i++) {
		const int64_t *t = k->w.s->time_ns;
		int64_t mid = t[l->from[i]] / 2 + t[l->to[i] - 1] / 2;

		l->b.t[i] =
			(double)(mid - l->life[0].w.from_ns) / (double)HOUR_NS;
		l->age[i] = (double)(mid - k->born_ns) / (double)HOUR_NS;
	}
	l->longest = fmax(l->longest, l->age[k->end - 1]);
	l->hours += l->age[k->end - 1];
}

/* One value a point of one life, as the point before where nothing is known;
 * false: nothing was. */
static bool column(const struct lives *l, const struct life *k,
		   const double *rows, double *x)
{
	double last = NAN;
	size_t unknown = 0;

	for (size_t i = k->first; i < k->end; i++) {
		double sum = 0;
		size_t n = 0;

		for (size_t r = l->from[i]; rows && r < l->to[i]; r++)
			if (!isnan(rows[r])) {
				sum += rows[r];
				n++;
			}
		last = n ? sum / (double)n : last;
		unknown += isnan(last) ? 1 : 0;
		x[i] = last;
	}
	for (size_t i = k->first; i < k->first + unknown; i++)
		x[i] = unknown < k->end - k->first ? x[k->first + unknown] : 0;
	return 2 * unknown <= k->end - k->first;
}

static bool need(const struct lives *l, enum ht_need m, double *x)
{
	bool known = true;

	for (size_t i = 0; i < l->n; i++)
		known &= column(l, &l->life[i],
				ht_need_rows(l->life[i].w.s, m, HT_STAT_MEDIAN),
				x);
	return known;
}

static const struct ht_class_series *class_of(const struct ht_series *s,
					      uint64_t max_size)
{
	for (size_t i = 0; i < s->classes_n; i++)
		if (s->classes[i].max_size == max_size)
			return &s->classes[i];
	return NULL;
}

/* A class that the newest life has; an earlier one without it had none. */
static void read_class(struct lives *l, const struct ht_class_series *c)
{
	const struct life *newest = &l->life[l->n - 1];
	double *x = l->x[l->classes], most = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct ht_class_series *is =
			class_of(l->life[i].w.s, c->max_size);

		column(l, &l->life[i], is ? is->bytes[HT_STAT_MEDIAN] : NULL,
		       x);
	}
	for (size_t i = newest->first; i < newest->end; i++)
		most = fmax(most, x[i]);
	if (most >= fmax(ht_t.seen_bytes, ht_t.seen_share * l->level))
		l->class[l->classes++] = c;
}

/* Speed of a counter that each life begins anew. */
static void speed(const struct lives *l, double *x)
{
	for (size_t k = 0; k < l->n; k++) {
		const struct life *is = &l->life[k];
		double last = x[is->first];

		for (size_t i = is->first + 1; i < is->end; i++) {
			double now = x[i];

			x[i] = (now - last) / (l->b.t[i] - l->b.t[i - 1]);
			last = now;
		}
		x[is->first] = x[is->first + 1];
	}
}

static void read_lives(struct lives *l)
{
	const struct ht_series *s = l->life[l->n - 1].w.s;
	double in_use[HT_POINTS_MAX], (*aux)[HT_POINTS_MAX];
	size_t known = 0;

	need(l, HT_NEED_in_use, in_use);
	l->level = ht_median(in_use, l->b.n);
	for (size_t i = 0; i < s->classes_n && l->classes < CLASSES_MAX; i++)
		read_class(l, &s->classes[i]);
	aux = &l->x[l->classes];
	if (need(l, HT_NEED_threads, aux[known]))
		known++;
	if (need(l, HT_NEED_cpu_ns, aux[known]))
		speed(l, aux[known++]);
	l->b.load_known =
		ht_load_find((const double(*)[HT_POINTS_MAX])l->x,
			     l->classes + known, l->b.t, l->b.n, l->b.load);
	need(l, HT_NEED_non_malloc_anon, aux[0]);
}

/* A mean of each life, the load, the day: what grows with age beside them. */
static void make_basis(struct lives *l)
{
	double one[HT_POINTS_MAX];

	ht_basis_begin(&l->b);
	for (size_t k = 0; k < l->n; k++) {
		for (size_t i = 0; i < l->b.n; i++)
			one[i] = i >= l->life[k].first && i < l->life[k].end;
		ht_basis_add(&l->b, one);
	}
	if (l->b.load_known)
		ht_basis_add_load(&l->b);
	ht_basis_add_day(&l->b, l->b.t[l->b.n - 1] - l->b.t[0]);
	memcpy(l->ramp, l->age, sizeof(l->ramp));
	ht_basis_leave(&l->b, l->ramp);
	l->ramp2 = ht_dot(l->ramp, l->ramp, l->b.n);
}

/* --- one series ---------------------------------------------------------- */

struct fit {
	double mean, slope, t, se, variance;
	double y[HT_POINTS_MAX], left[HT_POINTS_MAX];
};

static void fit_ramp(const struct lives *l, const double *x, struct fit *f)
{
	const struct life *newest = &l->life[l->n - 1];
	size_t n = l->b.n;
	double free = (double)n - (double)l->b.k - 1;

	memcpy(f->y, x, n * sizeof(*x));
	ht_basis_leave(&l->b, f->y);
	f->slope = ht_dot(f->y, l->ramp, n) / l->ramp2;
	memcpy(f->left, f->y, sizeof(f->y));
	ht_take(f->left, f->slope, l->ramp, n);
	f->variance = (ht_dot(f->left, f->left, n) + 1) / fmax(free, 1) *
		      ht_basis_inflation(f->left, n);
	f->se = sqrt(f->variance / l->ramp2);
	f->t = f->slope / f->se;
	f->mean = 0;
	for (size_t i = newest->first; i < newest->end; i++)
		f->mean += x[i] / (double)(newest->end - newest->first);
}

static double rise_of(const struct lives *l, const struct fit *f)
{
	return f->slope * l->longest;
}

/* What one life alone says, beside load and day as all of them know these. */
static double slope_in(const struct lives *l, const struct life *k,
		       const struct fit *f)
{
	double n = (double)(k->end - k->first), age = 0, z = 0, both = 0;
	double square = 0;

	for (size_t i = k->first; i < k->end; i++) {
		age += l->age[i] / n;
		z += (f->left[i] + f->slope * l->age[i]) / n;
	}
	for (size_t i = k->first; i < k->end; i++) {
		double a = l->age[i] - age;

		both += a * (f->left[i] + f->slope * l->age[i] - z);
		square += a * a;
	}
	return both / square;
}

/* Most lives agree, and the newest is one of them: what was mended grows no
 * more. */
static bool agree(const struct lives *l, const struct fit *f,
		  struct ht_recurrence *ret)
{
	ret->lives = 0;
	ret->slowest = INFINITY;
	ret->fastest = -INFINITY;
	for (size_t k = 0; k < l->n; k++) {
		double own = slope_in(l, &l->life[k], f);

		ret->lives += own >= ht_t.lives_alike * f->slope;
		ret->own = own;
		if (k + 1 == l->n)
			break;
		ret->slowest = fmin(ret->slowest, own);
		ret->fastest = fmax(ret->fastest, own);
	}
	return ret->own >= ht_t.lives_alike * f->slope &&
	       (double)ret->lives >= ht_t.lives_share * (double)l->n;
}

/* The last 40 % of a life against what came before: a second ramp there. */
static void find_pace(const struct lives *l, const struct fit *f,
		      struct ht_recurrence *ret)
{
	double v[HT_POINTS_MAX], share, square, change, early;
	size_t n = l->b.n;

	for (size_t i = 0; i < n; i++)
		v[i] = fmax(0, l->age[i] - (1 - ht_t.late_part) * l->longest);
	ht_basis_leave(&l->b, v);
	share = ht_dot(v, l->ramp, n) / l->ramp2;
	ht_take(v, share, l->ramp, n);
	square = ht_dot(v, v, n);
	ret->pace = ret->pace_se = NAN;
	if (!(square > ht_t.step_left * l->ramp2))
		return;
	change = ht_dot(f->left, v, n) / square;
	early = f->slope - change * share;
	ret->pace = early > 0 ? (early + change) / early : INFINITY;
	ret->pace_se = sqrt(f->variance / square) / f->slope;
}

/* What the best curve that levels off leaves against what the line does. */
static double filling(const struct lives *l, const struct fit *f)
{
	size_t n = l->b.n;
	double all = ht_dot(f->y, f->y, n), fills = 0, v[HT_POINTS_MAX];
	double tau = ht_t.filling_tau / 2 * l->longest;

	for (size_t k = 0; k < FILLINGS; k++, tau *= 2) {
		double both, square;

		for (size_t i = 0; i < n; i++)
			v[i] = -expm1(-l->age[i] / tau);
		ht_basis_leave(&l->b, v);
		both = ht_dot(f->y, v, n);
		square = ht_dot(v, v, n);
		if (both > 0 && square > HT_ROUNDING)
			fills = fmax(fills, both * both / square);
	}
	return (all - fills) / (all - f->slope * f->slope * l->ramp2 + 1);
}

/* --- what recurs --------------------------------------------------------- */

static double relative(const struct lives *l, const struct fit *f)
{
	return f->mean > 0 ? fabs(rise_of(l, f)) / f->mean : 0;
}

/* What others do with age, beside load and day. */
static void compare(struct lives *l)
{
	double change[CLASSES_MAX];
	size_t n = 0;
	struct fit f;

	l->falls = 0;
	for (size_t c = 0; c < l->classes; c++) {
		fit_ramp(l, l->x[c], &f);
		if (f.mean >= ht_t.compared_share * l->level &&
		    n < HT_POINTS_MAX)
			change[n++] = relative(l, &f);
		if (f.t <= -ht_t.fall_t)
			l->falls -= rise_of(l, &f);
	}
	l->usual = (double)n >= ht_t.compared_least
			   ? ht_quantile(change, n, ht_t.usual_part)
			   : NAN;
}

static double confidence_of(const struct lives *l,
			    const struct ht_recurrence *r, double out)
{
	double most = ht_confidence_seen(l->hours);

	if ((double)r->lives < ht_t.lives_sure || r->filling < ht_t.line_fit ||
	    !r->class || r->pace < ht_t.lives_pace)
		most = fmin(most, ht_t.confidence_fill);
	return fmin(ht_confidence_sum(l->hours, r->t, out), most);
}

static void consider(const struct lives *l, const double *x,
		     const struct ht_class_series *class, double least,
		     struct ht_recurrence *best)
{
	struct ht_recurrence r = {.class = class};
	double out, rise;
	struct fit f;

	fit_ramp(l, x, &f);
	rise = rise_of(l, &f);
	out = isnan(l->usual)
		      ? NAN
		      : relative(l, &f) / fmax(l->usual, ht_t.usual_least);
	r.spread = ht_spread(f.left, l->b.n);
	if (!(f.t >= ht_t.lasting_t) || rise < least ||
	    rise < ht_t.lasting_spread * r.spread || !agree(l, &f, &r) ||
	    (class &&
	     (!(out >= ht_t.stands_out) || rise < ht_t.falls_share * l->falls)))
		return;
	find_pace(l, &f, &r);
	r.filling = filling(l, &f);
	if (r.filling < ht_t.filling_fit || !(r.pace >= ht_t.pace_day)) {
		if (class && best->filled_n < HT_RECURRENCE_FILLED)
			best->filled[best->filled_n++] = class;
		return;
	}
	memcpy(r.filled, best->filled, sizeof(r.filled));
	r.filled_n = best->filled_n;
	r.age = l->age[l->b.n - 1];
	r.rising = best->rising + (class ? 1 : 0);
	r.rise = best->rise + (class ? f.slope * r.age : 0);
	best->rising = r.rising;
	best->rise = r.rise;
	r.mean = f.mean;
	r.slope = f.slope;
	r.se = f.se;
	r.t = f.t;
	r.load_known = l->b.load_known;
	r.day_known = l->b.day_known;
	r.confidence = confidence_of(l, &r, out);
	if (best->lives == 0 ||
	    r.confidence > best->confidence + ht_t.as_sure ||
	    (r.confidence > best->confidence - ht_t.as_sure &&
	     r.slope > best->slope))
		*best = r;
}

struct ht_trend ht_recurrence_trend(const struct ht_recurrence *r)
{
	return (struct ht_trend){
		.mean = r->mean,
		.end = r->age,
		.slope = r->slope,
		.se = r->se,
		.t = r->t,
		.rise = r->slope * r->age,
		.spread = r->spread,
		.pace = r->pace,
		.pace_se = r->pace_se,
		.filling = r->filling,
		.step_at = NAN,
	};
}

bool ht_recurrence_fills(const struct ht_recurrence *r,
			 const struct ht_class_series *class)
{
	for (size_t i = 0; i < r->filled_n; i++)
		if (r->filled[i] == class)
			return true;
	return false;
}

void ht_recurrence_find(const struct ht_series *s, int64_t from_ns,
			int64_t to_ns, struct ht_recurrence *ret)
{
	struct lives l;

	memset(ret, 0, sizeof(*ret));
	if (s->earlier_n == 0 || !open_lives(s, from_ns, to_ns, &l))
		return;
	l.b.n = l.classes = 0;
	l.longest = l.hours = 0;
	for (size_t k = 0; k < l.n; k++)
		add_points(&l, &l.life[k], HT_POINTS_MAX / l.n);
	read_lives(&l);
	make_basis(&l);
	if (!(l.ramp2 > 0))
		return;
	compare(&l);
	for (size_t c = 0; c < l.classes; c++)
		consider(&l, l.x[c], l.class[c],
			 fmax(ht_t.class_bytes, ht_t.lasting_share * l.level),
			 ret);
	consider(&l, l.x[l.classes], NULL,
		 fmax(ht_t.rise_bytes, ht_t.lasting_total * l.level), ret);
}
