/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of a roll-up as rows of a series. */
#include "store/store_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static void reset(sqlite3_stmt **stmt)
{
	sqlite3_reset(*stmt);
}

/* --- metrics ------------------------------------------------------------- */

static const char *const stat_names[HT_STAT_COUNT] = {[HT_STAT_MIN] = "min",
						      [HT_STAT_P10] = "p10",
						      [HT_STAT_MEDIAN] =
							      "median",
						      [HT_STAT_MAX] = "max"};

static void read_figures(sqlite3_stmt *stmt, const bool *metrics,
			 enum ht_stat k, struct ht_series *s, size_t row)
{
	bool low = k == HT_STAT_MIN &&
		   sqlite3_column_int64(stmt, 2) <= HT_STORE_FEW;
	int column = 3;

	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		double v;

		if (metrics && !metrics[m])
			continue;
		v = ht_column_number(stmt, column++);
		if (k != HT_STAT_MEDIAN) {
			if (isnan(v))
				continue; /* it equals the median */
			s->metric[m][k][row] = v;
			if (low)
				s->metric[m][HT_STAT_P10][row] = v;
			continue;
		}
		for (int all = 0; all < HT_STAT_COUNT; all++)
			s->metric[m][all][row] = v;
	}
}

/* The medians make the rows; the other statistics go where they belong. */
static enum ht_code put_stat(sqlite3_stmt *stmt, int64_t level_s,
			     enum ht_stat k, const bool *metrics, size_t *row,
			     struct ht_series *s, struct ht_err *err)
{
	int64_t at_ns = sqlite3_column_int64(stmt, 0) * HT_NS_PER_S +
			level_s * HT_NS_PER_S / 2;
	enum ht_code code = HT_OK;

	if (k == HT_STAT_MEDIAN) {
		code = ht_series_add_row(s, at_ns, err);
		*row = s->rows - 1;
		for (int i = 0; i < HT_LINES_COUNT && code == HT_OK; i++)
			s->listed[i][*row] =
				sqlite3_column_int64(stmt, 1) >> i & 1;
	} else {
		while (*row < s->rows && s->time_ns[*row] < at_ns)
			++*row;
	}
	if (code == HT_OK && *row < s->rows && s->time_ns[*row] == at_ns)
		read_figures(stmt, metrics, k, s, *row);
	return code;
}

static enum ht_code read_stat(struct ht_store *st, int64_t level_s,
			      enum ht_stat k, const struct ht_store_window *w,
			      size_t first, struct ht_series *ret,
			      struct ht_err *err)
{
	HT_CLEANUP(reset) sqlite3_stmt *stmt = NULL;
	enum ht_code code;
	bool row;

	code = ht_store_select_metrics(
		st, "at_s, lists, samples", w->metrics,
		"FROM rollup WHERE process_id = ? AND level_s = ? AND stat = ? AND at_s BETWEEN ? AND ? ORDER BY at_s",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, level_s);
	ht_bind_text(stmt, 3, stat_names[k]);
	sqlite3_bind_int64(stmt, 4, w->from_ns / HT_NS_PER_S);
	sqlite3_bind_int64(stmt, 5, w->to_ns / HT_NS_PER_S);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		code = put_stat(stmt, level_s, k, w->metrics, &first, ret, err);
		if (code != HT_OK)
			break;
	}
	return code;
}

static enum ht_code read_metrics(struct ht_store *st, int64_t level_s,
				 const struct ht_store_window *w,
				 struct ht_series *ret, struct ht_err *err)
{
	size_t first = ret->rows;
	enum ht_code code =
		read_stat(st, level_s, HT_STAT_MEDIAN, w, first, ret, err);

	for (int k = 0; k < HT_STAT_COUNT && code == HT_OK; k++)
		if (k != HT_STAT_MEDIAN && !(w->parts & HT_SERIES_MEDIANS))
			code = read_stat(st, level_s, (enum ht_stat)k, w, first,
					 ret, err);
	return code;
}

/* --- size classes and mappings ------------------------------------------- */

static void as_else(double *v, double other)
{
	if (isnan(*v))
		*v = other;
}

/* One row of class_rollup, from column 1 on. */
static enum ht_code put_class(sqlite3_stmt *stmt, size_t row,
			      struct ht_series *s, struct ht_err *err)
{
	struct ht_class_series *c =
		ht_series_class(s, (uint64_t)sqlite3_column_int64(stmt, 1));

