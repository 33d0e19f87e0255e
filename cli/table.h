/* SPDX-License-Identifier: Apache-2.0 */
/* Table on stdout: rows filled cell by cell, aligned by libsmartcols. No line
 * is wider than the terminal (or COLUMNS) and no cell is broken: names are
 * shortened in the middle, then whole columns are left out, the least needed
 * first. */
#ifndef HT_CLI_TABLE_H
#define HT_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/term.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "schema/figure_text.h"

struct ht_column {
	const char *title;
	bool right;   /* figures */
	int least;    /* left out where there is no room, the highest number
		       * first; 0: never */
	bool shorten; /* names that may lose their middle */
};

#define HT_TABLE_COLUMNS 24 /* at most */

struct libscols_table;
struct libscols_line;

struct ht_table {
	struct libscols_table *table;
	struct libscols_line *line;
	const struct ht_column *columns; /* borrowed until it is printed */
	size_t columns_n;
	size_t cell;
	int width;
	bool utf8;
	bool bytes;  /* sizes as plain bytes */
	bool failed; /* out of memory at some cell: print says so */
};

enum ht_code ht_table_init(const struct ht_term *term, bool bytes,
			   const struct ht_column *columns, size_t n,
			   struct ht_table *ret,
			   struct ht_err *err) HT_MUST_CHECK;
void ht_table_fini(struct ht_table *t);
#define HT_AUTO_TABLE HT_CLEANUP(ht_table_fini)

/* Begins a row; the next cells go into it from the left. */
void ht_table_row(struct ht_table *t);
void ht_table_text(struct ht_table *t, const char *fmt, ...) HT_PRINTF(2, 3);
void ht_table_size(struct ht_table *t, uint64_t bytes);
/* "?" for NaN, what is not known. */
void ht_table_real_size(struct ht_table *t, double bytes);
void ht_table_count(struct ht_table *t, uint64_t n);
/* Percent of whole; "" when either is unknown or whole is 0. */
void ht_table_share(struct ht_table *t, uint64_t part, uint64_t whole);

enum ht_code ht_table_print(struct ht_table *t,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
