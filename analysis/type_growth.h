/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Type growth: which type made the memory in use grow over several looks at
 * what its chunks are. Pure.
 */
#ifndef HT_ANALYSIS_TYPE_GROWTH_H
#define HT_ANALYSIS_TYPE_GROWTH_H

#include <stdbool.h>

#include "analysis/verdict_json.h"
#include "schema/type_looks.h"

struct ht_type_growth {
	size_t line;		/* of the looks */
	double bytes, share;	/* how much it grew, of the growth of in use */
	int64_t from_ns, to_ns; /* first and last look */
};

/* The type that grew most. False: the looks do not tell: they are few, in use
 * did not grow in them, no type has a share worth naming, or what is of no
 * known type grew more. A type that a look does not list is taken to have had
 * as much as the look's least. */
bool ht_type_growth(const struct ht_type_looks *l, struct ht_type_growth *ret);
/* "`Session` (class, web) grew by 12 MiB in 2 h, 74 % of the growth of in use";
 * at_ns 0: the looks do not tell. */
void ht_type_growth_text(const struct ht_type_looks *l, struct ht_held_by *ret);

#endif
