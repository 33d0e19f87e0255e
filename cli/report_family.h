/* SPDX-License-Identifier: Apache-2.0 */
/* The service that a report's process is one of: each of its processes and the
 * sums, now and over time. */
#ifndef HT_CLI_REPORT_FAMILY_H
#define HT_CLI_REPORT_FAMILY_H

#include "cli/family.h"

/* "family" of a page's document: that of `verdict`, with "times_s" and
 * "courses": of each metric the sum, and "each" of the first members, in the
 * order of the board. New reference. The options say since when. */
enum ht_code ht_report_family(const struct ht_cli *cli, struct ht_store *store,
			      const struct ht_board *board, json_t **ret,
			      struct ht_err *err) HT_MUST_CHECK;

#endif
