/* SPDX-License-Identifier: Apache-2.0 */
#include <curses.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/family.h"
#include "cli/fit.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "cli/top.h"
#include "common/clock.h"

#define NAMES_MAX   32 /* what is left of the line goes to the names */
#define SPARK_WIDTH 24
#define HEAD	    3 /* lines above the rows */

const struct ht_top_column ht_top_columns[HT_TOP_COLUMNS] = {
	{"target", 'n', 14, 0, HT_METRIC_COUNT},
	{"pid", 0, 7, 5, HT_METRIC_COUNT},
	{"verdict", 'v', 14, 0, HT_METRIC_COUNT},
	{"growth", 'g', 12, 1, HT_METRIC_COUNT},
	{"limit in", 'l', 8, 3, HT_METRIC_COUNT},
	{"RSS", 'r', 10, 0, HT_M_rss},
	{"in use", 'u', 10, 2, HT_M_in_use},
	{"retained", 'k', 10, 4, HT_M_retained},
	{"trimmable", 't', 10, 6, HT_M_trimmable},
	{"fragmented", 'f', 10, 9, HT_M_external},
	{"outside", 'o', 10, 8, HT_M_non_malloc_anon},
	{"seen", 's', 7, 7, HT_METRIC_COUNT},
};

/* --- cells --------------------------------------------------------------- */

static const char *seen(const struct ht_store_process *p, char out[HT_TOP_CELL])
{
	if (p->ended_ns)
		return "ended";
	ht_duration_text(ht_wall_ns() - p->last_ns, out, HT_TOP_CELL);
	return out;
}

const char *ht_top_cell(const struct ht_cli *cli, size_t column,
			const struct ht_board_row *row, char out[HT_TOP_CELL])
{
	const struct ht_store_process *p = &row->process;
	enum ht_metric m = ht_top_columns[column].metric;

	if (m != HT_METRIC_COUNT)
		return ht_value_text(ht_metric_infos[m].unit, row->newest[m],
				     cli->opt.bytes, out);
	switch (column) {
	case 0:
		return *p->target ? p->target : p->comm;
	case 1:
		snprintf(out, HT_TOP_CELL, "%" PRIu64, p->pid);
		return out;
	case HT_TOP_VERDICT:
		return ht_verdict_brief_label(&row->verdict);
	case 3:
		return ht_board_growth(cli, row, out);
	case 4:
		return ht_board_limit(row, out);
	default:
		return seen(p, out);
	}
}

void ht_top_fit(int width, bool fits[HT_TOP_COLUMNS])
{
	int used = 0, least;

	for (size_t i = 0; i < HT_TOP_COLUMNS; i++) {
		fits[i] = true;
		used += ht_top_columns[i].width + 1;
	}
	for (least = 9; least > 0 && used - 1 > width; least--)
		for (size_t i = 0; i < HT_TOP_COLUMNS; i++) {
			if (ht_top_columns[i].least != least ||
			    used - 1 <= width)
				continue;
			fits[i] = false;
			used -= ht_top_columns[i].width + 1;
		}
}

/* --- the list ------------------------------------------------------------ */

struct layout {
	bool fits[HT_TOP_COLUMNS];
	int width[HT_TOP_COLUMNS];
	bool spark;
};

static struct layout lay_out(void)
{
	struct layout l = {.spark = false};
	int used = -1, left;

	ht_top_fit(COLS, l.fits);
	for (size_t i = 0; i < HT_TOP_COLUMNS; i++) {
		l.width[i] = ht_top_columns[i].width;
		used += l.fits[i] ? l.width[i] + 1 : 0;
	}
	left = COLS - used;
	if (left >= SPARK_WIDTH + 1) {
		l.spark = true;
		left -= SPARK_WIDTH + 1;
	}
	/* the longest label first, then names */
	for (; left > 0 && l.width[HT_TOP_VERDICT] < 19; left--)
		l.width[HT_TOP_VERDICT]++;
	for (; left > 0 && l.width[0] < NAMES_MAX; left--)
		l.width[0]++;
	return l;
}

static bool to_the_left(size_t column)
{
	return column == 0 || column == HT_TOP_VERDICT;
}

/* Text in so many columns of the screen, whatever is in it. */
static void put(int y, int x, const struct ht_term *term, const char *text,
		int width, bool left)
{
	char cell[HT_TOP_CELL * 4];
	int columns;

	ht_fit_middle(text, width, term->utf8, cell, sizeof(cell));
	columns = ht_fit_cell(cell);
	mvaddstr(y, left ? x : x + width - columns, cell);
}

static void draw_heads(const struct ht_top *t, const struct layout *l)
{
	int x = 0;

	attron(A_REVERSE);
	mvprintw(HEAD - 1, 0, "%*s", COLS, "");
	for (size_t i = 0; i < HT_TOP_COLUMNS; i++) {
		if (!l->fits[i])
			continue;
		if (i == t->sorted)
			attron(A_BOLD | A_UNDERLINE);
		put(HEAD - 1, x, &t->cli->term, ht_top_columns[i].title,
		    l->width[i], to_the_left(i));
		attroff(A_BOLD | A_UNDERLINE);
		x += l->width[i] + 1;
	}
	if (l->spark)
		mvaddstr(HEAD - 1, x, "in use, last hour");
	attroff(A_REVERSE);
}

