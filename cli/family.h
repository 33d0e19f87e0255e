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

/* The family of a row: those that run together with it (cli/service.h) and have
 * not ended. processes is 0 or 1 where it is alone. */
struct ht_family ht_family_of(const struct ht_board *b,
			      const struct ht_board_row *row);
/* "web, 4 processes: RSS 238.0 MiB, PSS 75.2 MiB". */
#define HT_FAMILY_LINE 240
void ht_family_line(const struct ht_cli *cli, const struct ht_family *f,
		    char out[HT_FAMILY_LINE]);
/* The same of a board that is one family. */
void ht_family_whole_line(const struct ht_cli *cli, const struct ht_board *b,
			  char out[HT_FAMILY_LINE]);
/* A paragraph for each family of the board; nothing where all are alone. */
void ht_family_print_all(const struct ht_cli *cli, const struct ht_board *b);
/* One line a process, the worst verdict first, and one with the sums: verdict,
 * growth, limit, and the flagged of the board's metrics. */
enum ht_code ht_family_table(const struct ht_cli *cli, struct ht_board *b,
			     struct ht_err *err) HT_MUST_CHECK;
/* {"processes", "rss", "pss", ...}; null for who is alone. */
json_t *ht_family_json(const struct ht_family *f);
/* Of a board of one family: the same with "members", an object for each with
 * its verdict in brief and its figures; null for who is alone. */
json_t *ht_family_members_json(const struct ht_board *b);
/* Sets "verdict", "confidence", "slope_bytes_per_hour", "eta_limit_at". */
void ht_family_put_verdict(json_t *o, const struct ht_verdict_brief *v);

#endif
