/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of metrics: metrics.c shows processes, metrics_self.c the daemon.
 */
#ifndef HT_DAEMON_HTTP_METRICS_INT_H
#define HT_DAEMON_HTTP_METRICS_INT_H

#include "daemon/http/metrics.h"

struct ht_shown_process {
	const struct ht_watched *process;
	char labels[320]; /* target and pid */
};
struct ht_shown {
	struct ht_shown_process *v;
	size_t n;
};

void ht_metrics_of_daemon(struct ht_text *t, const struct ht_exposed *e);

#endif
