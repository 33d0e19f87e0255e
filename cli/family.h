/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Family: the processes of one service, with the sums of their figures. What
 * they share since a fork() is in the RSS of each, and once in the machine: the
 * sum of PSS is what all of them take of it.
 */
#ifndef HT_CLI_FAMILY_H
#define HT_CLI_FAMILY_H

#include "cli/board.h"
#include "cli/json.h"

struct ht_family {
	const struct ht_board_row *first; /* its name is the family's */
	size_t processes;
	size_t pss_known; /* of how many the PSS was read */
	/* Sums, bytes; NaN where it is unknown of one of them. */
	double rss, pss, trimmable, trimmable_private;
};

/* The metrics that ht_family_of sums: to be read for the board. */
void ht_family_needs(bool metrics[HT_METRIC_COUNT]);

/* The family of a row: its processes that have not ended, of one target, or,
 * where none is named, of one program. processes is 0 or 1 where it is alone.
 */
struct ht_family ht_family_of(const struct ht_board *b,
			      const struct ht_board_row *row);
/* "web, 4 processes: RSS 238.0 MiB, PSS 75.2 MiB". */
#define HT_FAMILY_LINE 240
void ht_family_line(const struct ht_cli *cli, const struct ht_family *f,
		    char out[HT_FAMILY_LINE]);
/* A paragraph for each family of the board; nothing where all are alone. */
void ht_family_print_all(const struct ht_cli *cli, const struct ht_board *b);
/* {"processes", "rss", "pss", ...}; null for who is alone. */
json_t *ht_family_json(const struct ht_family *f);

#endif
