/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/owners.h"

#include <stdio.h>

#include "analysis/graph_text.h"
#include "analysis/thresholds.h"
#include "common/clock.h"
#include "common/size.h"

#define MEMORY_MAX (UINT64_C(128) << 20) /* of the agent, for the graph */
#define TOLD	   3

bool ht_owners_ask(struct ht_watched *p, struct ht_request *r, int64_t now_ns)
{
	struct ht_holding *h = &p->holding;

	h->asking = p->config->owners && p->judged &&
		    ht_holding_due(h, &p->verdict, now_ns);
	if (!h->asking)
		return false;
	h->asked_ns = now_ns;
	if (h->max_size != ht_holding_class(&p->verdict))
		h->refused = 0;
	h->max_size = ht_holding_class(&p->verdict);
	h->found.at_ns = 0;
	r->mode = HT_MODE_SNAPSHOT;
	r->flags |= HT_WANT_OWNERS;
	if (r->attempts < HT_GRAPH_ATTEMPTS)
		r->attempts = HT_GRAPH_ATTEMPTS;
	r->size = h->max_size;
	r->memory_max = MEMORY_MAX;
	return true;
}

/* The holders of a tenth and more, as one line. */
static void put_text(const struct ht_snapshot *s, char out[HT_HELD_BY_TEXT])
{
	char sentence[HT_GRAPH_SENTENCE], bytes[32];
	size_t told = 0, used = 0;

	for (size_t i = 0; i < s->holders.n && told < TOLD; i++) {
		const struct ht_holder *h = &s->holders.v[i];
		const struct ht_owned *o = ht_graph_owned(s, h);

		if (!o || h->share < ht_t.owners_share)
			continue;
		ht_size_text(o->bytes, bytes, sizeof(bytes));
		ht_graph_sentence(s, h, o, bytes, sentence);
		if (used < HT_HELD_BY_TEXT)
			used += (size_t)snprintf(out + used,
						 HT_HELD_BY_TEXT - used, "%s%s",
						 told++ ? "; " : "", sentence);
	}
	if (!told)
		snprintf(out, HT_HELD_BY_TEXT,
			 "not sure: no holder has a tenth of them");
}

void ht_owners_take(struct ht_ingest *i, struct ht_watched *p)
{
	struct ht_holding *h = &p->holding;

	if (!h->asking)
		return;
	h->asking = false;
	h->refused = 0;
	h->news = true;
	h->found.at_ns = ht_wall_ns();
	put_text(p->newest.open, h->found.text);
	ht_ingest_tell(i, p, "owners", h->found.text);
}

void ht_owners_refused(struct ht_ingest *i, struct ht_watched *p,
		       const struct ht_err *err)
{
	p->holding.asking = false;
	if (p->holding.refused++ ==
	    0) /* the first is told, the others are not */
		ht_ingest_tell(i, p, "owners_refused", err->msg);
}
