/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembered: the page's documents of what the daemon has in memory, for when
 * its history cannot be read: the targets, their figures of late, verdicts and
 * alerts, and why there is no more.
 */
#ifndef HT_DAEMON_HTTP_REMEMBERED_H
#define HT_DAEMON_HTTP_REMEMBERED_H

#include <stdio.h>

#include "daemon/parts/parts.h"

/* How the page names a process by the daemon's own number, where the store has
 * none for it: at most -2. */
int64_t ht_remembered_id(uint64_t number);
/* Whom an id of either kind names; NULL: nobody who is watched. */
const struct ht_watched *ht_remembered_find(const struct ht_parts *parts,
					    int64_t id);
/* Writes the document of a process, 0: of all. HT_NODATA: nothing is known of
 * it. */
enum ht_code ht_remembered_write(const struct ht_parts *parts, int64_t id,
				 const char *why, FILE *to,
				 struct ht_err *err) HT_MUST_CHECK;

#endif
