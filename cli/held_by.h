/* SPDX-License-Identifier: Apache-2.0 */
/* Held by: what a daemon found to hold the chunks of a leak (owners = yes). */
#ifndef HT_CLI_HELD_BY_H
#define HT_CLI_HELD_BY_H

#include "analysis/verdict_json.h"
#include "cli/target.h"

/* The newest answer of this life, as of --until. */
enum ht_code ht_held_by_read(const struct ht_cli *cli, int64_t process_id,
			     struct ht_held_by *ret,
			     struct ht_err *err) HT_MUST_CHECK;
#endif
