/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/bound.h"

#include <math.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "schema/records.h"

/* Memory of a mapping that counts as outside malloc: shared memory has no
 * anonymous pages, a private file mapping only those that were written to. */
static const double *memory_of(const struct ht_mapping_series *s)
{
	return s->kind == HT_MAPPING_SHMEM ? s->resident : s->anonymous;
}

static double rise_of(const struct ht_window *w, const double *rows,
		      double *ret_last)
{
	double column[HT_POINTS_MAX];
	struct ht_points p;

	ht_window_rows(w, rows, HT_STAT_MEDIAN, column);
	ht_window_points(w, column, column, column, &p);
	*ret_last = p.n ? p.x[p.n - 1] : NAN;
	return p.n > 1 ? ht_points_rise(&p) : 0;
}

/* Neither more mappings nor larger ones in the window's late part. */
static bool same_late(const struct ht_window *w, const double *rows)
{
	double column[HT_POINTS_MAX], first = NAN, last = NAN;
	double from = (1 - ht_t.late_part) * w->t[w->n - 1];

	ht_window_rows(w, rows, HT_STAT_MEDIAN, column);
	for (size_t i = 0; i < w->n; i++) {
		if (w->t[i] < from || isnan(column[i]))
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

void ht_bound(const struct ht_window *w, struct ht_bound *ret)
{
	double all = 0, ends = 0, inside = 0;

	*ret = (struct ht_bound){.size = NAN, .used = NAN};
	for (size_t i = 0; i < w->s->mappings_n; i++) {
		const struct ht_mapping_series *s = &w->s->mappings[i];
		double used, size, rise = rise_of(w, memory_of(s), &used);

		if (!(rise > 0))
			continue;
		all += rise;
		rise_of(w, s->size, &size);
		if (rise > ret->gained) {
			ret->most = s;
			ret->gained = rise;
			ret->size = size;
			ret->used = used;
		}
		if (!same_late(w, s->size) || !same_late(w, s->count))
			continue;
		inside += rise;
		ends += ends_itself(s->kind) ? rise : 0;
		ret->room += fmax(0, size - used);
	}
	ret->ends = all > 0 && ends >= 0.9 * all;
	ret->inside = all > 0 && inside >= 0.9 * all;
}

const struct ht_mapping_series *ht_bound_file(const struct ht_window *w,
					      double *ret_gained)
{
	const struct ht_mapping_series *most = NULL;

	*ret_gained = 0;
	for (size_t i = 0; i < w->s->mappings_n; i++) {
		const struct ht_mapping_series *s = &w->s->mappings[i];
		double last, rise;

		if (s->kind != HT_MAPPING_FILE_CLEAN &&
		    s->kind != HT_MAPPING_FILE_PRIVATE)
			continue;
		rise = rise_of(w, s->resident, &last);
		if (s->kind == HT_MAPPING_FILE_PRIVATE)
			rise -= fmax(0, rise_of(w, s->anonymous, &last));
		if (rise > *ret_gained) {
			*ret_gained = rise;
			most = s;
		}
	}
	return most;
}
