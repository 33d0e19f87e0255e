/* SPDX-License-Identifier: Apache-2.0 */
/* Judged: a process's history in a window, its newest snapshot there and what
 * they mean: what a verdict, a page and a gate are made from. */
#ifndef HT_PAGE_JUDGED_H
#define HT_PAGE_JUDGED_H

#include "analysis/verdict.h"
#include "store/store.h"

struct ht_judged {
	struct ht_store_process process;
	struct ht_series series;      /* at least one row */
	struct ht_store_lives before; /* series.earlier */
	struct ht_snapshot
		latest; /* the newest in the window, or all unknown */
	bool have_latest;
	struct ht_verdict verdict;
};

void ht_judged_init(struct ht_judged *j);
void ht_judged_fini(struct ht_judged *j);
#define HT_AUTO_JUDGED HT_CLEANUP(ht_judged_fini)

/* Reads the window [since, until] of j->process, which the caller set, and
 * judges it; wall clock, 0: open. Without since the analysis chooses how far it
 * looks back. HT_NODATA: no sample there. j: initialised. */
enum ht_code ht_judged_read(struct ht_store *store, int64_t since_ns,
			    int64_t until_ns, struct ht_judged *j,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
