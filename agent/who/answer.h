/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answer: what is known of each site so far, as records: its chunks or new
 * pages, counted, their sizes, and the frames of its stack.
 */
#ifndef HT_AGENT_WHO_ANSWER_H
#define HT_AGENT_WHO_ANSWER_H

#include "agent/who/follow.h"
#include "agent/who/growth.h"
#include "agent/who/places.h"
#include "agent/who/size_trend.h"
#include "agent/who/stacks.h"
#include "schema/snapshot.h"

struct ht_answer_in {
	struct ht_stacks *stacks; /* are named where they are not */
	const struct ht_places *places;
	struct ht_following *follow;
	const struct ht_size_trend *trend; /* of each site */
	const struct ht_new_pages *growth;
	const struct ht_located *located;
	int64_t middle_ns; /* what was taken until then is old */
};

/* Adds sites, stack frames and sizes. HT_NOMEM. */
enum ht_code ht_answer_sites(const struct ht_answer_in *in,
			     struct ht_snapshot *to,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
