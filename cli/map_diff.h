/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide map --against`: the map of one process at two moments. */
#ifndef HT_CLI_MAP_DIFF_H
#define HT_CLI_MAP_DIFF_H

#include "cli/commands.h"

/* heaptide.map_diff/1, CSV of the heaps, or tables; of the moments of --at (the
 * newest sample) and --against, the earlier one first. */
enum ht_code ht_map_diff(struct ht_cli *cli, struct ht_err *err) HT_MUST_CHECK;

#endif
