/* SPDX-License-Identifier: Apache-2.0 */
/* Sheet: an answer as named paragraphs, which can be made to fit a number of
 * lines: what weighs nothing stays, the heaviest goes first. */
#ifndef HT_CLI_SHEET_H
#define HT_CLI_SHEET_H

#include <stddef.h>

#include "cli/term.h"
#include "common/err.h"

#define HT_SHEET_ROWS 48
struct ht_sheet_row {
	char name[12];	/* printed where the row before has another */
	char text[600]; /* one paragraph */
	int weight;	/* 0: never left out */
};
struct ht_sheet {
	struct ht_sheet_row row[HT_SHEET_ROWS];
	size_t n;
};

/* Appends a row; one without text is none, one that finds no room is dropped.
 */
void ht_sheet_add(struct ht_sheet *s, int weight, const char *name,
		  const char *fmt, ...) HT_PRINTF(4, 5);
/* How many lines the sheet takes at that width. */
int ht_sheet_lines(const struct ht_sheet *s, int width);
/* Leaves out rows, the heaviest first and of those the last, until it takes no
 * more than that many lines or nothing is left that may go. Returns how many
 * went. */
size_t ht_sheet_fit(struct ht_sheet *s, int width, int lines);
void ht_sheet_print(const struct ht_sheet *s, const struct ht_term *t);

#endif
