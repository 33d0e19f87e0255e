/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roll-ups of lists: rows of their tables, made from the one description of
 * lists (schema/lines.c). A row is written when it differs from the bucket
 * before with the same key; each hour starts anew.
 */
#include "store/store_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static const char *const tables[HT_LINES_COUNT] = {
	[HT_LINES_BINS] = "bin_rollup",
	[HT_LINES_ARENA_BINS] = "bin_rollup",
	[HT_LINES_ARENAS] = "arena_rollup",
	[HT_LINES_FREE_CLASSES] = "free_class_rollup",
	[HT_LINES_THREADS] = "thread_rollup"};

/* Bins of all arenas together and of each share a table. */
static const char *const which[HT_LINES_COUNT] = {
	[HT_LINES_BINS] = "AND arena = 0 ",
	[HT_LINES_ARENA_BINS] = "AND arena <> 0 "};

/* Finest level at which a list is kept. */
static const int64_t finest_s[HT_LINES_COUNT] = {
	[HT_LINES_ARENA_BINS] = 600, [HT_LINES_FREE_CLASSES] = 600};

bool ht_store_line_level(enum ht_lines list, int64_t level_s)
{
	return level_s >= finest_s[list];
}

/* ", key, ..., figure, figure_min, figure_max, ..." */
static void print_columns(FILE *f, const struct ht_line_kind *k, bool medians)
{
	for (size_t i = 0; i < k->keys_n; i++)
		fprintf(f, ", %s", k->keys[i]);
	for (size_t i = 0; i < k->figures_n; i++)
		if (medians)
			fprintf(f, ", %s", k->figures[i]);
		else
			fprintf(f, ", %s, %s_min, %s_max", k->figures[i],
				k->figures[i], k->figures[i]);
}

enum form { INSERT, SELECT, SELECT_MEDIANS };

static char *build(enum ht_lines list, enum form form)
{
	const struct ht_line_kind *k = &ht_line_kinds[list];
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	if (form == INSERT) {
		fprintf(f, "INSERT INTO %s (process_id, level_s, at_s",
			tables[list]);
		print_columns(f, k, false);
		fputs(") VALUES (?, ?, ?", f);
		for (size_t i = 0; i < k->keys_n + 3 * k->figures_n; i++)
			fputs(", ?", f);
		fputs(")", f);
	} else {
		fputs("SELECT at_s", f);
		print_columns(f, k, form == SELECT_MEDIANS);
		fprintf(f,
			" FROM %s WHERE process_id = ? AND level_s = ? AND at_s BETWEEN ? AND ? %sORDER BY at_s",
			tables[list], which[list] ?: "");
	}
	return fclose(f) == 0 ? text : NULL;
}

static enum ht_code prepared(struct ht_store *st, char **sql,
			     enum ht_lines list, enum form form,
			     sqlite3_stmt **ret, struct ht_err *err)
{
	if (!*sql)
		*sql = build(list, form);
	if (!*sql)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	return ht_store_sql(st, *sql, ret, err);
}

#define DELETE(table, more)                                                    \
	"DELETE FROM " table " WHERE process_id = ? AND level_s = ? " more     \
	"AND at_s BETWEEN ? AND ?"

enum ht_code ht_store_forget_rollups(struct ht_store *st, int64_t process_id,
				     int64_t level_s, int64_t from_s,
				     int64_t to_s, struct ht_err *err)
{
	static const char *const sql[] = {
		DELETE("rollup",
		       "AND stat IN ('min', 'p10', 'median', 'max') "),
		DELETE("class_rollup", ""),
		DELETE("mapping_rollup", ""),
		DELETE("bin_rollup", ""),
		DELETE("arena_rollup", ""),
		DELETE("free_class_rollup", ""),
		DELETE("thread_rollup", ""),
	};
	enum ht_code code = HT_OK;
	sqlite3_stmt *stmt;

	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
		if (code == HT_OK)
			code = ht_store_sql(st, sql[i], &stmt, err);
		if (code != HT_OK)
			return code;
		sqlite3_bind_int64(stmt, 1, process_id);
		sqlite3_bind_int64(stmt, 2, level_s);
		sqlite3_bind_int64(stmt, 3, from_s);
		sqlite3_bind_int64(stmt, 4, to_s);
		code = ht_store_run(st, stmt, err);
	}
	return code;
}

