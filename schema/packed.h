/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed: rows of a series as few bytes, for who is to remember many of them.
 * Column by column, what stays the same is one entry, and what moves is told by
 * how far: a process at rest takes some bytes a column, whatever the rows. The
 * lines of lists are left out. Owned by who made it; pure data.
 */
#ifndef HT_SCHEMA_PACKED_H
#define HT_SCHEMA_PACKED_H

#include "schema/series.h"

struct ht_packed {
	uint8_t *bytes; /* NULL: nothing is packed */
	size_t n, rows;
	int64_t first_ns, last_ns; /* times of its rows */
};

/* Rows [first, end) of s: times, metrics, size classes, mappings. What ret held
 * is freed. */
enum ht_code ht_packed_make(const struct ht_series *s, size_t first, size_t end,
			    struct ht_packed *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* Appends its rows that are not before from_ns, as ht_series_add_row() would
 * have them: cuts are found anew. ret has the metrics and the columns that s
 * had; classes that held nothing in all these rows are not made. */
enum ht_code ht_packed_append(const struct ht_packed *p, int64_t from_ns,
			      struct ht_series *ret,
			      struct ht_err *err) HT_MUST_CHECK;
void ht_packed_fini(struct ht_packed *p);

#endif
