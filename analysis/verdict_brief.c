/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/verdict_brief.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"

struct ht_verdict_brief ht_verdict_brief_of(const struct ht_verdict *v)
{
	return (struct ht_verdict_brief){
		.label = v->label,
		.confidence = v->confidence,
		.slope_bytes_per_hour = v->slope_bytes_per_hour,
		.eta_at_ns = v->eta_at_ns,
		.at_ns = v->to_ns,
	};
}

static double number_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static int64_t time_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	int64_t at_ns;

	return text && ht_time_parse(text, 0, &at_ns) == 0 ? at_ns : 0;
}

struct ht_verdict_brief ht_verdict_brief_read(const char *json)
{
	struct ht_verdict_brief b = HT_VERDICT_BRIEF_NONE;
	json_t *o = json_loads(json, 0, NULL);
	const char *label = json_string_value(json_object_get(o, "verdict"));

	for (int i = 0; label && i < HT_LABEL_COUNT; i++)
		if (strcmp(label, ht_label_names[i]) == 0)
			b = (struct ht_verdict_brief){
				(enum ht_label)i,
				number_of(o, "confidence"),
				number_of(o, "slope_bytes_per_hour"),
				time_of(o, "eta_limit_at"),
				time_of(o, "to"),
			};
	json_decref(o);
	return b;
}

const char *ht_verdict_brief_label(const struct ht_verdict_brief *b)
{
	return b->label < HT_LABEL_COUNT ? ht_label_names[b->label] : "";
}

/* In the order in which a person looks, which is not that of the rules. */
static int rank_of(enum ht_label label)
{
	static const enum ht_label order[] = {
		HT_LABEL_LEAK,		HT_LABEL_NON_MALLOC_GROWTH,
		HT_LABEL_POOL_GROWTH,	HT_LABEL_TOP_PINNED,
		HT_LABEL_FRAGMENTATION, HT_LABEL_ARENA_PROLIFERATION,
		HT_LABEL_CACHE_WARMUP,	HT_LABEL_PERIODIC,
		HT_LABEL_STABLE,	HT_LABEL_INSUFFICIENT_DATA,
	};
	int n = sizeof(order) / sizeof(*order);

	for (int i = 0; i < n; i++)
		if (order[i] == label)
			return i;
	return n;
}

static double known(double v)
{
	return isfinite(v) ? v : 0;
}

int ht_verdict_brief_compare(const struct ht_verdict_brief *a,
			     const struct ht_verdict_brief *b)
{
	double x = known(a->slope_bytes_per_hour);
	double y = known(b->slope_bytes_per_hour);
	int rank = rank_of(a->label) - rank_of(b->label);

	if (rank)
		return rank;
	return x != y ? (x < y) - (x > y)
		      : (known(a->confidence) < known(b->confidence)) -
				(known(a->confidence) > known(b->confidence));
}
