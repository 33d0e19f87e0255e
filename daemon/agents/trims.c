/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/trims.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/size.h"

#define TEXT 300

bool ht_trims_ask(const struct ht_watched *p, struct ht_request *r,
		  int64_t now_ns)
{
	const struct ht_trim_rule *rule = &p->config->trim_rule;

	if (!ht_trimming_due(rule, &p->trimming, now_ns))
		return false;
	r->flags |= HT_TRIM_NOW | HT_WANT_BINS | HT_WANT_HEAPS;
	r->max_hold_us = (uint64_t)(rule->hold_ns / HT_NS_PER_US);
	return true;
}

static void take_call(struct ht_ingest *i, struct ht_watched *p,
		      const struct ht_trim *a, int64_t now_ns)
{
	uint64_t went = 0;
	char text[TEXT], size[32], forecast[32];

	if (a->rss_before != HT_UNKNOWN && a->rss_after != HT_UNKNOWN &&
	    a->rss_after < a->rss_before)
		went = a->rss_before - a->rss_after;
	ht_trimming_called(&p->trimming, now_ns, went,
			   p->snapshot.totals.heap_resident);
	ht_size_text(went, size, sizeof(size));
	ht_size_text(a->bytes, forecast, sizeof(forecast));
	if (a->took_us == HT_UNKNOWN)
		snprintf(
			text, sizeof(text),
			"malloc_trim(0) was still at work when the sample ended");
	else
		snprintf(
			text, sizeof(text),
			"returned %s (forecast %s) in %.1f ms, thread stopped for %.1f ms",
			size, forecast, (double)a->took_us / 1e3,
			(double)a->stopped_us / 1e3);
	ht_ingest_tell(i, p, "trim", text);
}

/* Ten minutes later. */
static void tell_judgement(struct ht_ingest *i, const struct ht_watched *p,
			   int64_t now_ns)
{
	const struct ht_trimming *t = &p->trimming;
	char text[TEXT], went[32], back[32];

	ht_size_text(t->went, went, sizeof(went));
	ht_size_text(t->back, back, sizeof(back));
	snprintf(text, sizeof(text),
		 "returned %s, %s faulted back within 10 min: %s", went, back,
		 t->paused_until_ns > now_ns ? "not worth it, paused for a day"
					     : "it lasts");
	ht_ingest_tell(i, p, "trim_judged", text);
}

void ht_trims_take(struct ht_ingest *i, struct ht_watched *p, int64_t now_ns)
{
	const struct ht_wire_in *in = &p->client.in;
	const struct ht_totals *totals = &p->snapshot.totals;

	if (in->has_trim && in->trim.done == 1) {
		take_call(i, p, &in->trim, now_ns);
	} else if (in->has_trim) {
		ht_trimming_refused(&p->trimming, now_ns);
		ht_ingest_tell(i, p, "trim_refused", in->trim.why);
	}
	if (ht_trimming_sample(&p->config->trim_rule, &p->trimming, now_ns,
			       totals->trimmable, totals->heap_resident))
		tell_judgement(i, p, now_ns);
}
