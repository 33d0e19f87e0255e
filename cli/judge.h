/* SPDX-License-Identifier: Apache-2.0 */
/* Judge: a target's history, its newest snapshot and what they mean, as
 * `verdict` and `report` need them. */
#ifndef HT_CLI_JUDGE_H
#define HT_CLI_JUDGE_H

#include "analysis/verdict.h"
#include "cli/target.h"

struct ht_judged {
	struct ht_store_process process;
	struct ht_series series; /* at least one row */
	struct ht_snapshot
		latest; /* the newest in the window, or all unknown */
	struct ht_verdict verdict;
};

void ht_judged_init(struct ht_judged *j);
void ht_judged_fini(struct ht_judged *j);
#define HT_AUTO_JUDGED HT_CLEANUP(ht_judged_fini)

/* Judges TARGET in the window of the options. ret: initialised. */
enum ht_code ht_judge(struct ht_cli *cli, const char *word,
		      struct ht_judged *ret, struct ht_err *err) HT_MUST_CHECK;

#endif
