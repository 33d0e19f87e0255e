/* SPDX-License-Identifier: Apache-2.0 */
/* Board: the processes of the database with their newest figures, one row each,
 * as `ls` and `top` show them. */
#ifndef HT_CLI_BOARD_H
#define HT_CLI_BOARD_H

#include "cli/target.h"

#define HT_BOARD_POINTS 60

struct ht_board_row {
	struct ht_store_process process;
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

/* Reads the flagged metrics, and in_use over time, of all processes with a
 * sample at or after since_ns (0: all), newest first. ret: zeroed. */
enum ht_code ht_board_read(struct ht_store *store, int64_t since_ns,
			   const bool metrics[HT_METRIC_COUNT],
			   struct ht_board *ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* The largest value of a metric first; what is not known last. */
void ht_board_sort(struct ht_board *b, enum ht_metric m);

#endif
