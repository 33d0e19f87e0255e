/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `heaptide top`: all targets, live and full-screen, from the database that
 * the daemon (or `record`) writes. Not on a terminal: printed once.
 */
#include <curses.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/family.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "common/clock.h"

#define REFRESH_MS   2000
#define SHOWN_NS     (3600 * HT_NS_PER_S) /* targets seen within the last hour */
#define NAME_WIDTH   18
#define FIGURE_WIDTH 11
#define SPARK_WIDTH  24
#define SEEN_WIDTH   8

/* What rows can be sorted by: the key that is pressed, the column's title. */
static const struct {
	char key;
	const char *title;
	enum ht_metric metric;
} columns[] = {
	{'r', "RSS", HT_M_rss},
	{'u', "in Use", HT_M_in_use},
	{'k', "Kept free", HT_M_retained},
	{'t', "Trimmable", HT_M_trimmable},
	{'f', "Fragmented", HT_M_external},
	{'o', "Outside", HT_M_non_malloc_anon},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *figure(const struct ht_cli *cli,
			  const struct ht_board_row *r, size_t column,
			  char text[HT_NUMBER_TEXT])
{
	enum ht_metric m = columns[column].metric;

	return ht_value_text(ht_metric_infos[m].unit, r->newest[m],
			     cli->opt.bytes, text);
}

/* Columns that the screen is wide enough for, with the one after them. */
static size_t fitting(void)
{
	int room = (COLS - NAME_WIDTH - 9 - SEEN_WIDTH) / FIGURE_WIDTH;

	return room < 1 ? 1 : (size_t)room < COLUMNS ? (size_t)room : COLUMNS;
}

static void draw_row(const struct ht_cli *cli, int line,
		     const struct ht_board_row *r)
{
	const struct ht_store_process *p = &r->process;
	char text[HT_NUMBER_TEXT], spark[HT_SPARK_MAX * 4], seen[32];
	int x = NAME_WIDTH + 9;

	mvprintw(line, 0, "%-*.*s %7" PRIu64, NAME_WIDTH, NAME_WIDTH,
		 *p->target ? p->target : p->comm, p->pid);
	for (size_t i = 0; i < fitting(); i++, x += FIGURE_WIDTH)
		mvprintw(line, x, "%*s", FIGURE_WIDTH - 1,
			 figure(cli, r, i, text));
	ht_duration_text(ht_wall_ns() - p->last_ns, seen, sizeof(seen));
	mvprintw(line, x, "%7s ", p->ended_ns ? "ended" : seen);
	if (COLS >= x + SEEN_WIDTH + SPARK_WIDTH)
		addstr(ht_spark(&cli->term, r->in_use_over_time, r->points,
				SPARK_WIDTH, spark));
}

/* One line each from the bottom up, a third of the screen at most; returns how
 * many. */
static int draw_families(const struct ht_cli *cli, const struct ht_board *b)
{
	char line[HT_FAMILY_LINE];
	int n = 0;

	for (size_t i = 0; i < b->n && n < LINES / 3; i++) {
		struct ht_family f = ht_family_of(b, &b->rows[i]);

		if (f.processes < 2 || f.first != &b->rows[i])
			continue;
		ht_family_line(cli, &f, line);
		mvaddnstr(LINES - ++n, 0, line, COLS);
	}
	return n;
}

static void draw(const struct ht_cli *cli, const struct ht_board *b,
		 size_t sorted, const char *trouble)
{
	char now[HT_TIME_TEXT];
	int x = NAME_WIDTH + 9, families;

	erase();
	ht_time_here_text(ht_wall_ns(), now);
	mvprintw(0, 0, "heaptide  %s  %zu targets  %s", now, b->n, trouble);
	mvprintw(1, 0,
		 "sort by: r RSS, u in use, k kept free, t trimmable, "
		 "f fragmented, o outside malloc; q quits");
	attron(A_REVERSE);
	mvprintw(2, 0, "%-*s %7s%*s", NAME_WIDTH, "target", "pid",
		 COLS > NAME_WIDTH + 8 ? COLS - NAME_WIDTH - 8 : 0, "");
	for (size_t i = 0; i < fitting(); i++, x += FIGURE_WIDTH) {
		if (i == sorted)
			attron(A_BOLD);
		mvprintw(2, x, "%*s", FIGURE_WIDTH - 1, columns[i].title);
		attroff(A_BOLD);
	}
	mvprintw(2, x, "%7s", "seen");
	if (COLS >= x + SEEN_WIDTH + SPARK_WIDTH)
		addnstr(" in use over the last hour", COLS - x - SEEN_WIDTH);
	attroff(A_REVERSE);
	families = draw_families(cli, b);
	for (int i = 0; i + 3 + families < LINES && i < (int)b->n; i++)
		draw_row(cli, i + 3, &b->rows[i]);
	refresh();
}

static enum ht_code read_board(struct ht_cli *cli, size_t sorted,
			       struct ht_board *ret, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct ht_board fresh = {0};
	bool metrics[HT_METRIC_COUNT] = {false};
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	for (size_t i = 0; i < COLUMNS; i++)
		metrics[columns[i].metric] = true;
	ht_family_needs(metrics);
	if (code == HT_OK)
		code = ht_board_read(store, ht_wall_ns() - SHOWN_NS, metrics,
				     &fresh, err);
	if (code != HT_OK) {
		ht_board_fini(&fresh);
		return code;
	}
	ht_board_sort(&fresh, columns[sorted].metric);
	ht_board_fini(ret);
	*ret = fresh;
	return HT_OK;
}

/* True: go on. */
static bool take_key(int key, size_t *sorted)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (key == columns[i].key)
			*sorted = i;
	}
	return key != 'q' && key != 'Q' && key != 3;
}

