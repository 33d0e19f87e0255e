/* SPDX-License-Identifier: Apache-2.0 */
/* Held by: what a daemon found to hold the chunks of a leak (owners = yes). */
#ifndef HT_CLI_HELD_BY_H
#define HT_CLI_HELD_BY_H

#include <jansson.h>

#include "cli/target.h"

struct ht_held_by {
	int64_t at_ns; /* when it was asked; 0: it is not known */
	char text[540];
};

/* The newest answer of this life, as of --until. */
enum ht_code ht_held_by_read(const struct ht_cli *cli, int64_t process_id,
			     struct ht_held_by *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* {"time", "text"}, or null. */
json_t *ht_held_by_json(const struct ht_held_by *h);

#endif
