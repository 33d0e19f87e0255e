/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/holding.h"

#include "analysis/thresholds.h"
#include "common/clock.h"

#define SAME_AGAIN_NS (INT64_C(86400) * HT_NS_PER_S)
#define AGAIN_NS      (INT64_C(3600) * HT_NS_PER_S)
#define REFUSED_NS    (10 * HT_NS_PER_S)
#define DOUBLINGS     13 /* to a day, nearly */

uint64_t ht_holding_class(const struct ht_verdict *v)
{
	return v->culprit_class == HT_UNKNOWN ? 0 : v->culprit_class;
}

static int64_t wait_ns(const struct ht_holding *h, uint64_t class)
{
	if (class != h->max_size)
		return AGAIN_NS;
	if (h->refused == 0 || h->refused > DOUBLINGS)
		return SAME_AGAIN_NS;
	return REFUSED_NS << (h->refused - 1);
}

bool ht_holding_due(const struct ht_holding *h, const struct ht_verdict *v,
		    int64_t now_ns)
{
	return v->label == HT_LABEL_LEAK &&
	       v->confidence >= ht_t.confidence_seconds &&
	       (h->asked_ns == 0 ||
		now_ns - h->asked_ns >= wait_ns(h, ht_holding_class(v)));
}

const char *ht_holding_of(const struct ht_holding *h,
			  const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK && h->found.at_ns &&
			       ht_holding_class(v) == h->max_size
		       ? h->found.text
		       : NULL;
}
