/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recent: a process's figures of late, in memory: what the page shows while
 * there is no history to be read. At most HT_RECENT_ROWS rows from its first
 * sample on, the older the thinner, and only what a verdict or a page reads.
 */
#ifndef HT_DAEMON_PROCESS_RECENT_H
#define HT_DAEMON_PROCESS_RECENT_H

#include "schema/series.h"

#define HT_RECENT_ROWS 64

/* Adds a row of figures, HT_METRIC_COUNT. *r NULL: it is begun. What there is
 * no memory for is not kept. */
void ht_recent_take(struct ht_series **r, int64_t taken_ns,
		    const double *values);
/* Forgets all; *r becomes NULL. */
void ht_recent_forget(struct ht_series **r);

#endif
