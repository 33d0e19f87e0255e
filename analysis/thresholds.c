/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/thresholds.h"

#include <stddef.h>

const struct ht_thresholds ht_t = {
#define HT_THRESHOLD(id, value, meaning) .id = (value),
#include "analysis/thresholds.def"
#undef HT_THRESHOLD
};

const struct ht_threshold_info ht_threshold_infos[] = {
#define HT_THRESHOLD(id, value, meaning) {#id, (value), (meaning)},
#include "analysis/thresholds.def"
#undef HT_THRESHOLD
	{NULL, 0, NULL},
};
