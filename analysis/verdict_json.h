/* SPDX-License-Identifier: Apache-2.0 */
/* Verdict as JSON ("heaptide.verdict/1"): what `heaptide verdict --json` prints
 * and what the daemon records of a verdict. Keys are only ever added. */
#ifndef HT_ANALYSIS_VERDICT_JSON_H
#define HT_ANALYSIS_VERDICT_JSON_H

#include <jansson.h>

#include "analysis/verdict.h"

#define HT_VERDICT_SCHEMA "heaptide.verdict/1"

#define HT_HELD_BY_TEXT 540 /* a paragraph of a terminal */
/* What a daemon found out about the chunks of a leak. */
struct ht_held_by {
	int64_t at_ns; /* wall clock; 0: it is not known */
	char text[HT_HELD_BY_TEXT];
};
/* ... and of whom: who holds them (owners = yes), whose call stacks make them
 * (who = on-leak), and which type grew (types = on). */
struct ht_traced {
	struct ht_held_by held, made, grown;
};

/* New reference; NULL when out of memory. pid: HT_UNKNOWN is null. traced: or
 * NULL: nobody was asked. */
json_t *ht_verdict_json(const struct ht_verdict *v, const char *target,
			uint64_t pid, const struct ht_traced *traced);

#endif
