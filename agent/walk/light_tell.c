/* SPDX-License-Identifier: Apache-2.0 */
/* What a light look knows, group by group: how, and how sure. */
#include <stdio.h>

#include "agent/walk/estimate.h"
#include "agent/walk/light.h"
#include "agent/walk/round.h"

#define CHUNKS_MAX ((size_t)1 << 20)

size_t ht_light_chunks_max(const struct ht_walk_in *in)
{
	return in->chunks_max ?: CHUNKS_MAX;
}

static struct ht_quality *tell(struct ht_walk *w, const char *figures,
			       enum ht_how how)
{
	struct ht_quality *q = ht_snapshot_add_quality(w->out);

	if (!q)
		return NULL;
	snprintf(q->figures, sizeof(q->figures), "%s", figures);
	q->how = how;
	if (how != HT_HOW_UNKNOWN)
		q->age_us = 0;
	if (how == HT_HOW_EXACT)
		q->off = 0;
	return q;
}

/* Of free memory: by lists that were followed, or by slices too. bytes: by so
 * many the figure may be off; of: the figure. */
static void tell_free(struct ht_walk *w, const char *figures, enum ht_how how,
		      double bytes, uint64_t of)
{
	struct ht_quality *q = tell(w, figures, how);
	const struct ht_round *r = w->in->round;

	if (!q || !w->estimated || how == HT_HOW_UNKNOWN)
		return;
	q->how = HT_HOW_ESTIMATED;
	q->age_us = (uint64_t)(w->in->now_ns - r->before_ns) / 1000;
	if (of != HT_UNKNOWN && of > 0)
		q->off = bytes / (double)of;
}

static void warn(struct ht_walk *w)
{
	if (w->lists_cut)
		ht_snapshot_warn(
			w->out,
			"a list of more than %zu free chunks was not followed to its end, and no slices of the heap are known to complete it: what is free, and so what is in use, was not counted by this look",
			ht_light_chunks_max(w->in));
	if (w->lists_astray && w->in->moving)
		ht_snapshot_warn(
			w->out,
			"free lists changed while they were followed: what they hold behind that counts as in use");
}

/* Free memory, and what is left when it is taken off. */
static void tell_of_lists(struct ht_walk *w)
{
	const struct ht_totals *t = &w->out->totals;
	const bool whole = !w->lists_cut && !w->lists_astray && !w->unread;
	const double off = ht_estimate_off(w);
	const double share = w->estimated_bytes
				     ? (double)w->estimated_resident /
					       (double)w->estimated_bytes
				     : 0;
	enum ht_how free = w->lists_cut ? HT_HOW_UNKNOWN
			   : whole	? HT_HOW_EXACT
					: HT_HOW_ESTIMATED;

	tell_free(w, "bins", free, off, t->free);
	tell_free(w, "in_use", free == HT_HOW_EXACT ? HT_HOW_DERIVED : free,
		  off, t->in_use);
	tell_free(w, "retained", free,
		  off * share + (double)w->estimated_bytes *
					(share < 0.5 ? share : 1 - share),
		  t->retained);
}

/* What is free and swapped out was not followed: walk.c tells. */
void ht_light_tell(struct ht_walk *w)
{
	if (w->roots->spaces == 0)
		return;
	tell(w, "system", HT_HOW_EXACT);
	tell(w, "top", HT_HOW_EXACT);
	tell(w, "caches", HT_HOW_EXACT);
	tell_of_lists(w);
	tell(w, "resident", w->sparse ? HT_HOW_UNKNOWN : HT_HOW_EXACT);
	if (!w->in->round) /* else round.c tells */
		tell(w, "size_classes", HT_HOW_UNKNOWN);
	warn(w);
}
