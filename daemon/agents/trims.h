/* SPDX-License-Identifier: Apache-2.0 */
/* Trims: the daemon's side of trimming.h: asks agents for it, and tells. */
#ifndef HT_DAEMON_AGENTS_TRIMS_H
#define HT_DAEMON_AGENTS_TRIMS_H

#include "daemon/ingest/ingest.h"

/* Adds to a request that memory be given back, where the target's rule says so
 * now. True: it was added; an agent that lives is to be replaced by a new one.
 */
bool ht_trims_ask(const struct ht_watched *p, struct ht_request *r,
		  int64_t now_ns);
/* What the answer, a sample, says of it: event, journal, counters. */
void ht_trims_take(struct ht_ingest *i, struct ht_watched *p, int64_t now_ns);

#endif
