/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/bound.h"

#include <math.h>

#include "analysis/runtimes.h"
#include "analysis/thresholds.h"
#include "schema/records.h"

/* Memory of a mapping that counts as outside malloc: shared memory has no
 * anonymous pages, a private file mapping only those that were written to. */
static const double *memory_of(const struct ht_mapping_series *s)
{
	return s->kind == HT_MAPPING_SHMEM ? s->resident : s->anonymous;
}

/* Samples that list any mapping. */
struct listed {
	const struct ht_window *w;
	bool at[HT_POINTS_MAX];
};

static void read_listed(const struct ht_window *w, struct listed *ret)
{
	double column[HT_POINTS_MAX];

	*ret = (struct listed){.w = w};
	for (size_t k = 0; k < w->s->mappings_n; k++) {
		ht_window_rows(w, w->s->mappings[k].size, HT_STAT_MEDIAN,
			       column);
		for (size_t i = 0; i < w->n; i++)
			ret->at[i] |= !isnan(column[i]);
	}
}

static void column_of(const struct listed *l, const double *rows,
		      double *column)
{
	ht_window_rows(l->w, rows, HT_STAT_MEDIAN, column);
	for (size_t i = 0; i < l->w->n; i++)
		if (l->at[i] && isnan(column[i]))
			column[i] = 0;
}

static double rise_of(const struct listed *l, const double *rows,
		      double *ret_last)
{
	double column[HT_POINTS_MAX];
	struct ht_points p;

	column_of(l, rows, column);
	ht_window_points(l->w, column, column, column, &p);
	*ret_last = p.n ? p.x[p.n - 1] : NAN;
	return p.n > 1 ? ht_points_rise(&p) : 0;
}

/* From the first sample to the last. */
static double gain_of(const struct listed *l, const double *rows)
{
	double column[HT_POINTS_MAX], first = NAN, last = NAN;

	column_of(l, rows, column);
	for (size_t i = 0; i < l->w->n; i++) {
		if (isnan(column[i]))
			continue;
		if (isnan(first))
			first = column[i];
		last = column[i];
	}
	return last > first ? last - first : 0;
}

/* A mapping became larger, and none came: a ring that mremap() widens does so
 * again, however long ago it last did. */
static bool widened(const struct listed *l, const struct ht_mapping_series *s)
{
	double size[HT_POINTS_MAX], count[HT_POINTS_MAX], was = NAN, of = NAN;

	column_of(l, s->size, size);
	column_of(l, s->count, count);
	for (size_t i = 0; i < l->w->n; i++) {
		if (isnan(size[i]) || isnan(count[i]))
			continue;
		if (was > 0 && count[i] <= of &&
		    size[i] - was >= ht_t.widened_share * was)
			return true;
		was = size[i];
		of = count[i];
	}
	return false;
}

/* Neither more mappings nor larger ones in the window's late part. */
static bool same_late(const struct listed *l, const double *rows)
{
	double column[HT_POINTS_MAX], first = NAN, last = NAN;
	double from = (1 - ht_t.late_part) * l->w->t[l->w->n - 1];

	column_of(l, rows, column);
	for (size_t i = 0; i < l->w->n; i++) {
		if (l->w->t[i] < from || isnan(column[i]))
			continue;
		if (isnan(first))
			first = column[i];
		last = column[i];
	}
	return last <= first; /* false when unknown */
}

static bool ends_itself(uint64_t kind)
{
	return kind == HT_MAPPING_SHMEM || kind == HT_MAPPING_FILE_PRIVATE;
}

/* An allocator or a language's heap: when its mappings are full it makes more.
 */
static bool maps_more(const struct ht_mapping_series *s)
{
	return (s->kind == HT_MAPPING_ANON ||
		s->kind == HT_MAPPING_BRK_OTHER) &&
	       ht_runtime_advice(s->name);
}

/* One more that gained; `kind` are those of one kind. */
struct kind {
	size_t n, came;
	double gained, told;
};

static void take(struct ht_bound *b, struct kind *kind, const struct listed *l,
		 const struct ht_mapping_series *s, const double *rows,
		 double rise)
{
	double now;

	kind->n++;
	kind->came += rise_of(l, s->count, &now) > 0;
	kind->gained += rise;
	kind->told += gain_of(l, rows);
	if (rise > b->gained) {
		b->most = s;
		b->gained = rise;
		b->kin_told = gain_of(l, rows);
	}
}

static void count_kin(struct ht_bound *b, const struct kind *kind)
{
	b->kin_gained = b->gained;
	if (!b->most || kind->gained < 2 * b->gained)
		return;
	b->kin = kind->n - 1;
	b->came = kind->came;
	b->kin_gained = kind->gained;
	b->kin_told = kind->told;
}

void ht_bound(const struct ht_window *w, struct ht_bound *ret)
{
	struct kind kinds[HT_MAPPING_KIND_COUNT] = {0};
	double all = 0, ends = 0, inside = 0;
	struct listed l;

	read_listed(w, &l);
	*ret = (struct ht_bound){.size = NAN, .used = NAN};
	for (size_t i = 0; i < w->s->mappings_n; i++) {
		const struct ht_mapping_series *s = &w->s->mappings[i];
		double used, size, rise = rise_of(&l, memory_of(s), &used);

		if (!(rise > 0) || s->kind >= HT_MAPPING_KIND_COUNT)
			continue;
		all += rise;
		rise_of(&l, s->size, &size);
		take(ret, &kinds[s->kind], &l, s, memory_of(s), rise);
		if (ret->most == s) {
			ret->size = size;
			ret->used = used;
		}
		if (!same_late(&l, s->size) || !same_late(&l, s->count) ||
		    widened(&l, s))
			continue;
		if (maps_more(s))
			continue;
		inside += rise;
		ends += ends_itself(s->kind) ? rise : 0;
		ret->room += fmax(0, size - used);
	}
	if (ret->most)
		count_kin(ret, &kinds[ret->most->kind]);
	ret->ends = all > 0 && ends >= ht_t.bound_share * all;
	ret->inside = all > 0 && inside >= ht_t.bound_share * all;
}

void ht_bound_file(const struct ht_window *w, struct ht_bound *ret)
{
	struct kind files = {0};
	struct listed l;

	read_listed(w, &l);
	*ret = (struct ht_bound){0};
	for (size_t i = 0; i < w->s->mappings_n; i++) {
		const struct ht_mapping_series *s = &w->s->mappings[i];
		double last, rise;

		if (s->kind != HT_MAPPING_FILE_CLEAN &&
		    s->kind != HT_MAPPING_FILE_PRIVATE)
			continue;
		rise = rise_of(&l, s->resident, &last);
		if (s->kind == HT_MAPPING_FILE_PRIVATE)
			rise -= fmax(0, rise_of(&l, s->anonymous, &last));
		if (rise > 0)
			take(ret, &files, &l, s, s->resident, rise);
	}
	count_kin(ret, &files);
}
