/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/growth.h"

#include <math.h>

#include "analysis/season.h"
#include "analysis/thresholds.h"
#include "common/clock.h"

struct floors {
	size_t n;
	double t[HT_FLOORS_MAX], x[HT_FLOORS_MAX];
};

static void floors_of(const struct ht_points *p, size_t k, struct floors *f)
{
	f->n = ht_floors(p, k < HT_FLOORS_MAX ? k : HT_FLOORS_MAX, f->t, f->x);
}

/* Speed of a part of the window: Theil-Sen's, or the way from its first quarter
 * to its last one when that is more: the second sees staircases. */
static double speed_of(const struct ht_points *part)
{
	double slope, way, time;
	size_t k = part->n / 4 ? part->n / 4 : 1, last = part->n - k;

	if ((double)part->n < ht_t.speed_points || ht_points_span(part) <= 0)
		return NAN;
	slope = ht_theil_sen(part->t, part->low, part->n);
	way = ht_median(part->low + last, k) - ht_median(part->low, k);
	time = ht_median(part->t + last, k) - ht_median(part->t, k);
	return time > 0 ? fmax(slope, way / time) : slope;
}

static double speed_between(const struct ht_points *p, double from, double to)
{
	struct ht_points part;

	ht_points_part(p, from, to, &part);
	return speed_of(&part);
}

static bool rising(const struct ht_points *late, const struct floors *f,
		   double level, double least, struct ht_growth *g)
{
	struct ht_line line = ht_line_of(late->t, late->low, late->n);
	size_t k = (size_t)(ht_t.late_part * (double)f->n + 0.5);
	double tau = k >= 2 ? ht_kendall(f->x + f->n - k, k) : 0;
	double enough = fmax(fmax(least / 4, ht_t.late_share * level),
			     ht_t.late_of_rise * g->rise);

	g->slope = speed_of(late);
	g->late_rise = g->slope * ht_points_span(late);
	ht_sen_interval(late->t, late->low, late->n, line.effective,
			&g->slope_low, &g->slope_high);
	if (!(g->late_rise >= enough))
		return false;
	return line.t >= ht_t.late_t ||
	       (tau >= ht_t.late_tau && line.t >= ht_t.late_tau_t) ||
	       (g->t >= ht_t.whole_t && line.t >= ht_t.whole_late_t);
}

/* The end is higher than all that came before. */
static bool is_record(const struct ht_points *p, const struct floors *f)
{
	struct ht_points tail, head;

	for (size_t i = 0; i + 1 < f->n; i++)
		if (f->x[i] > f->x[f->n - 1])
			return false;
	ht_points_part(p, 1 - ht_t.record_tail, 1, &tail);
	ht_points_part(p, 0, ht_t.record_head, &head);
	return ht_quantile(tail.low, tail.n, 0) >=
	       ht_quantile(head.low, head.n, HT_P95);
}

/* Sums of squares around the best single step of a part, and around the least
 * squares line. */
struct fit {
	double step, line; /* what is left unexplained */
	size_t at;	   /* first point after the step */
	double height;
};

static struct fit fit_of(const struct ht_points *p)
{
	double n = (double)p->n, sx = 0, st = 0, stt = 0, stx = 0, sxx = 0;
	struct fit f = {.step = INFINITY};
	double before = 0;

	for (size_t i = 0; i < p->n; i++) {
		double t = p->t[i] - p->t[0], x = p->low[i] - p->low[0];

		sx += x;
		st += t;
		stt += t * t;
		stx += t * x;
		sxx += x * x;
	}
	f.line = sxx - sx * sx / n -
		 pow(stx - st * sx / n, 2) / (stt - st * st / n);
	for (size_t i = 1; i < p->n; i++) {
		double m = (double)i, left;

		before += p->low[i - 1] - p->low[0];
		left = sxx - before * before / m -
		       (sx - before) * (sx - before) / (n - m);
		if (left >= f.step)
			continue;
		f.step = left;
		f.at = i;
		f.height = (sx - before) / (n - m) - before / m;
	}
	return f;
}

