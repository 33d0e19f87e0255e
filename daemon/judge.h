/* SPDX-License-Identifier: Apache-2.0 */
/* Judge: once in a while asks, for each process, what its history means, and
 * the alert rules. One process per turn of the loop, so that judging many never
 * delays a sample. */
#ifndef HT_DAEMON_JUDGE_H
#define HT_DAEMON_JUDGE_H

#include "daemon/process.h"

struct ht_judge {
	struct ht_daemon *daemon;
	sd_event_source *timer;
	uint64_t judged;
	int64_t cost_ns; /* of the last one */
};

/* The metrics that a verdict needs. */
extern const bool ht_judge_metrics[HT_METRIC_COUNT];

enum ht_code ht_judge_init(struct ht_judge *j, struct ht_daemon *d,
			   struct ht_err *err) HT_MUST_CHECK;
void ht_judge_fini(struct ht_judge *j);

#endif
