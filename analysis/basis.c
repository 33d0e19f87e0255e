/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/basis.h"

#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"

void ht_basis_leave(const struct ht_basis *b, double *x)
{
	for (size_t k = 0; k < b->k; k++)
		ht_take(x, ht_dot(x, b->q[k], b->n), b->q[k], b->n);
}

/* What little is left of a vector that the others nearly make up is noise. */
void ht_basis_add(struct ht_basis *b, const double *x)
{
	double y[HT_POINTS_MAX], before, after;

	if (b->k == HT_BASIS)
		return;
	memcpy(y, x, b->n * sizeof(*y));
	before = ht_dot(y, y, b->n);
	ht_basis_leave(b, y);
	ht_basis_leave(b, y);
	after = ht_dot(y, y, b->n);
	if (!(after > ht_t.basis_left * before))
		return;
	for (size_t i = 0; i < b->n; i++)
		b->q[b->k][i] = y[i] / sqrt(after);
	b->k++;
}

void ht_basis_add_load(struct ht_basis *b)
{
	double square[HT_POINTS_MAX], lag[HT_POINTS_MAX], at = b->load[0];

	for (size_t i = 0; i < b->n; i++) {
		double step = i ? b->t[i] - b->t[i - 1] : 0;

		square[i] = b->load[i] * b->load[i];
		at += (b->load[i] - at) * (1 - exp(-step / ht_t.load_lag));
		lag[i] = at;
	}
	ht_basis_add(b, b->load);
	ht_basis_add(b, square);
	ht_basis_add(b, lag);
}

static void add_wave(struct ht_basis *b, double period)
{
	double x[HT_POINTS_MAX] = {0};

	for (int quarter = 0; quarter < 2; quarter++) {
		for (size_t i = 0; i < b->n; i++)
			x[i] = cos(2 * M_PI * b->t[i] / period -
				   quarter * M_PI / 2);
		ht_basis_add(b, x);
	}
}

static void make_clocks(struct ht_basis *b, const double *work)
{
	double span = b->t[b->n - 1] - b->t[0];
	double done = b->work_known ? work[b->n - 1] - work[0] : 0;

	b->work_known = done > 0;
	for (size_t i = 0; i < b->n; i++) {
		b->clock[HT_CLOCK_TIME][i] = b->t[i];
		b->clock[HT_CLOCK_WORK][i] =
			b->work_known ? (work[i] - work[0]) / done * span
				      : b->t[i];
	}
}

static void hinge_from(const struct ht_basis *b, enum ht_clock c, size_t at,
		       double *ret)
{
	const double *clock = b->clock[c];

	for (size_t i = 0; i < b->n; i++)
		ret[i] = fmax(0, clock[i] - clock[at]);
	ht_basis_leave(b, ret);
}

static void make_hinges(struct ht_basis *b)
{
	size_t every = (b->n + HT_HINGES - 2) / (HT_HINGES - 1);

	for (size_t at = 0;
	     at + (size_t)ht_t.hinge_points <= b->n && b->hinges < HT_HINGES;
	     at += every) {
		size_t h = b->hinges++;

		b->at[h] = at;
		for (int c = 0; c < HT_CLOCKS; c++) {
			hinge_from(b, (enum ht_clock)c, at, b->hinge[c][h]);
			b->hinge2[c][h] =
				ht_dot(b->hinge[c][h], b->hinge[c][h], b->n);
		}
	}
}

static void make_steps(struct ht_basis *b)
{
	for (size_t at = 2; at + 2 < b->n; at++) {
		for (size_t i = 0; i < b->n; i++)
			b->step[at][i] = i >= at;
		ht_basis_leave(b, b->step[at]);
		b->step2[at] = ht_dot(b->step[at], b->step[at], b->n);
	}
}

void ht_basis_begin(struct ht_basis *b)
{
	b->k = b->hinges = 0;
	b->day_known = false;
}

void ht_basis_add_day(struct ht_basis *b, double span)
{
	b->day_known = span >= ht_t.day_known_hours;
	if (span >= ht_t.day_seen_hours)
		add_wave(b, HT_DAY_H);
	if (b->day_known)
		add_wave(b, (double)HT_DAY_H / 2);
}

void ht_basis_make(struct ht_basis *b, const double *work)
{
	double one[HT_POINTS_MAX] = {0};

	ht_basis_begin(b);
	for (size_t i = 0; i < b->n; i++)
		one[i] = 1;
	ht_basis_add(b, one);
	if (b->load_known)
		ht_basis_add_load(b);
	ht_basis_add_day(b, b->t[b->n - 1] - b->t[0]);
	make_clocks(b, work);
	make_hinges(b);
	make_steps(b);
}