enum ht_code ht_store_newest_bucket(struct ht_store *st, int64_t process_id,
				    int64_t level_s, int64_t hour_s,
				    int64_t *ret_at_s, bool *ret_found,
				    struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT at_s\n"
		"FROM rollup\n"
		"WHERE process_id = ? AND level_s = ? AND stat = 'median' AND at_s BETWEEN ? AND ?\n"
		"ORDER BY at_s DESC LIMIT 1",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, level_s);
	sqlite3_bind_int64(stmt, 3, hour_s);
	sqlite3_bind_int64(stmt, 4, hour_s + HT_ROLLUP_SPAN_S - 1);
	code = ht_store_step(st, stmt, ret_found, err);
	if (code == HT_OK && *ret_found)
		*ret_at_s = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return code;
}

/* --- writing ------------------------------------------------------------- */

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* Rows begin anew with each hour, with what is not empty; after that, what is
 * not as in the bucket before. */
static bool changed(const struct ht_list_line *l, size_t row, bool first)
{
	const struct ht_line_kind *k = &ht_line_kinds[l->list];

	for (size_t f = 0; f < k->figures_n; f++)
		for (int b = 0; b < HT_BANDS; b++) {
			double v = l->value[f][b][row];

			if (first ? !isnan(v) && !(k->zero && v == 0)
				  : !same(v, l->value[f][b][row - 1]))
				return true;
		}
	return false;
}

static void bind_figures(sqlite3_stmt *stmt, int at,
			 const struct ht_list_line *l, size_t row)
{
	static const enum ht_envelope order[HT_BANDS] = {HT_MIDDLE, HT_LOW,
							 HT_HIGH};

	for (size_t f = 0; f < ht_line_kinds[l->list].figures_n; f++) {
		double middle = l->value[f][HT_MIDDLE][row];

		for (int b = 0; b < HT_BANDS; b++, at++) {
			double v = l->value[f][order[b]][row];

			if (b == 0 || !same(v, middle))
				ht_bind_number(stmt, at, v);
		}
	}
}

static enum ht_code write_line(struct ht_store *st, const struct ht_bucket *b,
			       const struct ht_list_line *l, struct ht_err *err)
{
	const struct ht_line_kind *k = &ht_line_kinds[l->list];
	sqlite3_stmt *stmt;
	enum ht_code code = prepared(st, &st->line_insert_sql[l->list], l->list,
				     INSERT, &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, b->process_id);
	sqlite3_bind_int64(stmt, 2, b->level_s);
	sqlite3_bind_int64(stmt, 3, b->at_s);
	for (size_t i = 0; i < k->keys_n; i++)
		sqlite3_bind_int64(stmt, 4 + (int)i, (sqlite3_int64)l->key[i]);
	bind_figures(stmt, 4 + (int)k->keys_n, l, b->s->rows - 1);
	return ht_store_run(st, stmt, err);
}

