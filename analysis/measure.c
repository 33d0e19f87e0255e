/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/measure.h"

#include <math.h>
#include <string.h>

#include "analysis/season.h"
#include "analysis/thresholds.h"

static void column_points(const struct ht_window *w, enum ht_need m,
			  struct ht_points *ret)
{
	double low[HT_POINTS_MAX], mid[HT_POINTS_MAX], high[HT_POINTS_MAX];

	ht_window_column(w, m, HT_STAT_P10, low);
	ht_window_column(w, m, HT_STAT_MEDIAN, mid);
	ht_window_column(w, m, HT_STAT_MAX, high);
	ht_window_points(w, low, mid, high, ret);
}

/* a + b, where b counts 0 when it is unknown (no swap, no shared memory). */
static void sum_points(const struct ht_window *w, enum ht_need a,
		       enum ht_need b, struct ht_points *ret)
{
	double sum[3][HT_POINTS_MAX], other[HT_POINTS_MAX];
	const enum ht_stat stat[3] = {HT_STAT_P10, HT_STAT_MEDIAN, HT_STAT_MAX};

	for (size_t k = 0; k < sizeof(stat) / sizeof(*stat); k++) {
		ht_window_column(w, a, stat[k], sum[k]);
		ht_window_column(w, b, stat[k], other);
		for (size_t i = 0; i < w->n; i++)
			sum[k][i] += isnan(other[i]) ? 0 : other[i];
	}
	ht_window_points(w, sum[0], sum[1], sum[2], ret);
}

/* --- quiet moments ------------------------------------------------------- */

static double quantile_at(const struct ht_window *w, enum ht_need metric,
			  const size_t *at, size_t n, double q)
{
	double column[HT_POINTS_MAX], picked[HT_POINTS_MAX];
	size_t m = 0;

	ht_window_column(w, metric, HT_STAT_MEDIAN, column);
	for (size_t i = 0; i < n; i++)
		if (!isnan(column[at[i]]))
			picked[m++] = column[at[i]];
	return ht_quantile(picked, m, q);
}

/* Where the last part begins: after the last cut in it (a trim, a suspend),
 * when that leaves some rows. */
static size_t first_of_state(const struct ht_window *w)
{
	double from = (1 - ht_t.state_part) * w->t[w->n - 1];
	size_t first = 0, last = (size_t)ht_t.cut_rows;

	while (first + 1 < w->n && w->t[first] < from)
		first++;
	for (size_t b = w->n > last ? w->n - last : 0; b > first; b--)
		if (w->s->cut[w->begin[b]])
			return b;
	return first;
}

/* Up to which in use a moment is quiet: in the lowest trough_share of its
 * range; noise of a level series is no peak. */
static double quiet_edge(const double *u, size_t n)
{
	double lowest = ht_quantile(u, n, 0), highest = ht_quantile(u, n, 1);

	return lowest + fmax(ht_t.trough_share * (highest - lowest),
			     ht_t.quiet_noise * lowest);
}

/* Memory was given back since (a trim) when the last quiet moment keeps less
 * than half of what an earlier one kept: only those from then on count. */
static size_t since_given_back(const double *kept, size_t *at, size_t n)
{
	size_t from = n - 1;
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = fmax(most, kept[at[i]]);
	if (kept[at[n - 1]] >= ht_t.given_back * most)
		return n;
	while (from > 0 && kept[at[from - 1]] < ht_t.given_back * most)
		from--;
	memmove(at, at + from, (n - from) * sizeof(*at));
	return n - from;
}

/* Buckets of the last part where in use is low. */
static size_t quiet_moments(const struct ht_window *w, size_t *ret)
{
	double u[HT_POINTS_MAX], kept[HT_POINTS_MAX], known[HT_POINTS_MAX];
	size_t n = 0, m = 0, first = first_of_state(w);
	double edge;

	ht_window_column(w, HT_NEED_in_use, HT_STAT_MEDIAN, u);
	ht_window_column(w, HT_NEED_retained, HT_STAT_MEDIAN, kept);
	for (size_t i = first; i < w->n; i++)
		if (!isnan(u[i]) && !isnan(kept[i]))
			known[n++] = u[i];
	edge = quiet_edge(known, n);
	for (size_t i = first; i < w->n; i++)
		if (!isnan(u[i]) && !isnan(kept[i]) && u[i] <= edge)
			ret[m++] = i;
	return m ? since_given_back(kept, ret, m) : 0;
}

static void peaks_of_arenas(struct ht_measure *m)
{
	double u[HT_POINTS_MAX], end = m->w.t[m->w.n - 1];
	double part = ht_t.state_part * end;
	struct ht_quiet *q = &m->quiet;

	q->peak = q->peak_ever = NAN;
	if (!isnan(m->period))
		part = fmax(part, m->period);
	ht_window_column(&m->w, HT_NEED_in_use_arena, HT_STAT_MAX, u);
	for (size_t i = 0; i < m->w.n; i++) {
		q->peak_ever = fmax(q->peak_ever, u[i]);
		if (m->w.t[i] >= end - part)
			q->peak = fmax(q->peak, u[i]);
	}
}

