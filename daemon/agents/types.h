/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types: asks from time to time what the chunks of a process are, where a
 * target's configuration says so (types = on). With one sample the agent takes
 * a copy (mode snapshot); what it finds is kept by the store.
 */
#ifndef HT_DAEMON_AGENTS_TYPES_H
#define HT_DAEMON_AGENTS_TYPES_H

#include "daemon/ingest/ingest.h"
#include "link/request.h"

/* Adds the question to a request, where it is due. True: it was added; an agent
 * that lives is to be replaced by a new one. */
bool ht_types_ask(struct ht_watched *p, struct ht_request *r, int64_t now_ns);
/* The sample that it was asked with is there. */
void ht_types_take(struct ht_ingest *i, struct ht_watched *p);
/* ... or could not be taken: that is no failure to measure. */
void ht_types_refused(struct ht_ingest *i, struct ht_watched *p,
		      const struct ht_err *err);

#endif