/* --- one series ---------------------------------------------------------- */

#define STEPS_MAX 2
struct fit {
	const struct ht_basis *b;
	double x[HT_POINTS_MAX]; /* what the basis and the steps leave */
	size_t steps;
	double step[STEPS_MAX][HT_POINTS_MAX]; /* orthonormal */
	size_t step_at[STEPS_MAX];
	double height[STEPS_MAX];
};

/* Out of what was before and of what comes after, to the same side, by more
 * than these differ: the edge of a step is no bump. */
static bool stands_alone(const double *x, size_t n, size_t i, size_t side,
			 double limit)
{
	size_t from = i < side ? 0 : i - side;
	size_t rest = i + side < n ? side : n - 1 - i;
	double before, after;

	if (i == from || rest == 0)
		return true;
	before = x[i] - ht_median(x + from, i - from);
	after = x[i] - ht_median(x + i + 1, rest);
	return before * after > 0 && fmin(fabs(before), fabs(after)) >
					     fmax(limit, fabs(before - after));
}

/* A lone bump (a batch, a burst) is replaced by the median around it. */
static void without_bumps(const double *x, size_t n, double *ret)
{
	double around[HT_POINTS_MAX], off[HT_POINTS_MAX] = {0}, limit;
	size_t side = (size_t)ht_t.bump_side;

	for (size_t i = 0; i < n; i++) {
		size_t from = i < side ? 0 : i - side;
		size_t end = i + side + 1 < n ? i + side + 1 : n;

		around[i] = ht_median(x + from, end - from);
		off[i] = fabs(x[i] - around[i]);
	}
	limit = ht_t.bump_sigmas * HT_MAD_SIGMA * ht_median(off, n);
	for (size_t i = 0; i < n; i++)
		ret[i] = off[i] > limit && i + side < n &&
					 stands_alone(x, n, i, 2 * side - 1,
						      limit)
				 ? around[i]
				 : x[i];
}

/* A vector of the basis less what the series' own steps take of it. */
static double beside_steps(const struct fit *f, const double *v, double square,
			   double *ret)
{
	memcpy(ret, v, f->b->n * sizeof(*ret));
	for (size_t s = 0; s < f->steps; s++) {
		double part = ht_dot(v, f->step[s], f->b->n);

		ht_take(ret, part, f->step[s], f->b->n);
		square -= part * part;
	}
	return square;
}

struct best {
	double gain, factor, square;
	enum ht_clock clock;
	size_t at;	 /* hinge, or point of the step */
	const double *v; /* as in the basis */
};

/* Sums from each point to the end, of x and of x times each clock: the product
 * of a vector that is free of the basis with any step or hinge. */
struct sums {
	double of[HT_POINTS_MAX + 1];
	double by[HT_CLOCKS][HT_POINTS_MAX + 1];
};

static void sum_up(const struct ht_basis *b, const double *x, struct sums *ret)
{
	size_t n = b->n;

	ret->of[n] = ret->by[0][n] = ret->by[1][n] = 0;
	for (size_t i = n; i-- > 0;) {
		ret->of[i] = ret->of[i + 1] + x[i];
		for (int c = 0; c < HT_CLOCKS; c++)
			ret->by[c][i] =
				ret->by[c][i + 1] + x[i] * b->clock[c][i];
	}
}

/* Products with the residual and with each step already taken. */
static void sum_all(const struct fit *f, struct sums ret[1 + STEPS_MAX])
{
	sum_up(f->b, f->x, &ret[0]);
	for (size_t s = 0; s < f->steps; s++)
		sum_up(f->b, f->step[s], &ret[1 + s]);
}

/* Least squares by a vector less what the steps take of it. */
static void try(const struct fit *f, const double *products, double whole,
		struct best *best, const struct best *is)
{
	double square = whole, gain;

	for (size_t s = 0; s < f->steps; s++)
		square -= products[1 + s] * products[1 + s];
	gain = products[0] * products[0] / square;
	if (!(square > ht_t.step_left * whole) || !(gain > best->gain))
		return;
	*best = *is;
	best->gain = gain;
	best->factor = products[0] / square;
	best->square = square;
}

static struct best best_hinge(const struct fit *f)
{
	const struct ht_basis *b = f->b;
	struct best best = {.gain = 0};
	double products[1 + STEPS_MAX];
	struct sums sums[1 + STEPS_MAX];
	int clocks = b->work_known ? HT_CLOCKS : 1;