static void quiet(struct ht_measure *m)
{
	size_t at[HT_POINTS_MAX], n = quiet_moments(&m->w, at);
	struct ht_quiet *q = &m->quiet;
	double blocked_4, blocked_span, swap;

	q->n = n;
#define AT(metric)     quantile_at(&m->w, HT_NEED_##metric, at, n, HT_MEDIAN)
#define MOSTLY(metric) quantile_at(&m->w, HT_NEED_##metric, at, n, ht_t.mostly)
	q->in_use = AT(in_use);
	q->retained = AT(retained);
	q->trimmable = AT(trimmable);
	q->tcache = AT(tcache);
	q->fastbin = AT(fastbin);
	q->top = AT(top);
	/* what is free and resident, and not below a top */
	q->top_resident =
		isnan(q->top) ? NAN
			      : fmin(q->top, q->retained - fmax(0, AT(pinned)));
	q->heap = AT(heap_resident);
	q->arenas = AT(arenas);
	q->arenas_holding = AT(arenas_holding);
	/* a cache is its thread's in whichever arena; not known where, so that
	 * all caches are taken out */
	q->shareable =
		AT(non_main_free_resident) - (isnan(q->tcache) ? 0 : q->tcache);
	if (q->shareable < 0)
		q->shareable = 0;
	q->resident_free = AT(resident_free);
	q->trim_threshold = AT(trim_threshold);
	q->stuck = AT(stuck);
	q->tops_kept = AT(tops_kept);
	if (isnan(q->stuck)) /* recorded before the causes were */
		q->stuck = fmax(0, q->retained - q->trimmable - q->tcache -
					   fmax(0, q->top - q->trimmable));
	if (isnan(q->tops_kept))
		q->tops_kept = fmin(fmax(0, q->top - q->trimmable),
				    q->retained - q->trimmable);
	if (q->fastbin > 0) /* they would join tops, and are none yet */
		q->tops_kept -= fmin(q->fastbin, q->tops_kept);
	q->unattached = AT(unattached_arenas);
	/* a pin stays: it holds in nearly all quiet moments, not in the median
	 */
	blocked_4 = MOSTLY(blocked_4);
	blocked_span = MOSTLY(blocked_span);
	swap = AT(swap);
	q->anon = AT(rss_anon) + (isnan(swap) ? 0 : swap);
#undef AT
#undef MOSTLY
	q->blocked = fmax(blocked_4, blocked_span); /* fmax: NaN loses */
	peaks_of_arenas(m);
}

/* --- the whole ----------------------------------------------------------- */

/* The first and the last level, and where a share of the way between is met. */
static double level_at(const struct ht_points *p, double share)
{
	size_t k = p->n / 8 ? p->n / 8 : 1;
	double first = ht_points_begin(p);

	return first + share * (ht_median(p->x + p->n - k, k) - first);
}

/* Time between rise_from and rise_to of the way from the first to the last
 * level. */
static double time_of_rise(const struct ht_points *p)
{
	double from = NAN, to = NAN;

	if (p->n < 2)
		return NAN;
	for (size_t i = 0; i < p->n; i++) {
		if (p->x[i] < level_at(p, ht_t.rise_from))
			from = p->t[i];
		if (isnan(to) && p->x[i] >= level_at(p, ht_t.rise_to))
			to = p->t[i];
	}
	return isnan(from) ? to - p->t[0] : fmax(0, to - from);
}

static double half_way(const struct ht_points *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->x[i] >= level_at(p, ht_t.half_way))
			return p->t[i];
	return NAN;
}

static double lowest_retained(const struct ht_window *w)
{
	double low[HT_POINTS_MAX], least = NAN;

	ht_window_column(w, HT_NEED_retained, HT_STAT_MIN, low);
	for (size_t i = 0; i < w->n; i++)
		least = fmin(least, low[i]);
	return least;
}

/* What the limit leaves beyond what the process has: others may take it. */
static double fall_of_room(const struct ht_window *w)
{
	double limit[HT_POINTS_MAX], anon[HT_POINTS_MAX], swap[HT_POINTS_MAX];
	struct ht_points room;

	ht_window_column(w, HT_NEED_limit, HT_STAT_MEDIAN, limit);
	ht_window_column(w, HT_NEED_rss_anon, HT_STAT_MEDIAN, anon);
	ht_window_column(w, HT_NEED_swap, HT_STAT_MEDIAN, swap);
	for (size_t i = 0; i < w->n; i++)
		limit[i] -= anon[i] + (isnan(swap[i]) ? 0 : swap[i]);
	ht_window_points(w, limit, limit, limit, &room);
	return room.n >= (size_t)ht_t.min_rows ? -ht_points_rise(&room) : NAN;
}