/* Once an hour: which sizes a bin takes. */
static enum ht_code write_size(struct ht_store *st, const struct ht_bucket *b,
			       const struct ht_list_line *l, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (l->list != HT_LINES_BINS || b->level_s != HT_ROLLUP_SPAN_S)
		return HT_OK;
	code = ht_store_sql(
		st, "INSERT OR IGNORE INTO bin_size VALUES (?, ?, ?, ?, ?)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, b->process_id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)l->key[1]);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)l->key[2]);
	ht_bind_figure(stmt, 4, l->min_size);
	ht_bind_figure(stmt, 5, l->max_size);
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_store_write_line(struct ht_store *st, const struct ht_bucket *b,
				 const struct ht_list_line *l,
				 struct ht_err *err)
{
	size_t row = b->s->rows - 1;
	enum ht_code code;

	if (!b->s->listed[l->list][row] ||
	    !ht_store_line_level(l->list, b->level_s))
		return HT_OK;
	code = write_size(st, b, l, err);
	if (code == HT_OK && changed(l, row, b->first))
		code = write_line(st, b, l, err);
	return code;
}

/* --- reading ------------------------------------------------------------- */

static enum ht_code put_line(sqlite3_stmt *stmt, enum ht_lines list, size_t row,
			     struct ht_series *s, struct ht_err *err)
{
	const struct ht_line_kind *k = &ht_line_kinds[list];
	uint64_t key[HT_LINE_KEYS] = {0};
	struct ht_list_line *l;
	int at = 1;

	for (size_t i = 0; i < k->keys_n; i++)
		key[i] = (uint64_t)sqlite3_column_int64(stmt, at++);
	l = ht_series_line(s, list, key);
	if (!l)
		return ht_fail(err, HT_NOMEM, "no memory for %s", k->name);
	for (size_t f = 0; f < k->figures_n && s->shared; f++, at++)
		l->value[f][HT_MIDDLE][row] = ht_column_number(stmt, at);
	for (size_t f = 0; f < k->figures_n && !s->shared;
	     f++, at += HT_BANDS) {
		double middle = ht_column_number(stmt, at);
		double low = ht_column_number(stmt, at + 1);
		double high = ht_column_number(stmt, at + 2);

		l->value[f][HT_MIDDLE][row] = middle;
		l->value[f][HT_LOW][row] = isnan(low) ? middle : low;
		l->value[f][HT_HIGH][row] = isnan(high) ? middle : high;
	}
	return HT_OK;
}

/* What no row of this bucket changed is as in the row `from`, the newest of the
 * hour that listed it. */
static void carry(struct ht_series *s, enum ht_lines list, size_t from,
		  size_t row)
{
	for (size_t i = 0; i < s->lines_n; i++) {
		struct ht_list_line *l = &s->lines[i];

		if (l->list != list)
			continue;
		for (size_t f = 0; f < ht_line_kinds[list].figures_n; f++)
			for (int b = 0; b < HT_BANDS; b++)
				l->value[f][b][row] = l->value[f][b][from];
	}
}

static enum ht_code read_sizes(struct ht_store *st, int64_t process_id,
			       struct ht_series *s, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT kind, bin, min_size, max_size FROM bin_size WHERE process_id = ?",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		uint64_t kind = (uint64_t)sqlite3_column_int64(stmt, 0);
		uint64_t bin = (uint64_t)sqlite3_column_int64(stmt, 1);

		for (size_t i = 0; i < s->lines_n; i++) {
			struct ht_list_line *l = &s->lines[i];

			if (ht_line_kinds[l->list].record != HT_RECORD_bin ||
			    l->key[1] != kind || l->key[2] != bin)
				continue;
			l->min_size = ht_column_figure(stmt, 2);
			l->max_size = ht_column_figure(stmt, 3);
		}
	}
	sqlite3_reset(stmt);
	return code;
}

/* Rows of the database and of the series side by side, both in order of time.
 * The query begins with the hour, so that the first row finds what it carries
 * on; rows of buckets before the series fall on its first row. */
static enum ht_code read_list(struct ht_store *st, enum ht_lines list,
			      int64_t level_s, const struct ht_store_window *w,
			      size_t first, struct ht_series *s,
			      struct ht_err *err)
{
	int64_t last_hour = -1;
	size_t last = first;
	bool row = false;
	sqlite3_stmt *stmt;
	enum ht_code code =
		prepared(st,
			 s->shared ? &st->line_median_sql[list]
				   : &st->line_select_sql[list],
			 list, s->shared ? SELECT_MEDIANS : SELECT, &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, level_s);
	sqlite3_bind_int64(stmt, 3,
			   ht_rollup_hour(ht_rollup_bucket(s, first, level_s)));
	sqlite3_bind_int64(stmt, 4, w->to_ns / HT_NS_PER_S);
	code = ht_store_step(st, stmt, &row, err);
	for (size_t at = first; at < s->rows && code == HT_OK; at++) {
		int64_t bucket = ht_rollup_bucket(s, at, level_s);

		if (!s->listed[list][at])
			continue;
		if (ht_rollup_hour(bucket) == last_hour)
			carry(s, list, last, at);
		else
			ht_series_begin_lines(s, list, at);
		last = at;
		last_hour = ht_rollup_hour(bucket);
		while (code == HT_OK && row &&
		       sqlite3_column_int64(stmt, 0) <= bucket) {
			code = put_line(stmt, list, at, s, err);
			if (code == HT_OK)
				code = ht_store_step(st, stmt, &row, err);
		}
	}
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_read_lines(struct ht_store *st, int64_t level_s,
				 const struct ht_store_window *w, size_t first,
				 struct ht_series *s, struct ht_err *err)
{
	enum ht_code code = HT_OK;
	bool bins = false;

	for (int i = 0; i < HT_LINES_COUNT && code == HT_OK; i++) {
		if (!(w->parts & HT_SERIES_LIST(i)))
			continue;
		bins |= ht_line_kinds[i].record == HT_RECORD_bin;
		code = read_list(st, (enum ht_lines)i, level_s, w, first, s,
				 err);
	}
	if (code == HT_OK && bins)
		code = read_sizes(st, w->process_id, s, err);
	return code;
}
