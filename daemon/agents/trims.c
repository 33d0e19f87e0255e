/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/trims.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/process/trim_events.h"

/* Longer than any pause. */
#define RECALLED_NS (2 * 86400 * HT_NS_PER_S)

bool ht_trims_ask(const struct ht_watched *p, struct ht_request *r,
		  int64_t now_ns)
{
	const struct ht_trim_rule *rule = &p->config->trim_rule;

	/* What is not known may be a pause; what cannot be told is not done. */
	if (!p->trimming.recalled ||
	    !ht_trimming_due(rule, &p->trimming, now_ns))
		return false;
	r->flags |= HT_TRIM_NOW | HT_WANT_BINS | HT_WANT_HEAPS;
	r->max_hold_us = (uint64_t)(rule->hold_ns / HT_NS_PER_US);
	return true;
}

static void take_call(struct ht_ingest *i, struct ht_watched *p,
		      const struct ht_trim *a, int64_t now_ns)
{
	uint64_t went = 0;
	char text[HT_TRIM_EVENT_TEXT];

	if (a->rss_before != HT_UNKNOWN && a->rss_after != HT_UNKNOWN &&
	    a->rss_after < a->rss_before)
		went = a->rss_before - a->rss_after;
	ht_trimming_called(&p->trimming, now_ns, went,
			   p->newest.open->totals.heap_resident);
	ht_trim_event_called(&p->trimming, a, text);
	ht_ingest_tell(i, p, HT_EVENT_TRIM, text);
}

struct recall {
	struct ht_trimming *t;
	int64_t now_ns, wall_ns;
};

static int take_event(void *ctx, const struct ht_store_event_row *e)
{
	struct recall *r = ctx;
	int64_t ago_ns = r->wall_ns - e->at_ns;

	ht_trim_event_recall(r->t, e->kind, e->text,
			     r->now_ns - (ago_ns > 0 ? ago_ns : 0), r->now_ns);
	return 0;
}

/* Once a process and daemon: what an earlier daemon learned of it. */
static void recall(struct ht_ingest *i, struct ht_watched *p, int64_t now_ns)
{
	struct recall r = {&p->trimming, now_ns, ht_wall_ns()};
	struct ht_store *store = ht_ingest_store_of(i, p);
	int64_t back_ns = p->config->trim_rule.every_ns + RECALLED_NS;
	char left[32];
	struct ht_err err;

	if (p->trimming.recalled || !store || !p->store_id)
		return;
	if (ht_store_events(store, p->store_id, r.wall_ns - back_ns, INT64_MAX,
			    take_event, &r, &err) != HT_OK) {
		ht_ingest_trouble(i, "read events", &err);
		return;
	}
	p->trimming.recalled = true;
	if (p->trimming.paused_until_ns <= now_ns)
		return;
	ht_duration_text(p->trimming.paused_until_ns - now_ns, left,
			 sizeof(left));
	ht_log(LOG_NOTICE,
	       "pid %d: trim: paused for another %s, as was found before target=%s",
	       (int)p->pid, left, p->target);
}

void ht_trims_take(struct ht_ingest *i, struct ht_watched *p, int64_t now_ns)
{
	const struct ht_wire_in *in = &p->client.in;
	const struct ht_totals *totals = &p->newest.open->totals;
	char text[HT_TRIM_EVENT_TEXT];

	if (p->config->trim_rule.above > 0)
		recall(i, p, now_ns);
	if (in->has_trim && in->trim.done == 1) {
		take_call(i, p, &in->trim, now_ns);
	} else if (in->has_trim) {
		ht_trimming_refused(&p->trimming, now_ns);
		ht_ingest_tell(i, p, HT_EVENT_TRIM_REFUSED, in->trim.why);
	}
	if (!ht_trimming_sample(&p->config->trim_rule, &p->trimming, now_ns,
				totals->trimmable, totals->heap_resident))
		return;
	ht_trim_event_judged(&p->trimming, now_ns, text);
	ht_ingest_tell(i, p, HT_EVENT_TRIM_JUDGED, text);
}
