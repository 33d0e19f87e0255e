/* SPDX-License-Identifier: Apache-2.0 */
/* Owners: what holds chunks, as a snapshot that was asked for owners has it. */
#ifndef HT_CLI_OWNERS_H
#define HT_CLI_OWNERS_H

#include <jansson.h>

#include "cli/commands.h"
#include "schema/snapshot.h"

/* "heaptide.owners/1"; NULL: no memory. */
json_t *ht_owners_json(const struct ht_snapshot *s);
/* Each size with its holders and the chains to them; warnings are the
 * caller's. */
void ht_owners_print(const struct ht_cli *cli, const struct ht_snapshot *s);

#endif
