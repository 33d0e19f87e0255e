/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics on the command line: --metric in_use,retained. */
#ifndef HT_CLI_METRICS_H
#define HT_CLI_METRICS_H

#include <jansson.h>

#include "cli/commands.h"
#include "schema/metrics.h"

struct ht_metric_list {
	enum ht_metric v[HT_METRIC_COUNT];
	size_t n;
};

/* NULL text: `fallback`, itself such a list. HT_USAGE names the first word that
 * is no metric. */
enum ht_code ht_metric_list_parse(const char *text, const char *fallback,
				  struct ht_metric_list *ret,
				  struct ht_err *err) HT_MUST_CHECK;

/* A value: a whole number, a real one for ratios; null when not known. */
json_t *ht_metric_json(enum ht_metric m, double v);

/* `--metric help`: prints all of them. */
enum ht_code ht_metric_list_help(const struct ht_cli *cli,
				 struct ht_err *err) HT_MUST_CHECK;

#endif
