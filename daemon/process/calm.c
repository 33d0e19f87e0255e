/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/calm.h"

#include <math.h>

/* Each read by the name of its metric; those that tell nothing of what the
 * process does are left out: time that passes, and limits, of which the free
 * memory of the machine is one. */
static const enum ht_metric watched[] = {
#define HT_CALM_METRIC(metric) HT_M_##metric,
	HT_NEEDS(HT_CALM_METRIC)
#undef HT_CALM_METRIC
};

static bool is_left_out(enum ht_metric m)
{
	return m == HT_M_cpu_ns || m == HT_M_minflt || m == HT_M_limit ||
	       m == HT_M_threads_limit;
}

static bool within(float v, float low, float high)
{
	return isnan(v) ? isnan(low) : v >= low && v <= high;
}

static void widen(float *low, float *high, float v)
{
	*low = fminf(*low, v); /* of a NaN and a number: the number */
	*high = fmaxf(*high, v);
}

void ht_calm_take(struct ht_calm *c, const double values[HT_METRIC_COUNT])
{
	struct ht_calm_band *b = &c->since;

	for (size_t i = 0; i < HT_NEED_COUNT; i++) {
		const float v = (float)values[watched[i]];

		if (is_left_out(watched[i]))
			continue;
		if (b->samples == 0)
			b->low[i] = b->high[i] = v;
		widen(&b->low[i], &b->high[i], v);
		c->moved |= !within(v, c->before.low[i], c->before.high[i]);
	}
	b->samples++;
}

void ht_calm_judged(struct ht_calm *c)
{
	c->before = c->since;
	c->since = (struct ht_calm_band){.samples = 0};
	c->moved = false;
}

bool ht_calm_is(const struct ht_calm *c)
{
	return c->before.samples > 0 && !c->moved;
}
