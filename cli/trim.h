/* SPDX-License-Identifier: Apache-2.0 */
/* Trim: what the history says of a forecast of malloc_trim(0). */
#ifndef HT_CLI_TRIM_H
#define HT_CLI_TRIM_H

#include "cli/target.h"
#include "schema/snapshot_json.h"

/* Bytes of s.totals.trimmable that the program took back at its highest peak of
 * the last hour: what it held then above what it holds now. HT_UNKNOWN: there
 * is no history of this process, or none of that hour. */
uint64_t ht_trim_faulted_back(const struct ht_cli *cli,
			      const struct ht_snapshot *s);

/* --arena-tops: says in t->forecast why they are not returned on demand. */
void ht_trim_refuse_tops(const struct ht_cli *cli, struct ht_target_trim *t);

#endif
