/* SPDX-License-Identifier: Apache-2.0 */
/* Judge: a target's history, its newest snapshot and what they mean, as
 * `verdict` and `report` need them. */
#ifndef HT_CLI_JUDGE_H
#define HT_CLI_JUDGE_H

#include "cli/target.h"
#include "page/held_by.h"
#include "page/judged.h"
#include "page/pin.h"

/* Judges TARGET in the window of the options. ret: initialised. */
enum ht_code ht_judge(struct ht_cli *cli, const char *word,
		      struct ht_judged *ret, struct ht_err *err) HT_MUST_CHECK;

/* What the history says beside a verdict, as of --until. traced: may be NULL.
 * verdict: needed for it; else NULL. */
enum ht_code ht_judge_beside(const struct ht_cli *cli, int64_t process_id,
			     const struct ht_verdict *verdict,
			     char pin[HT_PIN_TEXT], struct ht_traced *traced,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
