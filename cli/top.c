/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `heaptide top`: all targets, live and full-screen, from the database that
 * the daemon (or `record`) writes. Not on a terminal: printed once.
 */
#include "cli/top.h"

#include <curses.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/family.h"
#include "cli/table.h"
#include "common/clock.h"

#define REFRESH_MS 2000
#define SHOWN_NS   (3600 * HT_NS_PER_S) /* targets seen within the last hour */
#define ONE_NS	   (10 * HT_NS_PER_S)	/* one target is judged anew */
#define ESCAPE	   27
#define CONTROL_C  3

/* --- what is shown, in which order --------------------------------------- */

static bool has(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

static bool is_shown(const struct ht_top *t, const struct ht_board_row *r)
{
	const struct ht_store_process *p = &r->process;
	char pid[24];

	if (p->ended_ns && !t->ended)
		return false;
	snprintf(pid, sizeof(pid), "%" PRIu64, p->pid);
	return !*t->filter || has(p->target, t->filter) ||
	       has(p->comm, t->filter) || has(p->exe, t->filter) ||
	       has(pid, t->filter) ||
	       has(ht_verdict_brief_label(&r->verdict), t->filter);
}

static int numbers(double x, double y)
{
	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return (x < y) - (x > y);
}

static double limit_of(const struct ht_board_row *r)
{
	return r->verdict.eta_at_ns ? -(double)r->verdict.eta_at_ns
				    : (double)NAN;
}

static int compare(const void *a, const void *b, void *sorted)
{
	const struct ht_board_row *x = *(struct ht_board_row *const *)a;
	const struct ht_board_row *y = *(struct ht_board_row *const *)b;
	const struct ht_top_column *c = &ht_top_columns[*(size_t *)sorted];

	switch (c->key) {
	case 'v':
		return ht_verdict_brief_compare(&x->verdict, &y->verdict);
	case 'g':
		return numbers(x->verdict.slope_bytes_per_hour,
			       y->verdict.slope_bytes_per_hour);
	case 'l':
		return numbers(limit_of(x), limit_of(y));
	case 's':
		return numbers((double)x->process.last_ns,
			       (double)y->process.last_ns);
	case 'n':
		return strcmp(*x->process.target ? x->process.target
						 : x->process.comm,
			      *y->process.target ? y->process.target
						 : y->process.comm);
	default:
		return numbers(x->newest[c->metric], y->newest[c->metric]);
	}
}

/* The mark stays on its process. */
static void arrange(struct ht_top *t)
{
	t->rows = 0;
	for (size_t i = 0; i < t->board.n; i++)
		if (is_shown(t, &t->board.rows[i]))
			t->row[t->rows++] = &t->board.rows[i];
	if (t->rows)
		qsort_r(t->row, t->rows, sizeof(*t->row), compare, &t->sorted);
	for (size_t i = 0; i < t->rows; i++)
		if (t->row[i]->process.id == t->chosen)
			t->at = i;
	if (t->at >= t->rows)
		t->at = t->rows ? t->rows - 1 : 0;
	t->chosen = t->rows ? t->row[t->at]->process.id : 0;
}

/* --- reading ------------------------------------------------------------- */

static enum ht_code read_board(struct ht_top *t, struct ht_store *store,
			       struct ht_err *err)
{
	struct ht_board_ask ask = {.cli = t->cli,
				   .since_ns = ht_wall_ns() - SHOWN_NS,
				   .before = &t->board};
	struct ht_board fresh = {0};
	struct ht_board_row **row;
	enum ht_code code;

	for (size_t i = 0; i < HT_TOP_COLUMNS; i++)
		if (ht_top_columns[i].metric != HT_METRIC_COUNT)
			ask.metrics[ht_top_columns[i].metric] = true;
	ht_family_needs(ask.metrics);
	code = ht_board_read(store, &ask, &fresh, err);
	row = reallocarray(t->row, fresh.n + 1, sizeof(*row));
	if (code == HT_OK && !row)
		code = ht_fail(err, HT_NOMEM, "out of memory");
	t->row = row ?: t->row;
	if (code != HT_OK) {
		ht_board_fini(&fresh);
		return code;
	}
	ht_board_fini(&t->board);
	t->board = fresh;
	arrange(t);
	return HT_OK;
}

static enum ht_code read_one(struct ht_top *t, struct ht_store *store,
			     struct ht_err *err)
{
	HT_AUTO_JUDGED struct ht_judged j, old;
	enum ht_code code;

	ht_judged_init(&j);
	ht_judged_init(&old);
	if (t->one_ns && ht_mono_ns() - t->one_ns < ONE_NS)
		return HT_OK;
	j.process = t->one.process;
	code = ht_judged_read(store, 0, 0, &j, err);
	if (code != HT_OK)
		return code;
	old = t->one;
	t->one = j;
	ht_judged_init(&j);
	t->one_ns = ht_mono_ns();
	return HT_OK;
}

static enum ht_code read_all(struct ht_top *t, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&t->cli->opt, &store, err);

	if (code == HT_OK)
		code = read_board(t, store, err);
	if (code == HT_OK && t->page == HT_TOP_ONE)
		code = read_one(t, store, err);
	return code;
}

/* --- keys ---------------------------------------------------------------- */

static void move_mark(struct ht_top *t, int by)
{
	size_t back = by < 0 ? (size_t)-by : 0;

	if (!t->rows)
		return;
	t->at = back > t->at ? 0 : t->at - back + (by > 0 ? (size_t)by : 0);
	if (t->at >= t->rows)
		t->at = t->rows - 1;
	t->chosen = t->row[t->at]->process.id;
}

