/* SPDX-License-Identifier: Apache-2.0 */
/* Fit: how many columns text takes, and text made to fit a number of them. */
#ifndef HT_CLI_FIT_H
#define HT_CLI_FIT_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of the first `bytes` bytes on a terminal of the locale that is set:
 * escape sequences take none, what cannot be shown takes one a character. */
int ht_fit_columns(const char *text, size_t bytes);
/* The same where what cannot be shown is written as \xNN, four a byte: in
 * cells of tables. */
int ht_fit_cell(const char *text);

/* Text of at most `columns` (8 or more) columns: shortened in the middle, with
 * "…" there (".." without UTF-8), because the ends of paths, addresses and C++
 * names tell them apart. Returns out, of len bytes. */
const char *ht_fit_middle(const char *text, int columns, bool utf8, char *out,
			  size_t len);

#endif
