/* SPDX-License-Identifier: Apache-2.0 */
/* Levels: a history as the store keeps it (samples, and roll-ups of 1 min,
 * 10 min, 1 h) and as ht_store_series_mixed() reads it at a moment, without a
 * database: tests/unit/test_levels holds the two together. */
#ifndef HT_TESTS_LEVELS_H
#define HT_TESTS_LEVELS_H

#include "schema/series.h"

#define HT_LEVELS 3
struct ht_levels {
	const struct ht_series *raw; /* borrowed */
	struct ht_series rolled[HT_LEVELS];
};

void ht_levels_make(const struct ht_series *raw, struct ht_levels *ret);
void ht_levels_fini(struct ht_levels *l);
/* What is read at to_ns of the history from from_ns on; ret is initialised by
 * the caller, what it held is freed. */
void ht_levels_mixed(const struct ht_levels *l, int64_t from_ns, int64_t to_ns,
		     struct ht_series *ret);

#endif
