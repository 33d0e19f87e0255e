/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/types.h"

#define MEMORY_MAX (UINT64_C(128) << 20) /* of the agent, for the graph */

/* Not with the first sample: that there is a heap is not known yet. */
bool ht_types_ask(struct ht_watched *p, struct ht_request *r, int64_t now_ns)
{
	struct ht_typing *t = &p->typing;

	t->asking = p->config->types && p->samples &&
		    ht_typing_due(t, p->config->types_every_ns, now_ns);
	if (!t->asking)
		return false;
	t->asked_ns = now_ns;
	r->mode = HT_MODE_SNAPSHOT;
	r->flags |= HT_WANT_TYPES;
	if (r->attempts < HT_GRAPH_ATTEMPTS)
		r->attempts = HT_GRAPH_ATTEMPTS;
	r->memory_max = MEMORY_MAX;
	return true;
}

void ht_types_take(struct ht_ingest *i, struct ht_watched *p)
{
	if (!p->typing.asking)
		return;
	p->typing.asking = false;
	p->typing.refused = 0;
	ht_ingest_types(i, p);
}

void ht_types_refused(struct ht_ingest *i, struct ht_watched *p,
		      const struct ht_err *err)
{
	if (!p->typing.asking)
		return;
	p->typing.asking = false;
	if (p->typing.refused++ == 0) /* the others are not told */
		ht_ingest_tell(i, p, "types_refused", err->msg);
}