/* The part just before the late one rose as well: a step on top of growth. */
static bool rose_before(const struct ht_points *p, const struct ht_growth *g)
{
	double end = 1 - ht_t.late_part;
	struct ht_points part;
	struct ht_line line;

	ht_points_part(p, end - ht_t.late_part / 2, end, &part);
	line = ht_line_of(part.t, part.low, part.n);
	return line.rise >= ht_t.before_share * g->rise &&
	       line.t >= ht_t.whole_late_t;
}

/* One step explains the late part better than a line does: a level shift.
 * Several steps, a staircase, are closer to the line. */
static bool single_jump(const struct ht_points *p, const struct ht_points *late,
			struct ht_growth *g)
{
	struct fit f = fit_of(late);

	if (!(f.step < ht_t.jump_fit * f.line) || rose_before(p, g))
		return false;
	g->jump_at = late->t[f.at];
	g->jump = f.height;
	return true;
}

/* --- a rise that is over -------------------------------------------------- */

/* Squares about the mean of [from, to). */
static double about_mean(const double *x, size_t from, size_t to)
{
	double sum = 0, squares = 0;

	for (size_t i = from; i < to; i++) {
		sum += x[i] - x[from];
		squares += (x[i] - x[from]) * (x[i] - x[from]);
	}
	return squares - sum * sum / (double)(to - from);
}

static double mean_of(const double *x, size_t from, size_t to)
{
	double sum = 0;

	for (size_t i = from; i < to; i++)
		sum += x[i];
	return sum / (double)(to - from);
}

/* Level before i, and a line from there to the end. */
static double hinge_left(const struct ht_points *p, size_t i, double first)
{
	double tt = 0, tx = 0, xx = 0;

	for (size_t k = i; k < p->n; k++) {
		double t = p->t[k] - p->t[i - 1], x = p->low[k] - first;

		tt += t * t;
		tx += t * x;
		xx += x * x;
	}
	return tt > 0 ? xx - tx * tx / tt : xx;
}

/* What lies between i and j, beside the straight way from one level to the
 * other. */
static double way_left(const struct ht_points *p, size_t i, size_t j,
		       double first, double last)
{
	double slope = (last - first) / (p->t[j] - p->t[i - 1]), sum = 0;

	for (size_t k = i; k < j; k++) {
		double off =
			p->low[k] - first - slope * (p->t[k] - p->t[i - 1]);

		sum += off * off;
	}
	return sum;
}

/* The longest time between i and j in which no new height was reached. */
static double longest_rest(const struct ht_points *p, size_t i, size_t j)
{
	double most = p->low[i - 1], since = p->t[i - 1], longest = 0;

	for (size_t k = i; k <= j; k++) {
		if (!(p->low[k] > most))
			continue;
		most = p->low[k];
		longest = fmax(longest, p->t[k] - since);
		since = p->t[k];
	}
	return longest;
}

/* The best rise between two levels, against the best that goes on to the end.
 */
static bool ends_level(const struct ht_points *p, size_t least, size_t *ret_i,
		       size_t *ret_j)
{
	double best = INFINITY, hinge = INFINITY;

	for (size_t i = least; i + least < p->n; i++) {
		double first = mean_of(p->low, 0, i);
		double head = about_mean(p->low, 0, i);

		hinge = fmin(hinge, head + hinge_left(p, i, first));
		for (size_t j = i; j + least <= p->n; j++) {
			double last = mean_of(p->low, j, p->n), left;

			left = head + about_mean(p->low, j, p->n) +
			       way_left(p, i, j, first, last);
			if (left >= best)
				continue;
			best = left;
			*ret_i = i;
			*ret_j = j;
		}
	}
	return best < ht_t.over_fit * hinge;
}

/* Level, one rise that took its time, and level again for longer than it ever
 * rested: a heap that was made larger once, and no growth. */