/* Trouble while it runs is shown, the last good figures stay. */
static void run_screen(struct ht_cli *cli, struct ht_board *board)
{
	struct ht_err trouble = {0};
	size_t sorted = 0;
	bool on = true;

	initscr();
	raw(); /* Ctrl-C is a key: the terminal is given back in order */
	noecho();
	curs_set(0);
	timeout(REFRESH_MS);
	while (on) {
		if (read_board(cli, sorted, board, &trouble) == HT_OK)
			*trouble.msg = '\0';
		draw(cli, board, sorted, trouble.msg);
		on = take_key(getch(), &sorted);
	}
	endwin();
}

static enum ht_code print_once(const struct ht_cli *cli,
			       const struct ht_board *b, struct ht_err *err)
{
	struct ht_column heads[COLUMNS + 2] = {{"target", false, 0, true},
					       {"pid", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;

	for (size_t i = 0; i < COLUMNS; i++)
		heads[i + 2] = (struct ht_column){columns[i].title, true,
						  i < 2 ? 0 : (int)i};
	code = ht_table_init(&cli->term, cli->opt.bytes, heads, COLUMNS + 2, &t,
			     err);
	if (code != HT_OK)
		return code;
	for (size_t row = 0; row < b->n; row++) {
		const struct ht_store_process *p = &b->rows[row].process;
		char text[HT_NUMBER_TEXT];

		ht_table_row(&t);
		ht_table_text(&t, "%s", *p->target ? p->target : p->comm);
		ht_table_text(&t, "%" PRIu64, p->pid);
		for (size_t i = 0; i < COLUMNS; i++)
			ht_table_text(&t, "%s",
				      figure(cli, &b->rows[row], i, text));
	}
	code = ht_table_print(&t, err);
	if (code == HT_OK)
		ht_family_print_all(cli, b);
	return code;
}

enum ht_code ht_cmd_top(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_BOARD struct ht_board board = {0};
	enum ht_code code = read_board(cli, 0, &board, err);

	if (code != HT_OK)
		return code;
	if (!cli->term.out_tty)
		return print_once(cli, &board, err);
	run_screen(cli, &board);
	return HT_OK;
}