	if (!c)
		return ht_fail(err, HT_NOMEM, "no memory for size classes");
	c->bytes[HT_STAT_MEDIAN][row] = ht_column_number(stmt, 4);
	c->chunks[row] = ht_column_number(stmt, 6);
	if (s->shared)
		return HT_OK;
	for (int k = 0; k < HT_STAT_COUNT; k++)
		c->bytes[k][row] = ht_column_number(stmt, 2 + k);
	as_else(&c->bytes[HT_STAT_MIN][row], c->bytes[HT_STAT_MEDIAN][row]);
	as_else(&c->bytes[HT_STAT_P10][row], c->bytes[HT_STAT_MIN][row]);
	as_else(&c->bytes[HT_STAT_MAX][row], c->bytes[HT_STAT_MEDIAN][row]);
	return HT_OK;
}

static uint64_t kind_of(const char *name)
{
	for (uint64_t k = 0; k < HT_MAPPING_KIND_COUNT; k++)
		if (!strcmp(ht_mapping_kind_names[k], name))
			return k;
	return HT_UNKNOWN;
}

static enum ht_code put_mapping(sqlite3_stmt *stmt, size_t row,
				struct ht_series *s, struct ht_err *err)
{
	struct ht_mapping_series *m = ht_series_mapping(
		s, kind_of((const char *)sqlite3_column_text(stmt, 1)),
		(const char *)sqlite3_column_text(stmt, 2));

	if (!m)
		return ht_fail(err, HT_NOMEM, "no memory for mappings");
	m->anonymous[row] = ht_column_number(stmt, 3);
	m->count[row] = ht_column_number(stmt, 4);
	m->size[row] = ht_column_number(stmt, 5);
	m->resident[row] = ht_column_number(stmt, 6);
	return HT_OK;
}

/* What no row of this bucket changed is as in the bucket before. */
static void carry_classes(struct ht_series *s, size_t row)
{
	for (size_t i = 0; i < s->classes_n; i++) {
		struct ht_class_series *c = &s->classes[i];

		for (int k = 0; k < HT_STAT_COUNT; k++)
			c->bytes[k][row] = c->bytes[k][row - 1];
		c->chunks[row] = c->chunks[row - 1];
	}
}

static void carry_mappings(struct ht_series *s, size_t row)
{
	for (size_t i = 0; i < s->mappings_n; i++) {
		struct ht_mapping_series *m = &s->mappings[i];

		m->anonymous[row] = m->anonymous[row - 1];
		m->count[row] = m->count[row - 1];
		m->size[row] = m->size[row - 1];
		m->resident[row] = m->resident[row - 1];
	}
}

struct part {
	int part;
	const char *sql;
	enum ht_code (*put)(sqlite3_stmt *stmt, size_t row, struct ht_series *s,
			    struct ht_err *err);
	void (*carry)(struct ht_series *s, size_t row);
};

static const struct part parts[] = {
	{HT_SERIES_CLASSES,
	 "SELECT at_s, max_size, min, p10, median, max, chunks\n"
	 "FROM class_rollup\n"
	 "WHERE process_id = ? AND level_s = ? AND at_s BETWEEN ? AND ?\n"
	 "ORDER BY at_s",
	 put_class, carry_classes},
	{HT_SERIES_MAPPINGS,
	 "SELECT at_s, kind, name, anonymous, count, size, resident\n"
	 "FROM mapping_rollup\n"
	 "WHERE process_id = ? AND level_s = ? AND at_s BETWEEN ? AND ?\n"
	 "ORDER BY at_s",
	 put_mapping, carry_mappings},
};

/* Rows of the database and of the series side by side, both in order of time.
 * The query begins with the hour, so that the first row finds what it carries
 * on; rows of buckets before the series fall on its first row. */
static enum ht_code read_part(struct ht_store *st, const struct part *p,
			      int64_t level_s, const struct ht_store_window *w,
			      size_t first, struct ht_series *s,
			      struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, p->sql, &stmt, err);
	bool row = false;

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

		if (at > first &&
		    ht_rollup_hour(bucket) == ht_rollup_hour(ht_rollup_bucket(
						      s, at - 1, level_s)))
			p->carry(s, at);
		while (code == HT_OK && row &&
		       sqlite3_column_int64(stmt, 0) <= bucket) {
			code = p->put(stmt, at, s, err);
			if (code == HT_OK)
				code = ht_store_step(st, stmt, &row, err);
		}
	}
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_rolled(struct ht_store *st, int64_t level_s,
			     const struct ht_store_window *w,
			     struct ht_series *ret, struct ht_err *err)
{
	size_t first = ret->rows;
	enum ht_code code = read_metrics(st, level_s, w, ret, err);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (code == HT_OK && (w->parts & parts[i].part) &&
		    ret->rows > first)
			code = read_part(st, &parts[i], level_s, w, first, ret,
					 err);
	if (code == HT_OK && ret->rows > first)
		code = ht_store_read_lines(st, level_s, w, first, ret, err);
	if (code == HT_OK && ret->rows > first)
		code = ht_store_whole_lines(st, level_s, w, first, ret, err);
	return code;
}
