/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds: what keeps memory in a process, asked of one look by advices and by
 * verdicts alike.
 */
#ifndef HT_ANALYSIS_HOLDS_H
#define HT_ANALYSIS_HOLDS_H

#include "schema/snapshot.h"

/* What would join the top if the highest chunks went is counted in the main
 * arena; of the others the most that one chunk holds, bytes. s may be NULL. */
double ht_pinned_in_threads(const struct ht_snapshot *s);
/* How no transparent huge pages come to be in the heap, by who asked for them:
 * malloc by its tunable, or somebody else. s may be NULL. */
const char *ht_no_huge_pages(const struct ht_snapshot *s);

#endif
