/* SPDX-License-Identifier: Apache-2.0 */
/* Board: the processes of the database with their newest figures, one row each,
 * as `ls` and `top` show them. */
#ifndef HT_CLI_BOARD_H
#define HT_CLI_BOARD_H

#include "cli/target.h"

#define HT_BOARD_POINTS 60

struct ht_board_row {
	struct ht_store_process process;
	uint64_t rss, in_use, retained, trimmable; /* HT_UNKNOWN: not known */
	uint64_t non_malloc_anon, pause_us;
	double in_use_over_time[HT_BOARD_POINTS]; /* NaN: not known */
	size_t points;
};

struct ht_board {
	struct ht_board_row *rows;
	size_t n;
};

void ht_board_fini(struct ht_board *b);
#define HT_AUTO_BOARD HT_CLEANUP(ht_board_fini)

/* Reads all processes with a sample at or after since_ns (0: all), newest
 * first. ret: zeroed. */
enum ht_code ht_board_read(struct ht_store *store, int64_t since_ns,
			   struct ht_board *ret,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
