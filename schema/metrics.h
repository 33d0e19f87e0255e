/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: the numbers of a snapshot that are followed over time. The table is
 * metrics.def. */
#ifndef HT_SCHEMA_METRICS_H
#define HT_SCHEMA_METRICS_H

#include "schema/snapshot.h"

enum ht_metric {
#define HT_METRIC(id, unit, expression, help, family) HT_M_##id,
#include "schema/metrics.def"
#undef HT_METRIC
	HT_METRIC_COUNT
};

struct ht_metric_info {
	const char *name, *unit, *help;
	const char *family; /* of /metrics; NULL: not shown there */
	const char *label,
		*part; /* tells it apart in its family; NULL: alone */
	bool counts;   /* only rises while the process lives */
};
extern const struct ht_metric_info ht_metric_infos[HT_METRIC_COUNT];

/* values[i] is metric i of s, in its unit; NaN where it was not read. */
void ht_metrics_of(const struct ht_snapshot *s, double values[HT_METRIC_COUNT]);

/* Unit "ratio": any double. All others are counts of something, whole numbers.
 */
bool ht_metric_is_ratio(enum ht_metric m);

/* To the base unit that Prometheus wants: seconds of microseconds. */
double ht_metric_factor(enum ht_metric m);

/* Whose the metric `limit` is: "cgroup /a/b", "RLIMIT_AS", "the machine's
 * memory and swap"; empty: no limit is known. */
void ht_limit_name(const struct ht_snapshot *s, char *ret, size_t size);

/* Why the metric `limit` is the nearest of those that are known only: what is
 * unknown of one that may be nearer. NULL: all of them are known. */
const char *ht_limit_unread(const struct ht_snapshot *s);

/* HT_METRIC_COUNT when no metric has this name. */
enum ht_metric ht_metric_find(const char *name);

#endif
