/* SPDX-License-Identifier: Apache-2.0 */
/* Top: what the screen of `heaptide top` shows, and how it is drawn. */
#ifndef HT_CLI_TOP_H
#define HT_CLI_TOP_H

#include "cli/board.h"
#include "cli/judge.h"

enum ht_top_page { HT_TOP_LIST, HT_TOP_ONE, HT_TOP_HELP };

#define HT_TOP_FILTER 48
struct ht_top {
	struct ht_cli *cli;
	struct ht_board board;	   /* all that were read */
	struct ht_board_row **row; /* of them, those that are shown */
	size_t rows;
	size_t at, first; /* the row that is marked; the topmost drawn */
	int64_t chosen;	  /* its process, 0: none yet */
	size_t sorted;	  /* by which column */
	enum ht_top_page page;
	bool ended;  /* who has ended is shown, too */
	bool typing; /* the filter */
	char filter[HT_TOP_FILTER];
	struct ht_judged one;  /* of HT_TOP_ONE */
	int64_t one_ns;	       /* when it was judged, monotonic; 0: not */
	struct ht_err trouble; /* with the last reading; the figures stay */
};

/* The columns, from the left; key 0: no order by it. */
struct ht_top_column {
	const char *title;
	char key;
	int width;
	int least; /* left out where there is no room, the highest first */
	enum ht_metric metric; /* HT_METRIC_COUNT: none */
};
#define HT_TOP_COLUMNS 12
extern const struct ht_top_column ht_top_columns[HT_TOP_COLUMNS];
/* The one whose order puts first what is to be looked at first. */
#define HT_TOP_VERDICT 2

/* What a column says of a row. Returns out. */
#define HT_TOP_CELL 64
const char *ht_top_cell(const struct ht_cli *cli, size_t column,
			const struct ht_board_row *row, char out[HT_TOP_CELL]);
/* Flags the columns that fit. */
void ht_top_fit(int width, bool fits[HT_TOP_COLUMNS]);
/* Draws the page with curses; moves t->first so that the mark is seen. */
void ht_top_draw(struct ht_top *t);

#endif