static attr_t attr_of(const struct ht_board_row *r)
{
	switch (r->verdict.label) {
	case HT_LABEL_LEAK:
	case HT_LABEL_NON_MALLOC_GROWTH:
		return A_BOLD;
	case HT_LABEL_INSUFFICIENT_DATA:
	case HT_LABEL_COUNT:
		return A_DIM;
	case HT_LABEL_POOL_GROWTH:
	case HT_LABEL_TOP_PINNED:
	case HT_LABEL_FRAGMENTATION:
	case HT_LABEL_ARENA_PROLIFERATION:
	case HT_LABEL_CACHE_WARMUP:
	case HT_LABEL_PERIODIC:
	case HT_LABEL_STABLE:
		break;
	}
	return A_NORMAL;
}

static void draw_row(const struct ht_top *t, const struct layout *l, int y,
		     const struct ht_board_row *r, bool marked)
{
	char cell[HT_TOP_CELL], spark[HT_SPARK_MAX * 4];
	int x = 0;

	if (marked) {
		attron(A_REVERSE);
		mvprintw(y, 0, "%*s", COLS, "");
	}
	for (size_t i = 0; i < HT_TOP_COLUMNS; i++) {
		attr_t own = i == HT_TOP_VERDICT ? attr_of(r) : A_NORMAL;

		if (!l->fits[i])
			continue;
		attron(own);
		put(y, x, &t->cli->term, ht_top_cell(t->cli, i, r, cell),
		    l->width[i], to_the_left(i));
		attroff(own);
		x += l->width[i] + 1;
	}
	if (l->spark)
		mvaddstr(y, x,
			 ht_spark(&t->cli->term, r->in_use_over_time, r->points,
				  SPARK_WIDTH, spark));
	attroff(A_REVERSE);
}

/* One line each from the bottom up, a third of the screen at most; returns how
 * many. */
static int draw_families(const struct ht_top *t)
{
	const struct ht_board *b = &t->board;
	char line[HT_FAMILY_LINE];
	int n = 0;

	for (size_t i = 0; i < b->n && n < LINES / 3; i++) {
		struct ht_family f = ht_family_of(b, &b->rows[i]);

		if (f.processes < 2 || f.first != &b->rows[i])
			continue;
		ht_family_line(t->cli, &f, line);
		mvaddnstr(LINES - ++n, 0, line, COLS);
	}
	return n;
}

static void draw_title(const struct ht_top *t)
{
	char now[HT_TIME_TEXT];
	size_t hidden = t->board.n - t->rows;

	ht_time_here_text(ht_wall_ns(), now);
	mvprintw(0, 0, "heaptide  %.19s  %zu of %zu processes", now, t->rows,
		 t->board.n);
	if (hidden && !t->ended)
		addstr(" (e: the ended, too)");
	if (*t->trouble.msg)
		printw("  %.*s", COLS, t->trouble.msg);
	if (t->typing || *t->filter)
		mvprintw(1, 0, "filter: %s%s", t->filter,
			 t->typing ? "_" : "   (/ changes it)");
	else
		mvaddnstr(
			1, 0,
			"? help   Enter one target   / filter   order by: v g l r u k t f o n s   q quit",
			COLS);
}

static void draw_list(struct ht_top *t)
{
	struct layout l = lay_out();
	int room, families;

	draw_title(t);
	draw_heads(t, &l);
	families = draw_families(t);
	room = LINES - HEAD - families;
	room = room < 1 ? 1 : room;
	if (t->at < t->first)
		t->first = t->at;
	if (t->at >= t->first + (size_t)room)
		t->first = t->at - (size_t)room + 1;
	for (size_t i = 0; i < (size_t)room && t->first + i < t->rows; i++)
		draw_row(t, &l, HEAD + (int)i, t->row[t->first + i],
			 t->first + i == t->at);
	if (!t->rows)
		mvaddnstr(HEAD + 1, 0,
			  *t->filter
				  ? "no process matches the filter"
				  : "no process was seen within the last hour",
			  COLS);
}

/* --- one target ---------------------------------------------------------- */

#define LEAD 11 /* columns of a paragraph's name */

/* A named paragraph from line y on; returns the line after it. */
static int paragraph(int y, const char *name, const char *text)
{
	char *lines = NULL, *at;
	size_t len;
	FILE *to = *text ? open_memstream(&lines, &len) : NULL;

	if (!to)
		return y;
	ht_wrap_to(to, COLS - LEAD > 20 ? COLS - LEAD : 20, 0, text);
	fclose(to);
	at = lines;
	mvaddnstr(y, 0, name, COLS);
	for (char *line; (line = strsep(&at, "\n")) && y < LINES;)
		if (*line)
			mvaddnstr(y++, LEAD, line, COLS - LEAD);
	free(lines);
	return y;
}

