/* SPDX-License-Identifier: Apache-2.0 */
/* Answer: what one look says in a few lines, before any table. */
#ifndef HT_CLI_ANSWER_H
#define HT_CLI_ANSWER_H

#include "cli/commands.h"
#include "schema/snapshot.h"

/* Where the memory is and what malloc_trim(0) would return, or what a core file
 * knows of it. Returns how many lines were printed. */
int ht_answer_print(const struct ht_cli *cli, const struct ht_snapshot *s);

#define HT_RETURNS_TEXT 80
/* What a remedy returns: "3.0 MiB", "1.0 MiB to 3.0 MiB", "at most 3.0 MiB";
 * "" where that is not known. Returns out. */
const char *ht_returns_text(const struct ht_cli *cli, const struct ht_advice *a,
			    char out[HT_RETURNS_TEXT]);

#endif
