/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/type_growth.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/stats.h"
#include "analysis/thresholds.h"
#include "common/clock.h"
#include "common/size.h"

_Static_assert(HT_TYPE_LOOKS_MAX <= HT_POINTS_MAX, "looks are points");

/* What a figure grew by over the looks; 0: it did not, as far as they tell. */
static double growth(const struct ht_type_looks *l, const double *x)
{
	double t[HT_TYPE_LOOKS_MAX];
	double slope;

	for (size_t i = 0; i < l->n; i++) {
		if (isnan(x[i]))
			return 0;
		t[i] = (double)(l->at_ns[i] - l->at_ns[0]) / HT_NS_PER_S;
	}
	if (ht_kendall(x, l->n) < ht_t.types_tau)
		return 0;
	slope = ht_theil_sen(t, x, l->n);
	return slope > 0 ? slope * t[l->n - 1] : 0;
}

static double line_growth(const struct ht_type_looks *l, size_t line)
{
	double x[HT_TYPE_LOOKS_MAX];

	for (size_t i = 0; i < l->n; i++)
		x[i] = isnan(l->v[line].bytes[i]) ? l->least[i]
						  : l->v[line].bytes[i];
	return growth(l, x);
}

bool ht_type_growth(const struct ht_type_looks *l, struct ht_type_growth *ret)
{
	double all;

	if ((double)l->n < ht_t.types_looks)
		return false;
	*ret = (struct ht_type_growth){.from_ns = l->at_ns[0],
				       .to_ns = l->at_ns[l->n - 1]};
	all = growth(l, l->bytes);
	for (size_t i = 0; i < l->lines; i++) {
		double bytes = line_growth(l, i);

		if (bytes > ret->bytes) {
			ret->bytes = bytes;
			ret->line = i;
		}
	}
	ret->share = all > 0 ? ret->bytes / all : 0;
	return ret->share >= ht_t.types_share &&
	       ret->bytes > growth(l, l->unknown);
}

void ht_type_growth_text(const struct ht_type_looks *l, struct ht_held_by *ret)
{
	struct ht_type_growth g;
	const struct ht_type_line *t;
	char bytes[32], in[32], share[64] = "all of the growth of in use";

	*ret = (struct ht_held_by){0};
	if (!ht_type_growth(l, &g))
		return;
	t = &l->v[g.line];
	ht_size_text((uint64_t)g.bytes, bytes, sizeof(bytes));
	ht_duration_text(g.to_ns - g.from_ns, in, sizeof(in));
	if (g.share < 1)
		snprintf(share, sizeof(share),
			 "%.0f %% of the growth of in use", 100 * g.share);
	ret->at_ns = g.to_ns;
	snprintf(ret->text, sizeof(ret->text),
		 "`%s` (%s%s%s) grew by %s in %s, %s, in %zu looks", t->name,
		 t->kind, *t->module ? ", " : "", t->module, bytes, in, share,
		 l->n);
}