	sum_all(f, sums);
	for (int c = 0; c < clocks; c++)
		for (size_t h = 0; h < b->hinges; h++) {
			const struct best is = {.clock = (enum ht_clock)c,
						.at = h,
						.v = b->hinge[c][h]};
			size_t at = b->at[h];

			for (size_t s = 0; s <= f->steps; s++)
				products[s] = sums[s].by[c][at] -
					      b->clock[c][at] * sums[s].of[at];
			try(f, products, b->hinge2[c][h], &best, &is);
		}
	return best;
}

static struct best best_step(const struct fit *f)
{
	struct best best = {.gain = 0};
	double products[1 + STEPS_MAX];
	struct sums sums[1 + STEPS_MAX];

	sum_all(f, sums);
	for (size_t at = 2; at + 2 < f->b->n; at++) {
		const struct best is = {.at = at, .v = f->b->step[at]};

		for (size_t s = 0; s <= f->steps; s++)
			products[s] = sums[s].of[at];
		try(f, products, f->b->step2[at], &best, &is);
	}
	return best;
}

/* Steps are taken out while one explains clearly more than a slope does. */
static struct best take_steps(struct fit *f)
{
	struct best hinge = best_hinge(f);
	double own[HT_POINTS_MAX];

	while (f->steps < STEPS_MAX) {
		double all = ht_dot(f->x, f->x, f->b->n);
		struct best step;

		if (hinge.gain <
		    ht_t.step_gain * all) /* nothing to mistake for it */
			break;
		step = best_step(f);
		if (!(all - step.gain < ht_t.step_fit * (all - hinge.gain)))
			break;
		beside_steps(f, step.v, step.square, own);
		for (size_t i = 0; i < f->b->n; i++)
			f->step[f->steps][i] = own[i] / sqrt(step.square);
		ht_take(f->x, step.factor, own, f->b->n);
		f->step_at[f->steps] = step.at;
		f->height[f->steps++] = step.factor;
		hinge = best_hinge(f);
	}
	return hinge;
}

double ht_basis_inflation(const double *x, size_t n)
{
	double both = 0, square = ht_dot(x, x, n), rho;

	for (size_t i = 0; i + 1 < n; i++)
		both += x[i] * x[i + 1];
	rho = square > 0 ? fmax(0, fmin(ht_t.inflation_most, both / square))
			 : 0;
	return (1 + rho) / (1 - rho);
}

/* Speed of the last 40 % of the growth against that of the part before: a
 * second hinge there. */
static void find_pace(const struct fit *f, const struct best *h,
		      const double *hinge, const double *left, double variance,
		      struct ht_trend *ret)
{
	const struct ht_basis *b = f->b;
	size_t from = b->at[h->at], at = from;
	double own[HT_POINTS_MAX], v[HT_POINTS_MAX], share, square, change, se;
	double begin = b->clock[h->clock][from],
	       end = b->clock[h->clock][b->n - 1], early, late;

	while (at + (size_t)ht_t.late_points < b->n &&
	       b->clock[h->clock][at] <
		       begin + (1 - ht_t.late_part) * (end - begin))
		at++;
	hinge_from(b, h->clock, at, v);
	square = beside_steps(f, v, ht_dot(v, v, b->n), own);
	share = ht_dot(own, hinge, b->n) / h->square;
	ht_take(own, share, hinge, b->n);
	square -= share * share * h->square;
	ret->pace = ret->pace_se = NAN;
	if (!(square > 0))
		return;
	change = ht_dot(left, own, b->n) / square;
	se = sqrt(variance / square);
	early = h->factor - change * share;
	late = early + change;
	ret->pace = early > 0 && h->factor > 0 ? late / early
		    : h->factor > 0	       ? INFINITY
					       : NAN;
	ret->pace_se = fabs(se / h->factor);
	ret->late_t =
		late / sqrt(variance * (1 / h->square +
					(1 - share) * (1 - share) / square));
}

/* Of what is left when load and day are taken out, with growth and steps put
 * back: what comes down again and again is gathered and dropped. */
static double deepest_fall(const struct fit *f, const struct best *h,
			   const double *left)
{
	const struct ht_basis *b = f->b;
	const double *clock = b->clock[h->clock];
	double top = -INFINITY, deepest = 0;

	for (size_t i = 0; i < b->n; i++) {
		double x = left[i] +
			   h->factor * fmax(0, clock[i] - clock[b->at[h->at]]);

		for (size_t s = 0; s < f->steps; s++)
			x += i >= f->step_at[s] ? f->height[s] : 0;
		top = fmax(top, x);
		deepest = fmax(deepest, top - x);
	}
	return deepest;
}

static void describe(const struct fit *f, const struct best *h,
		     struct ht_trend *ret)
{
	const struct ht_basis *b = f->b;
	double left[HT_POINTS_MAX], own[HT_POINTS_MAX], variance, free;

