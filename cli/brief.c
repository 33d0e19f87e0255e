/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/brief.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/answer.h"
#include "cli/sheet.h"
#include "cli/show.h"

#define LAST   "%zu more of this; the rest: %s"
#define CAUSES 6 /* the largest ones; the others are one row */

/* Damage before advice before warnings; of an advice what to type stays
 * longest, later ones go first. */
static void add_rows(const struct ht_cli *cli, const struct ht_snapshot *s,
		     struct ht_sheet *sheet)
{
	char returns[HT_RETURNS_TEXT];

	for (size_t i = 0; i < s->findings.n; i++)
		ht_sheet_add(sheet, i ? 9 : 0, "damage",
			     "%s at 0x%" PRIx64 ": %s", s->findings.v[i].code,
			     s->findings.v[i].address, s->findings.v[i].text);
	for (size_t i = 0; i < s->advice.n; i++) {
		const struct ht_advice *a = &s->advice.v[i];
		int later = i < 5 ? (int)i : 5;

		ht_sheet_add(sheet, i ? 1 + later : 0, "to do", "%s", a->text);
		ht_sheet_add(sheet, i ? 2 + later : 1, "  type", "%s", a->how);
		ht_sheet_add(sheet, 3 + later, "  returns", "%s",
			     ht_returns_text(cli, a, returns));
		ht_sheet_add(sheet, 4 + later, "  costs", "%s", a->cost);
	}
	for (size_t i = 0; i < s->warnings.n; i++)
		ht_sheet_add(sheet, i ? 5 : 2, "warning", "%s",
			     s->warnings.v[i].text);
}

/* Rows that ht_show_rss() prints, its head and sum among them. */
static int table_lines(const struct ht_snapshot *s)
{
	int known = 0, unknown = 0;

	for (int c = 0; c < HT_CAUSE_COUNT; c++) {
		uint64_t bytes = ht_snapshot_cause(s, (enum ht_cause)c);

		known += bytes != 0 && bytes != HT_UNKNOWN;
		unknown += bytes == HT_UNKNOWN;
	}
	if (!s->rss_causes.n)
		return 0;
	return unknown + (known > CAUSES ? CAUSES + 1 : known) + 2;
}

/* Lines that the last one takes: a pid may have seven digits. */
static int last_lines(int width, size_t rows, const char *again)
{
	int columns = snprintf(NULL, 0, LAST, rows, again);

	return width > 0 ? (columns + width - 1) / width : 1;
}

enum ht_code ht_brief_print(const struct ht_cli *cli,
			    const struct ht_snapshot *s, const char *again,
			    struct ht_err *err)
{
	struct ht_sheet sheet = {.n = 0};
	int table = table_lines(s), lines;
	enum ht_code code = HT_OK;
	size_t gone;

	add_rows(cli, s, &sheet);
	/* The blank lines before the two parts, and the last line. */
	lines = ht_answer_print(cli, s) + table + 2 +
		last_lines(cli->term.width, sheet.n, again);
	gone = ht_sheet_fit(&sheet, cli->term.width, HT_BRIEF_LINES - lines);
	if (sheet.n)
		putchar('\n');
	ht_sheet_print(&sheet, &cli->term);
	if (table) {
		putchar('\n');
		code = ht_show_rss(cli, s, CAUSES, err);
	}
	if (code == HT_OK && gone)
		ht_paragraph(&cli->term, "", LAST, gone, again);
	else if (code == HT_OK)
		ht_paragraph(&cli->term, "", "the rest: %s", again);
	return code;
}
