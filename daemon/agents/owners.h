/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners: asks what holds the chunks that a leak is made of, where a target's
 * configuration says so (owners = on). With one sample of a process with a
 * verdict LEAK the agent takes a copy (mode snapshot) and looks who leads to
 * the chunks of the class in question; the answer is an event of the store, a
 * line of the journal, and evidence of the alerts.
 */
#ifndef HT_DAEMON_AGENTS_OWNERS_H
#define HT_DAEMON_AGENTS_OWNERS_H

#include "daemon/ingest/ingest.h"
#include "link/request.h"

/* Adds the question to a request, where it is due. True: it was added; an agent
 * that lives is to be replaced by a new one. */
bool ht_owners_ask(struct ht_watched *p, struct ht_request *r, int64_t now_ns);
/* The sample that it was asked with is there. */
void ht_owners_take(struct ht_ingest *i, struct ht_watched *p);
/* ... or could not be taken: that is no failure to measure. */
void ht_owners_refused(struct ht_ingest *i, struct ht_watched *p,
		       const struct ht_err *err);

#endif
