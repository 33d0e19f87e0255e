/* SPDX-License-Identifier: Apache-2.0 */
/* Board: the processes of the database with their newest figures, one row each,
 * as `ls` and `top` show them. */
#ifndef HT_CLI_BOARD_H
#define HT_CLI_BOARD_H

#include "analysis/verdict_brief.h"
#include "cli/service.h"
#include "cli/target.h"

#define HT_BOARD_POINTS 60

struct ht_board_row {
	struct ht_store_process process;
	bool lives;
	struct ht_verdict_brief verdict;
	int64_t judged_ns;		/* by us, monotonic; 0: not */
	double newest[HT_METRIC_COUNT]; /* of those that were asked for */
	double in_use_over_time[HT_BOARD_POINTS];
	size_t points;
};

struct ht_board { /* NaN: not known */
	struct ht_board_row *rows;
	size_t n;
};

void ht_board_fini(struct ht_board *b);
#define HT_AUTO_BOARD HT_CLEANUP(ht_board_fini)

/* What to read. */
struct ht_board_ask {
	const struct ht_cli *cli;
	int64_t since_ns;	       /* 0: all */
	bool metrics[HT_METRIC_COUNT]; /* in_use comes along */
	const struct ht_board *before; /* what it knew of verdicts; NULL */
};

/* All processes with a sample at or after since_ns, newest first. A verdict is
 * the daemon's newest, where one was made of the last samples; else we judge,
 * of no more than 64 processes. ret: zeroed. */
enum ht_code ht_board_read(struct ht_store *store,
			   const struct ht_board_ask *ask, struct ht_board *ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* The same of the processes of a service, each judged now as the options want
 * it (--since, --until). */
enum ht_code ht_board_of(struct ht_store *store, const struct ht_service *of,
			 const struct ht_board_ask *ask, struct ht_board *ret,
			 struct ht_err *err) HT_MUST_CHECK;
/* The largest value of a metric first; what is not known last. */
void ht_board_sort(struct ht_board *b, enum ht_metric m);
/* What to look at first, first. */
void ht_board_sort_verdicts(struct ht_board *b);

/* "+3.1 MiB/h", "" for none; "6h14m", "" for none. Return out. */
#define HT_BOARD_TEXT 40
const char *ht_board_growth(const struct ht_cli *cli,
			    const struct ht_board_row *row,
			    char out[HT_BOARD_TEXT]);
const char *ht_board_limit(const struct ht_board_row *row,
			   char out[HT_BOARD_TEXT]);

#endif
