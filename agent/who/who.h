/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who: who allocates what stays. Windows on malloc by heaptide-probe, stacks,
 * and what becomes of the chunks, kept over as many requests as there are.
 */
#ifndef HT_AGENT_WHO_WHO_H
#define HT_AGENT_WHO_WHO_H

#include "agent/memory/maps.h"
#include "agent/sample/session.h"
#include "agent/who/follow.h"
#include "agent/who/growth.h"
#include "agent/who/places.h"
#include "agent/who/prober.h"
#include "agent/who/size_trend.h"
#include "agent/who/stacks.h"

struct ht_who_pending; /* a sample, and what its chunk held then */

struct ht_who {
	bool begun;
	struct ht_prober prober;
	struct ht_stacks stacks;
	struct ht_places places;
	struct ht_following follow;
	struct ht_size_trend *trend; /* of each site: what realloc made */
	int64_t first_ns, last_ns;   /* first window, last look */
	struct ht_windows sum;
	struct ht_maps maps;		/* as of the last window */
	struct ht_who_pending *pending; /* samples of an open window */
	size_t pending_n;
	struct ht_reader *reader; /* borrowed */
	const struct ht_located *located;
	uint64_t min_size, max_size; /* chunk sizes that are asked for */
	struct ht_new_pages
		growth; /* by HT_PROBE_GROWTH; else it has no sites */
	bool unproved;	/* functions that were found by their code, not yet seen
			   to give a chunk */
	char instead_of[300]; /* why calls cannot be seen; "" */
};
#define HT_WHO_NONE                                                            \
	((struct ht_who){.prober = {.socket = -1},                             \
			 .places = {.role = {.socket = -1}}})

/* Starts the probe; before the sandbox, of a target that is located and whose
 * modules are open. HT_UNSUPPORTED, HT_DENIED: with the reason. */
enum ht_code ht_who_begin(struct ht_who *w, const struct ht_target *t,
			  const struct ht_request *r,
			  struct ht_err *err) HT_MUST_CHECK;
/* Answers one request HT_WHO: a window first where that is asked for, then a
 * look at all chunks that are followed; fills the snapshot. */
enum ht_code ht_who_sample(struct ht_who *w, struct ht_session *s,
			   struct ht_err *err) HT_MUST_CHECK;
/* Ends the probe, frees all; safe twice. */
void ht_who_end(struct ht_who *w);

#endif
