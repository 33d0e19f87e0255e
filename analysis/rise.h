/* SPDX-License-Identifier: Apache-2.0 */
/* Rise: what RSS rose by from the first to the last sample, and what of it is
 * what. The parts add up to it, to the byte. */
#ifndef HT_ANALYSIS_RISE_H
#define HT_ANALYSIS_RISE_H

#include <stddef.h>

#include "schema/series.h"

/* Bytes, negative where it fell; NaN: unknown. in_use: resident, malloc's own
 * headers included. */
struct ht_rise {
	double rss, in_use, retained, outside, files, shared;
};

/* Between the first and the last row in [from, to] that know RSS; all NaN
 * without two of them. in_use, retained and outside are NaN together, where the
 * heap was not measured in either. */
void ht_rise(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
	     struct ht_rise *ret);
/* "RSS rose 1.5 MiB: in use 1.2 MiB, retained ..." in tenths of one unit that
 * add up; empty when RSS is unknown. */
void ht_rise_text(const struct ht_rise *r, char *ret, size_t size);

#endif
