/* SPDX-License-Identifier: Apache-2.0 */
/* Owners: what holds chunks, as a snapshot that was asked for owners has it. */
#ifndef HT_CLI_OWNERS_H
#define HT_CLI_OWNERS_H

#include <jansson.h>

#include "cli/commands.h"
#include "schema/snapshot.h"

/* "heaptide.owners/1"; NULL: no memory. */
json_t *ht_owners_json(const struct ht_snapshot *s);
/* Each size with its holders and the chains to them. */
void ht_owners_print(const struct ht_cli *cli, const struct ht_snapshot *s);

#define HT_OWNER_TEXT 900
/* One holder in one sentence: "100 % of 9.0 MiB in 224 B chunks (malloc of 201
 * to 216 bytes): list, by log (static, web)". False: it holds nothing that is
 * listed. */
bool ht_owner_text(const struct ht_cli *cli, const struct ht_snapshot *s,
		   size_t holder, char out[HT_OWNER_TEXT]);

#endif
