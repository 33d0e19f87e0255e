/* SPDX-License-Identifier: Apache-2.0 */
/* Pin: which chunk has held memory below a top, how much and for how long. */
#ifndef HT_CLI_PIN_H
#define HT_CLI_PIN_H

#include "cli/target.h"

#define HT_PIN_TEXT 256
/* One sentence without a full stop at its end, "" when no chunk holds enough to
 * speak of (1 MiB). As of --until, or of the newest sample. */
enum ht_code ht_pin_text(const struct ht_cli *cli, int64_t process_id,
			 char out[HT_PIN_TEXT],
			 struct ht_err *err) HT_MUST_CHECK;

#endif
