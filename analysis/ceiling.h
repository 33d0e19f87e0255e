/* SPDX-License-Identifier: Apache-2.0 */
/* Ceiling: limits of a process that are no bytes: mappings, descriptors,
 * threads; and of memory that may be locked. They end a process as surely, and
 * often sooner. */
#ifndef HT_ANALYSIS_CEILING_H
#define HT_ANALYSIS_CEILING_H

#include "analysis/growth.h"
#include "analysis/window.h"
#include "schema/snapshot.h"

struct ht_ceiling {
	const char *what;	 /* "mappings"; NULL: none is near */
	const char *remedy;	 /* what to look for */
	char of[96];		 /* the limit's name: "vm.max_map_count" */
	double first, now, most; /* how many, and how many there may be */
	bool bytes;		 /* how much */
	struct ht_growth growth; /* a second */
	double eta;		 /* seconds until it is met, at this speed */
};

/* The one that is met first, of those that rise steadily and are met within a
 * day, or ten times what was watched. latest: for names; may be NULL. */
void ht_ceiling(const struct ht_window *w, const struct ht_snapshot *latest,
		struct ht_ceiling *ret);

#endif
