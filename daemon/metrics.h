/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: what the daemon knows, as text for Prometheus. Everything comes from
 * memory: neither the store nor a process is touched. Names, types and how many
 * series there are per process: docs/fleet.md.
 */
#ifndef HT_DAEMON_METRICS_H
#define HT_DAEMON_METRICS_H

#include <stddef.h>

#include "common/err.h"
#include "schema/metrics.h"

struct ht_daemon;

enum ht_exposition {
	HT_EXPOSITION_TEXT,	   /* Prometheus text format 0.0.4 */
	HT_EXPOSITION_OPENMETRICS, /* OpenMetrics 1.0.0 */
};

/* The family on /metrics that shows this metric by itself; NULL: none does. */
const char *ht_metrics_family(enum ht_metric m);

/* *ret: to be freed. */
enum ht_code ht_metrics_text(struct ht_daemon *d, enum ht_exposition format,
			     char **ret, size_t *ret_len,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
