/* SPDX-License-Identifier: Apache-2.0 */
/* Types: what the chunks in use were over time, as far as a daemon looked
 * (types = on). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page/page_int.h"
#include "schema/snapshot_json.h"
#include "store/types.h"

#define SHOWN 40

/* From the first look that knows it to the last. NaN: there are no two. */
static double gained(const double *v, size_t n)
{
	size_t first = 0, last = n;

	while (first < n && isnan(v[first]))
		first++;
	while (last > first && isnan(v[last - 1]))
		last--;
	return last > first + 1 ? v[last - 1] - v[first] : NAN;
}

struct gain {
	const struct ht_type_line *line;
	double bytes;
};

static int most_first(const void *a, const void *b)
{
	const struct gain *x = a, *y = b;
	double left = isnan(x->bytes) ? 0 : x->bytes;
	double right = isnan(y->bytes) ? 0 : y->bytes;

	if (left != right)
		return left < right ? 1 : -1;
	return strcmp(x->line->name, y->line->name);
}

static json_t *line_json(const struct gain *g, size_t n)
{
	json_t *o = json_object();

	ht_page_put(&o, "name", ht_text_json(g->line->name));
	ht_page_put(&o, "kind", ht_text_json(g->line->kind));
	ht_page_put(&o, "module", ht_optional_text_json(g->line->module));
	ht_page_put(&o, "gained", ht_real_json(g->bytes));
	ht_page_put(&o, "chunks", ht_page_column(g->line->chunks, n));
	ht_page_put(&o, "bytes", ht_page_column(g->line->bytes, n));
	return o;
}

static json_t *list_json(const struct ht_type_looks *l)
{
	HT_AUTO_FREE struct gain *v = calloc(l->lines + 1, sizeof(*v));
	json_t *list = v ? json_array() : NULL;

	for (size_t i = 0; list && i < l->lines; i++)
		v[i] = (struct gain){&l->v[i], gained(l->v[i].bytes, l->n)};
	if (list)
		qsort(v, l->lines, sizeof(*v), most_first);
	for (size_t i = 0; list && i < l->lines && i < SHOWN; i++)
		json_array_append_new(list, line_json(&v[i], l->n));
	return list;
}

enum ht_code ht_page_types(struct ht_store *store, int64_t process_id,
			   int64_t from_ns, int64_t to_ns, json_t **ret,
			   struct ht_err *err)
{
	HT_AUTO_TYPE_LOOKS struct ht_type_looks l = {0};
	enum ht_code code =
		ht_store_types(store, process_id, from_ns, to_ns, &l, err);
	json_t *o;

	if (code != HT_OK || l.n == 0)
		return code;
	o = json_object();
	ht_page_put(&o, "times_s", ht_page_times(l.at_ns, l.n));
	ht_page_put(&o, "in_use", ht_page_column(l.bytes, l.n));
	ht_page_put(&o, "unknown", ht_page_column(l.unknown, l.n));
	ht_page_put(&o, "others", ht_page_column(l.others, l.n));
	ht_page_put(&o, "list", list_json(&l));
	*ret = o;
	return o ? HT_OK : ht_fail(err, HT_NOMEM, "out of memory for a page");
}
