/* SPDX-License-Identifier: Apache-2.0 */
/* Lists over time: which size classes, bins, arenas and threads moved, and how.
 * A page shows some of each; the rest is in the tables of the newest sample. */
#include <math.h>
#include <stdlib.h>

#include "page/page_int.h"
#include "schema/snapshot_json.h"

#define MOST 24 /* of each list */

/* A line that may be shown, by how much it moved. */
struct candidate {
	size_t at;
	double moved;
};

static int movers_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->moved != y->moved)
		return x->moved > y->moved ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Highest less lowest; -1 where nothing is known. */
static double spread(const double *v, size_t rows)
{
	double low = NAN, high = NAN;

	for (size_t row = 0; v && row < rows; row++) {
		low = fmin(low, v[row]);
		high = fmax(high, v[row]);
	}
	return isnan(low) ? -1 : high - low;
}

/* Last known less first known. */
static double gained(const double *v, size_t rows)
{
	double first = NAN, last = NAN;

	for (size_t row = 0; v && row < rows; row++) {
		if (isnan(v[row]))
			continue;
		first = isnan(first) ? v[row] : first;
		last = v[row];
	}
	return isnan(first) ? NAN : last - first;
}

static json_t *class_json(const struct ht_series *s,
			  const struct ht_class_series *c)
{
	const double *bytes = c->bytes[HT_STAT_MEDIAN];
	json_t *o = json_object();

	ht_page_put(&o, "max_size", ht_u64_json(c->max_size));
	ht_page_put(&o, "gained", ht_real_json(gained(bytes, s->rows)));
	ht_page_put(&o, "bytes", ht_page_column(bytes, s->rows));
	ht_page_put(&o, "chunks", ht_page_column(c->chunks, s->rows));
	return o;
}

static json_t *classes_json(const struct ht_series *s)
{
	struct candidate *best = calloc(s->classes_n + 1, sizeof(*best));
	json_t *list = json_array();

	for (size_t i = 0; best && i < s->classes_n; i++) {
		const double *bytes = s->classes[i].bytes[HT_STAT_MEDIAN];

		best[i] = (struct candidate){i, fabs(gained(bytes, s->rows))};
		if (isnan(best[i].moved))
			best[i].moved = -1;
	}
	if (best)
		qsort(best, s->classes_n, sizeof(*best), movers_first);
	for (size_t i = 0; best && i < s->classes_n && i < MOST; i++)
		if (best[i].moved >= 0)
			json_array_append_new(
				list, class_json(s, &s->classes[best[i].at]));
	free(best);
	return list;
}

/* What tells lines of a list apart, as members of *o. */
static void put_key(json_t **o, const struct ht_list_line *l)
{
	const struct ht_line_kind *k = &ht_line_kinds[l->list];
	char hex[24];

	if (l->list == HT_LINES_BINS) {
		ht_page_put(o, "kind",
			    json_string(l->key[1] < HT_BIN_KIND_COUNT
						? ht_bin_kind_names[l->key[1]]
						: "?"));
		ht_page_put(o, "index", ht_u64_json(l->key[2]));
		ht_page_put(o, "min_size", ht_u64_json(l->min_size));
		ht_page_put(o, "max_size", ht_u64_json(l->max_size));
	} else if (l->list == HT_LINES_ARENAS) {
		snprintf(hex, sizeof(hex), "0x%llx",
			 (unsigned long long)l->key[0]);
		ht_page_put(o, "address", json_string(hex));
	} else {
		ht_page_put(o, k->keys[0], ht_u64_json(l->key[0]));
	}
}

static json_t *line_json(const struct ht_series *s,
			 const struct ht_list_line *l)
{
	const struct ht_line_kind *k = &ht_line_kinds[l->list];
	json_t *o = json_object();

	put_key(&o, l);
	for (size_t f = 0; f < k->figures_n; f++)
		ht_page_put(&o, k->figures[f],
			    ht_page_column(l->value[f][HT_MIDDLE], s->rows));
	return o;
}

static json_t *lines_json(const struct ht_series *s, enum ht_lines list)
{
	struct candidate *best = calloc(s->lines_n + 1, sizeof(*best));
	json_t *out = json_array();
	size_t n = 0;

	for (size_t i = 0; best && i < s->lines_n; i++) {
		const struct ht_list_line *l = &s->lines[i];
		double moved = spread(l->value[0][HT_MIDDLE], s->rows);

		if (l->list == list && moved >= 0)
			best[n++] = (struct candidate){i, moved};
	}
	if (n)
		qsort(best, n, sizeof(*best), movers_first);
	for (size_t i = 0; i < n && i < MOST; i++)
		json_array_append_new(out, line_json(s, &s->lines[best[i].at]));
	free(best);
	return out;
}

void ht_page_put_lists(json_t **o, const struct ht_series *s)
{
	ht_page_put(o, "classes", classes_json(s));
	ht_page_put(o, "bins", lines_json(s, HT_LINES_BINS));
	ht_page_put(o, "arenas", lines_json(s, HT_LINES_ARENAS));
	ht_page_put(o, "threads", lines_json(s, HT_LINES_THREADS));
}