static int draw_course(const struct ht_top *t, int y, enum ht_metric m,
		       const char *name)
{
	const struct ht_series *s = &t->one.series;
	const double *x = s->metric[m][HT_STAT_MEDIAN];
	int width = COLS - LEAD - 36;
	char spark[HT_SPARK_MAX * 4], low[HT_NUMBER_TEXT];
	char high[HT_NUMBER_TEXT], last[HT_NUMBER_TEXT];
	double min = INFINITY, max = -INFINITY;

	for (size_t i = 0; i < s->rows; i++) {
		min = fmin(min, x[i]);
		max = fmax(max, x[i]);
	}
	if (!s->rows || !isfinite(min) || y >= LINES)
		return y;
	width = width < 10 ? 10 : width > HT_SPARK_MAX ? HT_SPARK_MAX : width;
	mvaddstr(y, 0, name);
	mvaddstr(y, LEAD, ht_spark(&t->cli->term, x, s->rows, width, spark));
	printw(" %s (%s .. %s)",
	       ht_value_text("bytes", x[s->rows - 1], t->cli->opt.bytes, last),
	       ht_value_text("bytes", min, t->cli->opt.bytes, low),
	       ht_value_text("bytes", max, t->cli->opt.bytes, high));
	return y + 1;
}

static int draw_verdict(const struct ht_top *t, int y)
{
	const struct ht_verdict *v = &t->one.verdict;

	for (size_t i = 0; i < v->evidence_n; i++)
		y = paragraph(y, i ? "" : "evidence", v->evidence[i]);
	y = paragraph(y, "culprit", v->culprit);
	return paragraph(y, "remedy", v->remedy);
}

static void draw_one(const struct ht_top *t)
{
	const struct ht_store_process *p = &t->one.process;
	const struct ht_verdict *v = &t->one.verdict;
	struct ht_board_row row = {.process = *p,
				   .verdict = ht_verdict_brief_of(v)};
	char growth[HT_BOARD_TEXT], limit[HT_BOARD_TEXT], span[32];
	char text[sizeof(v->limit_name) + 64];
	int y = 3;

	ht_duration_text(v->to_ns - v->from_ns, span, sizeof(span));
	attron(A_BOLD);
	mvprintw(0, 0, "%s, pid %" PRIu64 ": %s",
		 *p->target ? p->target : p->comm, p->pid,
		 ht_verdict_brief_label(&row.verdict));
	attroff(A_BOLD);
	printw(" (%.2f, %s), %zu samples in %s", v->confidence,
	       ht_confidence_word(v->confidence), v->samples, span);
	mvaddnstr(1, 0, "Esc back   ? help   q quit", COLS);
	if (*t->trouble.msg)
		printw("   %s", t->trouble.msg);
	y = draw_course(t, y, HT_M_rss, "RSS");
	y = draw_course(t, y, HT_M_in_use, "in use");
	y = draw_course(t, y, HT_M_retained, "kept free");
	y = draw_course(t, y, HT_M_non_malloc_anon, "outside");
	y = paragraph(y + 1, "growth", ht_board_growth(t->cli, &row, growth));
	snprintf(text, sizeof(text), "%s in %s", v->limit_name,
		 ht_board_limit(&row, limit));
	y = paragraph(y, "limit", *limit ? text : "");
	y = draw_verdict(t, y);
	snprintf(text, sizeof(text), "heaptide explain %" PRIu64, p->pid);
	paragraph(y, "next", p->ended_ns ? "" : text);
}

/* --- help ---------------------------------------------------------------- */

static void draw_help(void)
{
	static const char *const lines[] = {
		"Enter, right     the marked target: verdict, evidence, remedy",
		"Esc, left        back to the list",
		"up, down, PgUp, PgDn, Home, End   move the mark",
		"/                show only what has this text in its name, pid or verdict; Esc ends it",
		"e                show who has ended, too, or hide them",
		"q                quit",
		"",
		"Order by         v what to look at first   g growth   l the limit that is nearest",
		"                 r RSS   u in use   k retained: free, kept by glibc   t what malloc_trim(0) would return",
		"                 o anonymous memory outside malloc   n name   s seen last",
		"",
		"Verdict, growth and limit are the daemon's newest, or made now where there are none.",
		"The last lines: services of several processes with their sums; in PSS what they share counts once.",
		"heaptide help: the commands; man heaptide: all of it",
	};
	int y = 2;

	attron(A_BOLD);
	mvaddnstr(0, 0, "heaptide top: keys (Esc: back)", COLS);
	attroff(A_BOLD);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++, y++)
		mvaddnstr(y, 0, lines[i], COLS);
}

void ht_top_draw(struct ht_top *t)
{
	erase();
	if (t->page == HT_TOP_HELP)
		draw_help();
	else if (t->page == HT_TOP_ONE)
		draw_one(t);
	else
		draw_list(t);
	refresh();
}
