/* SPDX-License-Identifier: Apache-2.0 */
/* Trend of a service: a line for each of its processes, and the plots of their
 * sums. */
#ifndef HT_CLI_TREND_SERVICE_H
#define HT_CLI_TREND_SERVICE_H

#include "cli/metrics.h"
#include "cli/target.h"

/* *ret_told false: the TARGET of the options means one process, nothing was
 * printed. */
enum ht_code ht_trend_service(struct ht_cli *cli,
			      const struct ht_measures *metrics,
			      const struct ht_history_ask *ask, bool *ret_told,
			      struct ht_err *err) HT_MUST_CHECK;

#endif
