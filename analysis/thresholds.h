/* SPDX-License-Identifier: Apache-2.0 */
/* The table thresholds.def as numbers: ht_t.rise_bytes and so on. */
#ifndef HT_ANALYSIS_THRESHOLDS_H
#define HT_ANALYSIS_THRESHOLDS_H

extern const struct ht_thresholds {
#define HT_THRESHOLD(id, value, meaning) double id;
#include "analysis/thresholds.def"
#undef HT_THRESHOLD
} ht_t;

/* The same as a list, ended by a NULL id, for the documentation. */
struct ht_threshold_info {
	const char *id;
	double value;
	const char *meaning;
};
extern const struct ht_threshold_info ht_threshold_infos[];

#endif
