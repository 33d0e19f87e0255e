/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "schema/records.h"

const char *ht_bytes_text(uint64_t bytes, bool exact, char out[HT_NUMBER_TEXT])
{
	if (exact && bytes != HT_UNKNOWN)
		snprintf(out, HT_NUMBER_TEXT, "%" PRIu64, bytes);
	else
		ht_size_text(bytes, out, HT_NUMBER_TEXT);
	return out;
}

const char *ht_count_text(uint64_t n, char out[HT_NUMBER_TEXT])
{
	char digits[HT_NUMBER_TEXT];
	int used = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *to = out;

	if (n == HT_UNKNOWN) {
		snprintf(out, HT_NUMBER_TEXT, "?");
		return out;
	}
	for (int i = 0; i < used; i++) {
		if (i && (used - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return out;
}

const char *ht_value_text(const char *unit, double v, bool exact,
			  char out[HT_NUMBER_TEXT])
{
	char size[HT_NUMBER_TEXT];

	if (!isfinite(v))
		strcpy(out, "?");
	else if (!strcmp(unit, "ratio"))
		snprintf(out, HT_NUMBER_TEXT, "%.1f %%", 100 * v);
	else if (!strcmp(unit, "bytes") && fabs(v) < 0x1p63)
		snprintf(
			out, HT_NUMBER_TEXT, "%s%.*s", v < 0 ? "-" : "",
			HT_NUMBER_TEXT - 2,
			ht_bytes_text((uint64_t)llround(fabs(v)), exact, size));
	else if (v >= 0 && v < 0x1p53 && v == floor(v))
		ht_count_text((uint64_t)v, out);
	else
		snprintf(out, HT_NUMBER_TEXT, "%.4g", v);
	return out;
}

const char *ht_digits_text(double v, char out[HT_NUMBER_TEXT])
{
	if (!isfinite(v))
		return NULL;
	if (fabs(v) < 0x1p63 && v == floor(v)) {
		snprintf(out, HT_NUMBER_TEXT, "%" PRId64, (int64_t)v);
		return out;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(out, HT_NUMBER_TEXT, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	return out;
}

enum ht_code ht_table_init(const struct ht_term *term, bool bytes,
			   const struct ht_column *columns, size_t n,
			   struct ht_table *ret, struct ht_err *err)
{
	struct ht_table t = {.table = scols_new_table(), .bytes = bytes};

	if (!t.table)
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
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

enum ht_code ht_table_print(struct ht_table *t, struct ht_err *err)
{
	if (t->failed || scols_print_table(t->table))
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
	return HT_OK;
}
