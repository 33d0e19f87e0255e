/* SPDX-License-Identifier: Apache-2.0 */
/* What a light look knows, group by group: how, and how sure. */
#include <stdio.h>

#include "agent/walk/light.h"

#define CHUNKS_MAX ((size_t)1 << 20)

size_t ht_light_chunks_max(const struct ht_walk_in *in)
{
	return in->chunks_max ?: CHUNKS_MAX;
}

static void tell(struct ht_walk *w, const char *figures, enum ht_how how)
{
	struct ht_quality *q = ht_snapshot_add_quality(w->out);

	if (!q)
		return;
	snprintf(q->figures, sizeof(q->figures), "%s", figures);
	q->how = how;
	if (how != HT_HOW_UNKNOWN)
		q->age_us = 0;
	if (how == HT_HOW_EXACT)
		q->off = 0;
}

static void warn(struct ht_walk *w)
{
	if (w->lists_cut)
		ht_snapshot_warn(
			w->out,
			"a list of more than %zu free chunks was not followed to its end: what is free, and so what is in use, was not counted by this look",
			ht_light_chunks_max(w->in));
	if (w->lists_astray && w->in->moving)
		ht_snapshot_warn(
			w->out,
			"free lists changed while they were followed: what they hold behind that counts as in use");
}

/* What is free and swapped out was not followed: walk.c tells. */
void ht_light_tell(struct ht_walk *w)
{
	bool whole = !w->lists_cut && !w->lists_astray && !w->unread;
	bool lost = w->lists_cut;
	enum ht_how free = lost	   ? HT_HOW_UNKNOWN
			   : whole ? HT_HOW_EXACT
				   : HT_HOW_ESTIMATED;

	if (w->roots->spaces == 0)
		return;
	tell(w, "system", HT_HOW_EXACT);
	tell(w, "top", HT_HOW_EXACT);
	tell(w, "caches", HT_HOW_EXACT);
	tell(w, "bins", free);
	tell(w, "in_use",
	     lost    ? HT_HOW_UNKNOWN
	     : whole ? HT_HOW_DERIVED
		     : HT_HOW_ESTIMATED);
	tell(w, "retained", free);
	tell(w, "resident", w->sparse ? HT_HOW_UNKNOWN : HT_HOW_EXACT);
	if (!w->in->round) /* else round.c tells */
		tell(w, "size_classes", HT_HOW_UNKNOWN);
	warn(w);
}