	beside_steps(f, h->v, h->square, own);
	memcpy(left, f->x, sizeof(left));
	ht_take(left, h->factor, own, b->n);
	ret->drop = deepest_fall(f, h, left);
	free = (double)b->n - (double)b->k - 2 - (double)f->steps;
	/* figures are whole pages and buckets: never surer than that */
	variance = (ht_dot(left, left, b->n) + 1) / fmax(free, 1) *
		   ht_basis_inflation(left, b->n);
	ret->clock = h->clock;
	ret->begin = b->t[b->at[h->at]];
	ret->end = b->t[b->n - 1];
	ret->rise = h->factor * (b->clock[h->clock][b->n - 1] -
				 b->clock[h->clock][b->at[h->at]]);
	ret->slope = ret->rise / (ret->end - ret->begin);
	ret->t = h->factor / sqrt(variance / h->square);
	ret->se = fabs(ret->slope / ret->t);
	ret->spread = ht_spread(left, b->n);
	find_pace(f, h, own, left, variance, ret);
}

/* What load may explain of a curve, it may also bend into one: before days are
 * taken out, the load as it is must do. */
static size_t plain(const struct ht_basis *b)
{
	return b->day_known ? b->k : b->load_known ? 2 : 1;
}

static double squares_of(const struct ht_basis *b, const double *x, double *v)
{
	double square, both;

	for (size_t k = 0; k < plain(b); k++)
		ht_take(v, ht_dot(v, b->q[k], b->n), b->q[k], b->n);
	square = ht_dot(v, v, b->n);
	both = ht_dot(x, v, b->n);
	return both > 0 && square > HT_ROUNDING ? both * both / square : 0;
}

/* Squares that the best line explains that rises from some moment on (tau 0),
 * or the best curve that fills with that time constant: by the clock or the
 * work. */
static double best_curve(const struct ht_basis *b, const double *x, double tau)
{
	double v[HT_POINTS_MAX], best = 0;
	int clocks = b->work_known ? HT_CLOCKS : 1;

	for (int c = 0; c < clocks; c++)
		for (size_t h = 0; h < b->hinges; h += 2) {
			for (size_t i = 0; i < b->n; i++) {
				double age =
					fmax(0, b->clock[c][i] -
							b->clock[c][b->at[h]]);

				v[i] = tau > 0 ? -expm1(-age / tau) : age;
			}
			best = fmax(best, squares_of(b, x, v));
		}
	return best;
}

void ht_trend_of(const struct ht_basis *b, const double *x,
		 struct ht_trend *ret)
{
	struct fit f = {.b = b};
	double smooth[HT_POINTS_MAX];
	struct best h;

	*ret = (struct ht_trend){.pace = NAN, .step_at = NAN};
	for (size_t i = 0; i < b->n; i++)
		ret->mean += x[i] / (double)b->n;
	for (size_t i = 0; i < b->n; i++)
		f.x[i] = x[i] - ret->mean;
	ht_basis_leave(b, f.x);
	/* beside the load: its own steep hours are no bumps */
	without_bumps(f.x, b->n, smooth);
	memcpy(f.x, smooth, sizeof(f.x));
	ht_basis_leave(b, f.x);
	h = take_steps(&f);
	ret->steps = f.steps;
	for (size_t s = 0; s < f.steps; s++)
		if (fabs(f.height[s]) > fabs(ret->step)) {
			ret->step = f.height[s];
			ret->step_at = b->t[f.step_at[s]];
		}
	if (h.gain > 0)
		describe(&f, &h, ret);
}

#define FILLINGS 4 /* time constants, each twice the one before */

/* Asked without steps: two of them and a slope make a curve as well. */
double ht_trend_filling(const struct ht_basis *b, const double *raw)
{
	double span = b->t[b->n - 1] - b->t[0], x[HT_POINTS_MAX], all, line;
	double bumpy[HT_POINTS_MAX];
	double fills = 0, tau = ht_t.filling_tau * span;

	memcpy(bumpy, raw, b->n * sizeof(*bumpy));
	for (size_t k = 0; k < plain(b); k++)
		ht_take(bumpy, ht_dot(bumpy, b->q[k], b->n), b->q[k], b->n);
	without_bumps(bumpy, b->n, x);
	for (size_t k = 0; k < plain(b); k++)
		ht_take(x, ht_dot(x, b->q[k], b->n), b->q[k], b->n);
	all = ht_dot(x, x, b->n);
	line = best_curve(b, x, 0);
	if (line < ht_t.filling_line * all)
		return 1;
	for (size_t k = 0; k < FILLINGS; k++, tau *= 2)
		fills = fmax(fills, best_curve(b, x, tau));
	return (all - fills) / (all - line + 1);
}
