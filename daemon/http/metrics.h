/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: what the daemon knows, as text for Prometheus. Everything comes from
 * memory: neither the store nor a process is touched. Names, types and how many
 * series there are per process: docs/fleet.md.
 */
#ifndef HT_DAEMON_HTTP_METRICS_H
#define HT_DAEMON_HTTP_METRICS_H

#include "daemon/http/exposition.h"
#include "daemon/parts/parts.h"

/* All that is shown. */
struct ht_exposed {
	const struct ht_parts *parts;
	uint64_t connections, shed; /* of HTTP itself */
};

/* How often the page shows a metric: once where schema/metrics.def names its
 * family, else never. For a test. */
size_t ht_metrics_times_shown(enum ht_metric m);

/* *ret: to be freed. */
enum ht_code ht_metrics_text(const struct ht_exposed *e,
			     enum ht_exposition format, char **ret,
			     size_t *ret_len, struct ht_err *err) HT_MUST_CHECK;

#endif
