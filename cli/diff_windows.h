/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide diff` of two windows: of one process, of two lives, of two
 * processes. */
#ifndef HT_CLI_DIFF_WINDOWS_H
#define HT_CLI_DIFF_WINDOWS_H

#include "cli/commands.h"

/* Do the options ask for windows, not for moments? */
bool ht_diff_has_windows(const struct ht_options *o);
/* heaptide.window_diff/1, or tables. HT_NODATA: nothing in a window. */
enum ht_code ht_diff_windows(struct ht_cli *cli,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