static void open_one(struct ht_top *t)
{
	if (t->page != HT_TOP_LIST || !t->rows)
		return;
	ht_judged_fini(&t->one);
	ht_judged_init(&t->one);
	t->one.process = t->row[t->at]->process;
	t->one_ns = 0;
	t->page = HT_TOP_ONE;
}

/* Printable bytes, so that UTF-8 can be typed as well. */
static void type(struct ht_top *t, int key)
{
	size_t n = strlen(t->filter);

	if (key == ESCAPE)
		*t->filter = '\0';
	if (key == ESCAPE || key == '\n' || key == '\r' || key == KEY_ENTER)
		t->typing = false;
	else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && n)
		t->filter[n - 1] = '\0';
	else if (key >= ' ' && key <= 255 && key != 127 &&
		 n + 1 < sizeof(t->filter)) {
		t->filter[n] = (char)key;
		t->filter[n + 1] = '\0';
	}
}

static void back(struct ht_top *t)
{
	if (t->page == HT_TOP_LIST)
		*t->filter = '\0';
	t->page = HT_TOP_LIST;
}

static void take_list_key(struct ht_top *t, int key)
{
	int page = LINES > 6 ? LINES - 6 : 1;

	for (size_t i = 0; i < HT_TOP_COLUMNS; i++)
		if (ht_top_columns[i].key && key == ht_top_columns[i].key)
			t->sorted = i;
	if (key == KEY_UP || key == KEY_DOWN)
		move_mark(t, key == KEY_UP ? -1 : 1);
	else if (key == KEY_PPAGE || key == KEY_NPAGE)
		move_mark(t, key == KEY_PPAGE ? -page : page);
	else if (key == KEY_HOME || key == KEY_END)
		move_mark(t, key == KEY_HOME ? -(int)t->rows : (int)t->rows);
	else if (key == '/')
		t->typing = true;
	else if (key == 'e')
		t->ended = !t->ended;
	else if (key == '\n' || key == '\r' || key == KEY_ENTER ||
		 key == KEY_RIGHT)
		open_one(t);
}

/* True: go on. */
static bool take_key(struct ht_top *t, int key)
{
	if (key == CONTROL_C)
		return false;
	if (t->typing)
		type(t, key);
	else if (key == 'q' || key == 'Q')
		return false;
	else if (key == '?')
		t->page = t->page == HT_TOP_HELP ? HT_TOP_LIST : HT_TOP_HELP;
	else if (key == ESCAPE || key == KEY_LEFT || key == KEY_BACKSPACE)
		back(t);
	else if (t->page == HT_TOP_LIST)
		take_list_key(t, key);
	arrange(t);
	return true;
}

/* Keys that are waiting are taken before anything is read again. */
static bool wait_for_keys(struct ht_top *t)
{
	enum ht_top_page page = t->page;
	bool on = true;
	int key;

	timeout(REFRESH_MS);
	while (on && (key = getch()) != ERR) {
		on = take_key(t, key);
		if (t->page != page)
			break;
		timeout(0);
		ht_top_draw(t);
	}
	return on;
}

/* Trouble while it runs is shown, the last good figures stay. */
static void run_screen(struct ht_top *t)
{
	bool on = true;

	set_escdelay(50);
	initscr();
	raw(); /* Ctrl-C is a key: the terminal is given back in order */
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	while (on) {
		if (read_all(t, &t->trouble) == HT_OK)
			*t->trouble.msg = '\0';
		ht_top_draw(t);
		on = wait_for_keys(t);
	}
	endwin();
}

static enum ht_code print_once(struct ht_top *t, struct ht_err *err)
{
	struct ht_column heads[HT_TOP_COLUMNS];
	HT_AUTO_TABLE struct ht_table table = {0};
	char cell[HT_TOP_CELL];
	enum ht_code code;

	t->ended = true;
	arrange(t);
	for (size_t i = 0; i < HT_TOP_COLUMNS; i++)
		heads[i] = (struct ht_column){
			ht_top_columns[i].title, i != 0 && i != HT_TOP_VERDICT,
			i == 1 ? 0 : ht_top_columns[i].least, i == 0};
	code = ht_table_init(&t->cli->term, t->cli->opt.bytes, heads,
			     HT_TOP_COLUMNS, &table, err);
	if (code != HT_OK)
		return code;
	for (size_t row = 0; row < t->rows; row++) {
		ht_table_row(&table);
		for (size_t i = 0; i < HT_TOP_COLUMNS; i++)
			ht_table_text(
				&table, "%s",
				ht_top_cell(t->cli, i, t->row[row], cell));
	}
	code = ht_table_print(&table, err);
	if (code == HT_OK)
		ht_family_print_all(t->cli, &t->board);
	return code;
}

static void top_fini(struct ht_top *t)
{
	ht_board_fini(&t->board);
	ht_judged_fini(&t->one);
	free(t->row);
}

enum ht_code ht_cmd_top(struct ht_cli *cli, struct ht_err *err)
{
	HT_CLEANUP(top_fini)
	struct ht_top top = {.cli = cli, .sorted = HT_TOP_VERDICT};
	enum ht_code code;

	ht_judged_init(&top.one);
	code = read_all(&top, err);
	if (code != HT_OK)
		return code;
	if (cli->term.out_tty)
		run_screen(&top);
	else if (top.board.n)
		return print_once(&top, err);
	else
		ht_tell(&cli->term,
			"nothing was looked at within the last hour in %s ('heaptide ls' lists all that is recorded)",
			ht_history_path(&cli->opt));
	return HT_OK;
}
