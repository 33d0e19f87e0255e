/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/needs.h"

#include <string.h>

static const enum ht_metric metrics[HT_NEED_COUNT] = {
#define METRIC(metric) [HT_NEED_##metric] = HT_M_##metric,
	HT_NEEDS(METRIC)
#undef METRIC
};

const double *ht_need_rows(const struct ht_series *s, enum ht_need need,
			   enum ht_stat stat)
{
	return s->metric[metrics[need]][stat];
}

void ht_verdict_needs(bool ret[HT_METRIC_COUNT])
{
	memset(ret, 0, HT_METRIC_COUNT * sizeof(*ret));
	for (size_t i = 0; i < HT_NEED_COUNT; i++)
		ret[metrics[i]] = true;
}
