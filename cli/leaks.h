/* SPDX-License-Identifier: Apache-2.0 */
/* Leaks: chunks that nothing leads to, as a snapshot that was asked for them
 * has them. */
#ifndef HT_CLI_LEAKS_H
#define HT_CLI_LEAKS_H

#include <jansson.h>

#include "cli/commands.h"
#include "schema/snapshot.h"

/* Adds what is of "heaptide.leaks/1" alone. 0; else no memory, or top is
 * NULL. */
int ht_leaks_add_json(json_t *top, const struct ht_snapshot *s);
/* The sums, and a table of what stands at the heads; warnings are the
 * caller's. */
enum ht_code ht_leaks_print(const struct ht_cli *cli,
			    const struct ht_snapshot *s,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
