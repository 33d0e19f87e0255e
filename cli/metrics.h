/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics on the command line: --metric in_use,retained. */
#ifndef HT_CLI_METRICS_H
#define HT_CLI_METRICS_H

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

/* `--metric help`: prints all of them. */
enum ht_code ht_metric_list_help(const struct ht_cli *cli,
				 struct ht_err *err) HT_MUST_CHECK;

/* Is it measured in bytes? */
bool ht_metric_is_size(enum ht_metric m);

#endif
