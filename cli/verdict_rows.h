/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict for people: one line, and what it rests on as rows of a sheet. */
#ifndef HT_CLI_VERDICT_ROWS_H
#define HT_CLI_VERDICT_ROWS_H

#include "cli/judge.h"
#include "cli/next.h"
#include "cli/sheet.h"

/* The target's name, or the process's. Borrowed. */
const char *ht_judged_name(const struct ht_judged *j);
/* "LEAK (0.60, medium)  web, pid 42, 79 samples in 19.5s". Returns its
 * lines. */
int ht_verdict_head(const struct ht_cli *cli, const struct ht_judged *j);
/* Evidence, culprit, pin (ht_pin_text), limit, remedy; the first piece of
 * evidence, the limit and the remedy weigh nothing. */
void ht_verdict_rows(const struct ht_cli *cli, const struct ht_judged *j,
		     const char *pin, struct ht_sheet *sheet);
/* Commands to type, each with what it costs; the first one weighs nothing. */
void ht_next_rows(const struct ht_next *next, size_t n, struct ht_sheet *sheet);

#endif
