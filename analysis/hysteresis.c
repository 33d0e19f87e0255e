/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/hysteresis.h"

#include "analysis/thresholds.h"

void ht_hysteresis_init(struct ht_hysteresis *h)
{
	*h = (struct ht_hysteresis){
		.published = HT_LABEL_INSUFFICIENT_DATA,
		.candidate = HT_LABEL_INSUFFICIENT_DATA,
	};
}

static bool confirmed(const struct ht_hysteresis *h, const struct ht_verdict *v)
{
	double window = (double)(v->to_ns - v->from_ns);

	return v->label == h->candidate &&
	       (double)(v->to_ns - h->candidate_ns) >=
		       ht_t.publish_share * window;
}

static bool leaves_growth_too_soon(const struct ht_hysteresis *h,
				   const struct ht_verdict *v)
{
	return h->published == HT_LABEL_LEAK && v->label != HT_LABEL_LEAK &&
	       v->to_ns - h->growth_ns < v->to_ns - v->from_ns;
}

bool ht_hysteresis_take(struct ht_hysteresis *h, const struct ht_verdict *v)
{
	if (v->label == HT_LABEL_LEAK)
		h->growth_ns = v->to_ns;
	if (v->label != h->candidate) {
		h->candidate = v->label;
		h->candidate_ns = v->to_ns;
		return false;
	}
	if (v->label == h->published || !confirmed(h, v) ||
	    leaves_growth_too_soon(h, v))
		return false;
	h->published = v->label;
	h->published_ns = v->to_ns;
	return true;
}
