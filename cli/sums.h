/* SPDX-License-Identifier: Apache-2.0 */
/* Sums: a metric of several processes over time, brought to the same times and
 * added up. Pure. */
#ifndef HT_CLI_SUMS_H
#define HT_CLI_SUMS_H

#include "cli/metrics.h"

struct ht_sums {
	size_t n;
	int64_t *time_ns; /* ascending, at even distances */
	double *value;	  /* NaN: not known, of one that lived then */
};
void ht_sums_fini(struct ht_sums *s);
#define HT_AUTO_SUMS HT_CLEANUP(ht_sums_fini)

/* Of `n` processes, at `points` times from the first row of any to the last of
 * any. Each counts with its newest value, from its first row until after its
 * last one (by three of its usual distances). Of what cannot be added (ratios)
 * it is the highest. ret: zeroed. */
enum ht_code ht_sums_make(const struct ht_series *s, size_t n,
			  const struct ht_trend_metric *m, size_t points,
			  struct ht_sums *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/* Of number `one` of them alone, at the same times. */
enum ht_code ht_sums_of_one(const struct ht_series *s, size_t n, size_t one,
			    const struct ht_trend_metric *m, size_t points,
			    struct ht_sums *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* It is added up, no highest value. */
bool ht_sums_adds(const struct ht_trend_metric *m);

#endif
