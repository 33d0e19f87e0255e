/* SPDX-License-Identifier: Apache-2.0 */
/* Verdict as JSON ("heaptide.verdict/1"): what `heaptide verdict --json` prints
 * and what the daemon records of a verdict. Keys are only ever added. */
#ifndef HT_ANALYSIS_VERDICT_JSON_H
#define HT_ANALYSIS_VERDICT_JSON_H

#include <jansson.h>

#include "analysis/verdict.h"

#define HT_VERDICT_SCHEMA "heaptide.verdict/1"

/* New reference; NULL when out of memory. pid: HT_UNKNOWN is null. */
json_t *ht_verdict_json(const struct ht_verdict *v, const char *target,
			uint64_t pid);

#endif
