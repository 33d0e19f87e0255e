/* SPDX-License-Identifier: Apache-2.0 */
/* Brief: one look told in no more lines than a terminal has: the answer, what
 * to do and what to type, and where most of RSS is. */
#ifndef HT_CLI_BRIEF_H
#define HT_CLI_BRIEF_H

#include "cli/commands.h"
#include "schema/snapshot.h"

#define HT_BRIEF_LINES 24 /* of 25; the shell asks on the last one */

/* `again`: the command that prints the whole. What had to be left out is told
 * in the last line. */
enum ht_code ht_brief_print(const struct ht_cli *cli,
			    const struct ht_snapshot *s, const char *again,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