static bool is_over(const struct ht_points *p)
{
	enum { PARTS = 3 }; /* level, rise, level; and points of each */
	size_t least = (size_t)fmax(PARTS, ht_t.over_part * (double)p->n);
	size_t i = least, j = least;

	if (p->n < PARTS * least || !ends_level(p, least, &i, &j))
		return false;
	return p->t[p->n - 1] - p->t[j] >=
	       ht_t.over_rests * longest_rest(p, i, j);
}

static bool slowing(const struct ht_points *p, struct ht_growth *g)
{
	double from = 1 - ht_t.late_part, fifth = ht_t.slow_part, left;
	double wide = speed_between(p, from, 1) / speed_between(p, fifth, from);
	double late = speed_between(p, 1 - fifth, 1) /
		      speed_between(p, from, 1 - fifth);

	/* from nothing to something is no slowing */
	g->speed_wide = wide > 0 ? wide : INFINITY;
	g->speed_late = isfinite(late) ? late : INFINITY;
	left = g->speed_late > 0 && g->speed_late < 1
		       ? g->late_rise * g->speed_late / (1 - g->speed_late)
		       : 0;
	g->plateau = p->x[p->n - 1] + left;
	/* a fifth of few points is too little to measure a speed in */
	if (g->speed_wide < ht_t.slow_wide)
		return g->speed_late < ht_t.slow_late ||
		       ((double)p->n < ht_t.few_rows && g->t >= ht_t.whole_t);
	return g->speed_late < ht_t.slow_hard &&
	       g->speed_wide < ht_t.slow_hard_wide;
}

/* With a season: the floors of the raw series, one a period, must rise too;
 * else only the peaks do. */
static bool floors_rise(const struct ht_points *raw, double period,
			double slope)
{
	struct floors f;
	size_t k = (size_t)(ht_points_span(raw) / period + 0.5);

	floors_of(raw, k < 2 ? 2 : k, &f);
	return ht_theil_sen(f.t, f.x, f.n) >= ht_t.floor_slope * slope;
}

static void begin(struct ht_growth *g)
{
	*g = (struct ht_growth){
		.kind = HT_GROWTH_NONE,
		.speed_wide = 1,
		.speed_late = 1,
		.plateau = NAN,
		.since = NAN,
		.jump_at = NAN,
		.slope = 0,
	};
}

/* Bursts stand out above the robust line: cut off at 3 sigma, they bend neither
 * the speeds nor the fits below. What most of the late part lies above is no
 * burst but a new level: cut off, it would take the line's slope for its own.
 */
static void cap_bursts(const struct ht_points *p, const struct ht_line *line,
		       struct ht_points *ret)
{
	double at_zero[HT_POINTS_MAX], level;
	double late = p->t[p->n - 1] - ht_t.late_part * ht_points_span(p);
	size_t cut = 0, seen = 0;

	*ret = *p;
	for (size_t i = 0; i < p->n; i++)
		at_zero[i] = p->low[i] - line->slope * p->t[i];
	level = ht_median(at_zero, p->n);
	for (size_t i = 0; i < p->n; i++) {
		double top = level + line->slope * p->t[i] +
			     ht_t.burst_sigmas * line->sigma;

		ret->low[i] = fmin(p->low[i], top);
		seen += p->t[i] >= late;
		cut += p->t[i] >= late && p->low[i] > top;
	}
	if (2 * cut > seen)
		*ret = *p;
}

