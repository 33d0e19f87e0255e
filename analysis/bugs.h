/* SPDX-License-Identifier: Apache-2.0 */
/* Bugs: faults of glibc's malloc by which memory grows, known by number, with
 * the releases that have them and the sign by which one look knows them. */
#ifndef HT_ANALYSIS_BUGS_H
#define HT_ANALYSIS_BUGS_H

#include "schema/snapshot.h"

struct ht_bug {
	unsigned number;     /* sourceware.org/bugzilla/show_bug.cgi?id=... */
	unsigned from, till; /* 2.from has it, 2.till has not */
	const char *text;    /* what it does, and what helps */
};

/* The one whose release and sign fit the snapshot; NULL: none, or no snapshot.
 */
const struct ht_bug *ht_bug_of(const struct ht_snapshot *s);

#endif
