/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fit.h"
#include "common/size.h"
#include "schema/records.h"

enum ht_code ht_table_init(const struct ht_term *term, bool bytes,
			   const struct ht_column *columns, size_t n,
			   struct ht_table *ret, struct ht_err *err)
{
	struct ht_table t = {.table = scols_new_table(),
			     .columns = columns,
			     .columns_n = n,
			     .width = term->width,
			     .utf8 = term->utf8,
			     .bytes = bytes};

	if (!t.table)
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
	/* Its own way to fit a terminal breaks cells. */
	scols_table_set_termforce(t.table, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_colors(t.table, term->color);
	for (size_t i = 0; i < n; i++) {
		struct libscols_column *c = scols_table_new_column(
			t.table, columns[i].title, 0.1,
			columns[i].right ? SCOLS_FL_RIGHT : 0);

		if (!c) {
			ht_table_fini(&t);
			return ht_fail(err, HT_NOMEM,
				       "out of memory for a table");
		}
		scols_cell_set_color(scols_column_get_header(c), "bold");
	}
	*ret = t;
	return HT_OK;
}

void ht_table_fini(struct ht_table *t)
{
	scols_unref_table(t->table);
	t->table = NULL;
}

void ht_table_row(struct ht_table *t)
{
	t->line = scols_table_new_line(t->table, NULL);
	t->cell = 0;
	t->failed |= !t->line;
}

static void put(struct ht_table *t, const char *text)
{
	if (t->line && scols_line_set_data(t->line, t->cell++, text))
		t->failed = true;
}

void ht_table_text(struct ht_table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(t, text);
}

void ht_table_size(struct ht_table *t, uint64_t bytes)
{
	char text[HT_NUMBER_TEXT];

	put(t, ht_bytes_text(bytes, t->bytes, text));
}

void ht_table_real_size(struct ht_table *t, double bytes)
{
	if (isnan(bytes))
		put(t, "?");
	else
		ht_table_size(t, (uint64_t)bytes);
}

void ht_table_count(struct ht_table *t, uint64_t n)
{
	char text[HT_NUMBER_TEXT];

	put(t, ht_count_text(n, text));
}

void ht_table_share(struct ht_table *t, uint64_t part, uint64_t whole)
{
	if (part == HT_UNKNOWN || whole == HT_UNKNOWN || !whole)
		put(t, "");
	else
		ht_table_text(t, "%.1f %%", 100 * (double)part / (double)whole);
}

/* --- to the width of the terminal ---------------------------------------- */

/* The least that is left of a name; below COLUMNS=60 it may be less. */
#define NAME_MIN   20
#define NAME_LEAST 8

static struct libscols_cell *cell_at(const struct ht_table *t, size_t row,
				     size_t column)
{
	return scols_line_get_cell(scols_table_get_line(t->table, row), column);
}

static const char *cell_text(const struct ht_table *t, size_t row,
			     size_t column)
{
	return scols_cell_get_data(cell_at(t, row, column));
}

static bool is_hidden(const struct ht_table *t, size_t i)
{
	return scols_column_get_flags(scols_table_get_column(t->table, i)) &
	       SCOLS_FL_HIDDEN;
}

/* Columns that the widest cell takes. */
static int width_of(const struct ht_table *t, size_t i)
{
	int width = ht_fit_cell(t->columns[i].title);

	for (size_t row = 0; row < scols_table_get_nlines(t->table); row++) {
		const char *text = cell_text(t, row, i);
		int cell = text ? ht_fit_cell(text) : 0;

		width = cell > width ? cell : width;
	}
	return width;
}

/* What does not fit when each name has no more than `name_max` columns, of
 * columns as wide as `widths` says. */
static int excess(const struct ht_table *t, const int *widths, int name_max)
{
	int sum = -1;

	for (size_t i = 0; i < t->columns_n; i++) {
		int width = is_hidden(t, i) ? -1 : widths[i];

		if (t->columns[i].shorten && width > name_max)
			width = name_max;
		sum += width + 1;
	}
	return sum - t->width;
}

/* False when no column is left that may go. */
static bool leave_one_out(struct ht_table *t)
{
	size_t worst = t->columns_n;

	for (size_t i = 0; i < t->columns_n; i++)
		if (t->columns[i].least && !is_hidden(t, i) &&
		    (worst == t->columns_n ||
		     t->columns[i].least >= t->columns[worst].least))
			worst = i;
	if (worst == t->columns_n)
		return false;
	scols_column_set_flags(scols_table_get_column(t->table, worst),
			       SCOLS_FL_HIDDEN);
	return true;
}

static void shorten_names(struct ht_table *t, int name_max)
{
	char text[512];

	for (size_t i = 0; i < t->columns_n; i++) {
		if (!t->columns[i].shorten || is_hidden(t, i))
			continue;
		for (size_t row = 0; row < scols_table_get_nlines(t->table);
		     row++) {
			const char *whole = cell_text(t, row, i);

			if (whole && ht_fit_cell(whole) > name_max)
				t->failed |=
					scols_cell_set_data(
						cell_at(t, row, i),
						ht_fit_middle(whole, name_max,
							      t->utf8, text,
							      sizeof(text))) !=
					0;
		}
	}
}

static void fit(struct ht_table *t)
{
	int name_max = t->width, widths[HT_TABLE_COLUMNS];

	for (size_t i = 0; i < t->columns_n; i++)
		widths[i] = width_of(t, i);
	while (excess(t, widths, NAME_MIN) > 0 && leave_one_out(t))
		;
	while (name_max > NAME_LEAST && excess(t, widths, name_max) > 0)
		name_max--;
	shorten_names(t, name_max);
}

/* A row that ends early is filled with spaces. */
static void put_trimmed(const char *text)
{
	while (*text) {
		size_t bytes = strcspn(text, "\n"), used = bytes;

		while (used && text[used - 1] == ' ')
			used--;
		printf("%.*s\n", (int)used, text);
		text += bytes + (text[bytes] == '\n');
	}
}

enum ht_code ht_table_print(struct ht_table *t, struct ht_err *err)
{
	char *text = NULL;

	fit(t);
	if (t->failed || scols_print_table_to_string(t->table, &text))
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
	put_trimmed(text);
	free(text);
	return HT_OK;
}
