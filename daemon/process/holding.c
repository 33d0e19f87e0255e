/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/holding.h"

#include "analysis/thresholds.h"
#include "common/clock.h"

#define SAME_AGAIN_NS (INT64_C(86400) * HT_NS_PER_S)
#define AGAIN_NS      (INT64_C(3600) * HT_NS_PER_S)

uint64_t ht_holding_class(const struct ht_verdict *v)
{
	return v->culprit_class == HT_UNKNOWN ? 0 : v->culprit_class;
}

bool ht_holding_due(const struct ht_holding *h, const struct ht_verdict *v,
		    int64_t now_ns)
{
	int64_t wait_ns =
		ht_holding_class(v) == h->max_size ? SAME_AGAIN_NS : AGAIN_NS;

	return v->label == HT_LABEL_LEAK &&
	       v->confidence >= ht_t.confidence_seconds &&
	       (h->asked_ns == 0 || now_ns - h->asked_ns >= wait_ns);
}

const char *ht_holding_of(const struct ht_holding *h,
			  const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK && h->found.at_ns &&
			       ht_holding_class(v) == h->max_size
		       ? h->found.text
		       : NULL;
}
