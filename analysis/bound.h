/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bound: growth outside malloc that lies inside mappings which do not grow. It
 * ends when they are full, long before a machine is, and a date beyond that is
 * none. Shared memory and private file mappings are full then and that is that;
 * of anonymous memory nobody knows what the program maps next.
 */
#ifndef HT_ANALYSIS_BOUND_H
#define HT_ANALYSIS_BOUND_H

#include "analysis/window.h"

struct ht_bound {
	/* the kind and name that gained most; NULL: nothing did */
	const struct ht_mapping_series *most;
	double gained; /* by it, bytes */
	size_t kin;  /* others of its kind that gained; 0 where less than it */
	size_t came; /* of it and them, those that were mapped meanwhile */
	double kin_gained; /* by it and them, bytes */
	double kin_told;   /* the same from the first sample to the last, as
			      what RSS rose by is told */
	double size, used; /* of it now, bytes; NaN: not recorded */
	bool ends;   /* all but a tenth is in shared memory or private file
			mappings that do not grow */
	bool inside; /* the same of any mappings */
	double room; /* bytes that fit into those yet */
};

/* From the mappings of the window's series. What a sample does not list, and
 * lists others, was not there: it counts as 0. */
void ht_bound(const struct ht_window *w, struct ht_bound *ret);
/* The file whose clean pages rose most, and by how much, in `most`, `gained`
 * and `kin`; most is NULL where none did. */
void ht_bound_file(const struct ht_window *w, struct ht_bound *ret);

#endif
