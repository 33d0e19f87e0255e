/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding: what holds the chunks that a leak is made of, as far as it was asked
 * (owners.h); in the same words, whose call stacks make them (makers.h). Pure:
 * no clock, no I/O; times are monotonic.
 */
#ifndef HT_DAEMON_PROCESS_HOLDING_H
#define HT_DAEMON_PROCESS_HOLDING_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/verdict_json.h"

struct ht_holding {
	uint64_t max_size;	 /* the class that was asked about last; 0: the
				    largest ones */
	int64_t asked_ns;	 /* monotonic; 0: never */
	unsigned refused;	 /* times in a row since; of the same class */
	bool asking;		 /* with what runs */
	bool news;		 /* what was found is in no alert yet */
	struct ht_held_by found; /* about that class */
};

/* The class of chunks that the verdict is about; 0: the largest ones. */
uint64_t ht_holding_class(const struct ht_verdict *v);
/* Whether it is to be asked with the next sample: a sure LEAK, and nothing
 * asked about its class for a day, about any for an hour; what was refused is
 * asked again after 10 s, 20 s, 40 s ..., a day at most, for what its threads
 * were doing then they seldom do for long. Pure. */
bool ht_holding_due(const struct ht_holding *h, const struct ht_verdict *v,
		    int64_t now_ns);
/* What is known of what this verdict speaks of, or NULL. Pure. */
const char *ht_holding_of(const struct ht_holding *h,
			  const struct ht_verdict *v);

#endif
