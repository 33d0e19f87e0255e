/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define INDENT 12 /* "  name      " */

void ht_sheet_add(struct ht_sheet *s, int weight, const char *name,
		  const char *fmt, ...)
{
	struct ht_sheet_row *row = &s->row[s->n];
	va_list ap;

	if (s->n == HT_SHEET_ROWS)
		return;
	va_start(ap, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, ap);
	va_end(ap);
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->weight = weight;
	s->n += *row->text != '\0';
}

int ht_sheet_lines(const struct ht_sheet *s, int width)
{
	int lines = 0;

	for (size_t i = 0; i < s->n; i++)
		lines += ht_wrap_lines(width, INDENT, s->row[i].text);
	return lines;
}

/* The row that goes first; n when none may. */
static size_t heaviest(const struct ht_sheet *s)
{
	size_t at = s->n;

	for (size_t i = 0; i < s->n; i++)
		if (s->row[i].weight > 0 &&
		    (at == s->n || s->row[i].weight >= s->row[at].weight))
			at = i;
	return at;
}

size_t ht_sheet_fit(struct ht_sheet *s, int width, int lines)
{
	size_t gone = 0;

	while (ht_sheet_lines(s, width) > lines) {
		size_t at = heaviest(s);

		if (at == s->n)
			break;
		memmove(&s->row[at], &s->row[at + 1],
			(s->n - at - 1) * sizeof(s->row[0]));
		s->n--;
		gone++;
	}
	return gone;
}

void ht_sheet_print(const struct ht_sheet *s, const struct ht_term *t)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct ht_sheet_row *row = &s->row[i];
		bool same = i && !strcmp(row->name, row[-1].name);

		printf("  %-9s ", same ? "" : row->name);
		ht_wrap(t, INDENT, row->text);
	}
}
