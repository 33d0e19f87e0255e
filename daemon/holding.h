/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding: what holds the chunks that a leak is made of, asked by the daemon
 * itself where a target's configuration says so (owners = on). With one sample
 * of a process with a verdict LEAK the agent takes a copy (mode snapshot) and
 * looks who leads to the chunks of the class in question; the answer is an
 * event of the store, a line of the journal, and evidence of the alerts.
 */
#ifndef HT_DAEMON_HOLDING_H
#define HT_DAEMON_HOLDING_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/verdict_json.h"
#include "link/request.h"

struct ht_watched;

struct ht_holding {
	uint64_t max_size;	 /* the class that was asked about last; 0: the
				    largest ones */
	int64_t asked_ns;	 /* monotonic; 0: never */
	bool asking;		 /* with the sample that runs */
	bool news;		 /* what was found is in no alert yet */
	struct ht_held_by found; /* about that class */
};

/* Whether it is to be asked with the next sample: a sure LEAK, and nothing
 * asked about its class for a day, about any for an hour. Pure. */
bool ht_holding_due(const struct ht_holding *h, const struct ht_verdict *v,
		    int64_t now_ns);
/* What is known of what this verdict speaks of, or NULL. Pure. */
const char *ht_holding_of(const struct ht_holding *h,
			  const struct ht_verdict *v);

/* Adds the question to a request, where it is due. True: it was added; an agent
 * that lives is to be replaced by a new one. */
bool ht_holding_ask(struct ht_watched *p, struct ht_request *r, int64_t now_ns);
/* The sample that it was asked with is there. */
void ht_holding_take(struct ht_watched *p);
/* ... or could not be taken: that is no failure to measure. */
void ht_holding_refused(struct ht_watched *p, const struct ht_err *err);

#endif