static enum ht_growth_kind judge(const struct ht_points *p, double level,
				 double least, struct ht_growth *g)
{
	struct ht_points late, capped;
	struct ht_line line;
	struct floors f;
	size_t quarter;

	floors_of(p, ht_floors_count(p->n), &f);
	if ((double)f.n < ht_t.least_floors)
		return HT_GROWTH_NONE;
	quarter = f.n / 4;
	g->first = ht_median(f.x, quarter);
	g->last = ht_median(f.x + f.n - quarter, quarter);
	g->rise = g->last - g->first;
	g->tau = ht_kendall(f.x, f.n);
	line = ht_line_of(p->t, p->low, p->n);
	g->t = line.t;
	cap_bursts(p, &line, &capped);
	g->record = is_record(p, &f);
	ht_points_part(&capped, 1 - ht_t.late_part, 1, &late);
	if (g->rise < fmax(least, ht_t.rise_share * level))
		return HT_GROWTH_NONE;
	if (!rising(&late, &f, level, least, g))
		return HT_GROWTH_FLAT;
	if (!g->record &&
	    !(g->t >= ht_t.support_t && g->tau >= ht_t.support_tau))
		return HT_GROWTH_NONE;
	if (single_jump(&capped, &late, g))
		return HT_GROWTH_FLAT;
	if (slowing(&capped, g))
		return HT_GROWTH_SLOWING;
	return is_over(p) ? HT_GROWTH_FLAT : HT_GROWTH_SUSTAINED;
}

/* A wave that is sampled k times a period drifts by up to its swing / k from
 * period to period when k is no whole number: no growth. */
static double drift_of_samples(const struct ht_points *p, double period)
{
	double swing = ht_spread(p->x, p->n);

	return swing * ht_points_span(p) / (double)(p->n - 1) / period;
}

static void judge_without_season(const struct ht_points *p, double level,
				 double least, double period,
				 struct ht_growth *ret)
{
	struct ht_points mean;

	ht_season_remove(p, period, &mean);
	if ((double)mean.n < ht_t.least_points)
		return;
	ret->kind = judge(&mean, level,
			  fmax(least, drift_of_samples(p, period)), ret);
	if (ret->kind >= HT_GROWTH_SLOWING &&
	    !floors_rise(p, period, ret->slope))
		ret->kind = HT_GROWTH_NONE;
}

void ht_growth(const struct ht_points *p, double level, double least,
	       double period, struct ht_growth *ret)
{
	struct ht_growth raw;

	begin(ret);
	if ((double)p->n < ht_t.least_points || ht_points_span(p) <= 0)
		return;
	begin(&raw);
	raw.kind = judge(p, level, least, &raw);
	if (isnan(period))
		*ret = raw;
	else
		judge_without_season(p, level, least, period, ret);
	/* bursts are no season: their mean is noise, while their floors rise in
	 * order, which no season's do */
	if (ret->kind < HT_GROWTH_SLOWING && raw.kind == HT_GROWTH_SUSTAINED &&
	    raw.t >= ht_t.whole_t && raw.tau >= ht_t.envelope_tau)
		*ret = raw;
	if (ret->kind >= HT_GROWTH_SLOWING)
		ret->since = p->t[ht_hinge(p)];
}

struct ht_growth ht_growth_of_trend(const struct ht_trend *t,
				    enum ht_growth_kind kind, int64_t since_ns)
{
	/* 80 % of what the fit does not know, and what no fit knows: how much
	 * of a page each chunk takes with it, the peak of tomorrow */
	double half = hypot(ht_t.speed_se * t->se, ht_t.speed_model * t->slope);

	return (struct ht_growth){
		.kind = kind,
		.rise = t->rise,
		.first = fmax(0, t->mean - t->rise / 2),
		.last = fmax(0, t->mean - t->rise / 2) + t->rise,
		.tau = 1,
		.t = t->t,
		.record = true,
		.slope = t->slope / HT_HOUR_S,
		.slope_low = (t->slope - half) / HT_HOUR_S,
		.slope_high = (t->slope + half) / HT_HOUR_S,
		.late_rise = t->rise * ht_t.late_part,
		.speed_wide = t->pace,
		.speed_late = isfinite(t->pace) ? t->pace : 1,
		.plateau = NAN,
		.since = (double)since_ns / (double)HT_NS_PER_S,
		.jump_at = NAN,
	};
}