static void load(struct ht_measure *m)
{
	const struct ht_window *w = &m->w;
	struct ht_points limit, trimmable;

	column_points(w, HT_NEED_in_use, &m->in_use);
	column_points(w, HT_NEED_retained, &m->retained);
	column_points(w, HT_NEED_heap_resident, &m->heap);
	column_points(w, HT_NEED_rss_shmem, &m->shmem);
	column_points(w, HT_NEED_limit, &limit);
	sum_points(w, HT_NEED_rss_anon, HT_NEED_swap, &m->anon);
	sum_points(w, HT_NEED_non_malloc_anon, HT_NEED_rss_shmem, &m->outside);
	sum_points(w, HT_NEED_in_use_arena, HT_NEED_mmapped_resident,
		   &m->written);
	column_points(w, HT_NEED_trimmable, &trimmable);
	m->limit = ht_points_last(&limit);
	m->trimmable_now = ht_points_last(&trimmable);
	m->anon_now = ht_points_last(&m->anon);
	m->in_use_rise = ht_points_rise(&m->in_use);
	m->retained_rise = ht_points_rise(&m->retained);
	m->outside_rise = ht_points_rise(&m->outside);
	m->anon_rise = ht_points_rise(&m->anon);
	m->idle_floor = lowest_retained(w);
	m->room_fell = fall_of_room(w);
}

/* What the process has of its own: anonymous, swapped and shared memory. */
static double memory_now(const struct ht_measure *m)
{
	return m->anon_now + (m->shmem.n ? ht_points_last(&m->shmem) : 0);
}

/* Something in use grows, but the process grows mainly by memory that was
 * freed. What is retained is taken as heap less that growth: a burst at the
 * window's end uses what is retained for a moment, and does not shrink the
 * heap. */
static bool mostly_retained(const struct ht_measure *m, double in_use)
{
	double heap = ht_points_rise(&m->heap);

	return heap >= ht_t.guard_rise * m->anon_now &&
	       in_use < ht_t.guard_in_use * heap &&
	       heap - fmax(0, in_use) >= ht_t.guard_retained * m->anon_rise;
}

/* With few rows some of many classes rise by chance: each must explain the
 * heap's growth on its own. */
static bool guard(const struct ht_measure *m)
{
	double in_use = m->in_use_growth.rise;

	if ((double)m->w.n >= ht_t.few_rows)
		in_use = fmax(in_use, m->classes_rise);
	else if (m->in_use_growth.kind < HT_GROWTH_SLOWING)
		in_use = m->classes_rise;
	return mostly_retained(m, in_use);
}

static double mean_of(const struct ht_points *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		sum += p->x[i];
	return p->n ? sum / (double)p->n : NAN;
}

static bool reserves(const struct ht_measure *m)
{
	double asked = mean_of(&m->in_use);

	return asked - mean_of(&m->written) >= ht_t.reserve_share * asked;
}

/* Growth over hours and days takes the place of what the shape says. */
static void take_lasting(struct ht_measure *m)
{
	const struct ht_lasting *g = m->lasting;

	if (g->kind < HT_GROWTH_SLOWING)
		return;
	if (g->what == HT_LASTING_OUTSIDE) {
		m->outside_growth = g->growth;
		m->outside_rise = g->growth.rise;
		return;
	}
	if (g->class && g->kind == HT_GROWTH_SUSTAINED) {
		m->classes_rising = g->rising;
		m->classes_rise = g->rise;
		m->classes_leak = true;
		m->worst_class.series = g->class;
		m->worst_class.growth = g->growth;
		ht_measure_counts(&m->w, &m->worst_class);
		return;
	}
	m->in_use_growth = g->growth;
	m->in_use_growth.plateau = ht_points_last(&m->in_use);
}

void ht_measure(const struct ht_window *w, const struct ht_lasting *lasting,
		struct ht_measure *ret)
{
	double level;

	memset(ret, 0, sizeof(*ret));
	ret->w = *w;
	load(ret);
	ht_refill(w, &ret->refill);
	level = ht_median(ret->in_use.x, ret->in_use.n);
	ret->period = ht_season(&ret->in_use);
	ret->swing = ht_spread(ret->in_use.x, ret->in_use.n);
	ht_growth(&ret->in_use, level, ht_t.rise_bytes, ret->period,
		  &ret->in_use_growth);
	ht_growth(&ret->outside, memory_now(ret), ht_t.rise_bytes, NAN,
		  &ret->outside_growth);
	ht_growth(&ret->heap, ht_median(ret->heap.x, ret->heap.n),
		  ht_t.rise_bytes, NAN, &ret->heap_growth);
	ht_growth(&ret->anon, ret->anon_now, ht_t.rise_bytes, NAN,
		  &ret->anon_growth);
	ret->reserves = reserves(ret);
	if (ret->reserves)
		ht_growth(&ret->written, level, ht_t.rise_bytes, ret->period,
			  &ret->written_growth);
	if (!lasting)
		ht_measure_classes(ret);
	quiet(ret);
	ret->warm_seconds = time_of_rise(&ret->in_use);
	ret->half_way = half_way(&ret->in_use);
	ret->heap_alone = guard(ret);
	ret->guarded = !lasting && ret->heap_alone;
	ret->lasting = lasting;
	if (lasting)
		take_lasting(ret);
	if (ret->outside_rise > 0)
		ht_bound(w, &ret->bound);
}
