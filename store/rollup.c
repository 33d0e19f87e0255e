/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roll-ups: one hour of one process at a time, all levels from the samples
 * themselves, so that every statistic is exact. An hour that is rolled up again
 * (the clock stepped back into it, or a crash cut it short) replaces what was
 * there. With many size classes an hour takes tens of milliseconds: it is made
 * bucket by bucket, and a loop can do other things in between.
 */
#include "store/store_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static const int64_t levels[] = {60, 600, 3600};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };
#define ALL_LISTS (HT_SERIES_LISTS * ((1 << HT_LINES_COUNT) - 1))
static const char *const stat_names[HT_STAT_COUNT] = {[HT_STAT_MIN] = "min",
						      [HT_STAT_P10] = "p10",
						      [HT_STAT_MEDIAN] =
							      "median",
						      [HT_STAT_MAX] = "max"};

static void bind_bucket(sqlite3_stmt *stmt, const struct ht_bucket *b)
{
	sqlite3_bind_int64(stmt, 1, b->process_id);
	sqlite3_bind_int64(stmt, 2, b->level_s);
	sqlite3_bind_int64(stmt, 3, b->at_s);
}

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* --- metrics ------------------------------------------------------------- */

static char *build_rollup_sql(void)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	fprintf(f, "INSERT INTO rollup (process_id, level_s, at_s, stat, "
		   "samples");
	fprintf(f, ", lists");
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		fprintf(f, ", \"%s\"", ht_metric_infos[m].name);
	fprintf(f, ") VALUES (?, ?, ?, ?, ?, ?");
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		fprintf(f, ", ?");
	fprintf(f, ")");
	return fclose(f) == 0 ? text : NULL;
}

/* Lists that are in this bucket: a bit each. */
static int64_t lists_of(const struct ht_bucket *b)
{
	int64_t lists = 0;

	for (int i = 0; i < HT_LINES_COUNT; i++)
		if (b->s->listed[i][b->s->rows - 1] &&
		    ht_store_line_level((enum ht_lines)i, b->level_s))
			lists |= INT64_C(1) << i;
	return lists;
}

/* The median in full; of the other statistics what differs from it. */
static enum ht_code write_stat(struct ht_store *st, const struct ht_bucket *b,
			       enum ht_stat k, struct ht_err *err)
{
	size_t row = b->s->rows - 1;
	bool any = k == HT_STAT_MEDIAN;
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, st->rollup_sql, &stmt, err);

	if (code != HT_OK)
		return code;
	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		double v = b->s->metric[m][k][row];

		if (k != HT_STAT_MEDIAN &&
		    same(v, b->s->metric[m][HT_STAT_MEDIAN][row]))
			continue;
		ht_bind_metric(stmt, 7 + m, (enum ht_metric)m, v);
		any = true;
	}
	if (!any)
		return HT_OK;
	bind_bucket(stmt, b);
	ht_bind_text(stmt, 4, stat_names[k]);
	sqlite3_bind_int64(stmt, 5, b->samples);
	if (k == HT_STAT_MEDIAN)
		sqlite3_bind_int64(stmt, 6, lists_of(b));
	return ht_store_run(st, stmt, err);
}

/* --- size classes and mappings ------------------------------------------- */

static bool class_changed(const struct ht_class_series *c,
			  const struct ht_bucket *b)
{
	size_t row = b->s->rows - 1;

	if (b->first)
		return c->bytes[HT_STAT_MAX][row] > 0;
	for (int k = 0; k < HT_STAT_COUNT; k++)
		if (!same(c->bytes[k][row], c->bytes[k][row - 1]))
			return true;
	return !same(c->chunks[row], c->chunks[row - 1]);
}

static enum ht_code write_class(struct ht_store *st, const struct ht_bucket *b,
				const struct ht_class_series *c,
				struct ht_err *err)
{
	size_t row = b->s->rows - 1;
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (!class_changed(c, b))
		return HT_OK;
	code = ht_store_sql(st,
			    "INSERT INTO class_rollup (process_id, level_s, "
			    "at_s, max_size, min, p10, median, max, chunks) "
			    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	bind_bucket(stmt, b);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)c->max_size);
	for (int k = 0; k < HT_STAT_COUNT; k++)
		ht_bind_number(stmt, 5 + k, c->bytes[k][row]);
	ht_bind_number(stmt, 9, c->chunks[row]);
	return ht_store_run(st, stmt, err);
}

static bool mapping_changed(const struct ht_mapping_series *m,
			    const struct ht_bucket *b)
{
	size_t row = b->s->rows - 1;

	if (b->first)
		return !isnan(m->anonymous[row]) || !isnan(m->count[row]);
	return !same(m->anonymous[row], m->anonymous[row - 1]) ||
	       !same(m->count[row], m->count[row - 1]) ||
	       !same(m->size[row], m->size[row - 1]) ||
	       !same(m->resident[row], m->resident[row - 1]);
}

static enum ht_code write_mapping(struct ht_store *st,
				  const struct ht_bucket *b,
				  const struct ht_mapping_series *m,
				  struct ht_err *err)
{
	size_t row = b->s->rows - 1;
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (!mapping_changed(m, b))
		return HT_OK;
	code = ht_store_sql(st,
			    "INSERT INTO mapping_rollup (process_id, level_s, "
			    "at_s, kind, name, anonymous, count, size, "
			    "resident) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	bind_bucket(stmt, b);
	ht_bind_text(stmt, 4,
		     m->kind < HT_MAPPING_KIND_COUNT
			     ? ht_mapping_kind_names[m->kind]
			     : "");
	ht_bind_text(stmt, 5, m->name);
	ht_bind_number(stmt, 6, m->anonymous[row]);
	ht_bind_number(stmt, 7, m->count[row]);
	ht_bind_number(stmt, 8, m->size[row]);
	ht_bind_number(stmt, 9, m->resident[row]);
	return ht_store_run(st, stmt, err);
}

/* --- an hour ------------------------------------------------------------- */

static enum ht_code write_bucket(struct ht_store *st, const struct ht_bucket *b,
				 struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (int k = 0; k < HT_STAT_COUNT && code == HT_OK; k++)
		code = write_stat(st, b, (enum ht_stat)k, err);
	for (size_t i = 0; i < b->s->classes_n && code == HT_OK; i++)
		code = write_class(st, b, &b->s->classes[i], err);
	for (size_t i = 0; i < b->s->mappings_n && code == HT_OK; i++)
		code = write_mapping(st, b, &b->s->mappings[i], err);
	if (code == HT_OK)
		code = ht_store_write_lines(st, b, err);
	return code;
}

static int64_t rows_until(const struct ht_series *s, size_t *at, int64_t end_ns)
{
	size_t from = *at;

	while (*at < s->rows && s->time_ns[*at] < end_ns)
		++*at;
	return (int64_t)(*at - from);
}

static enum ht_code forget_hour(struct ht_store *st, int64_t process_id,
				int64_t hour_s, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < LEVELS && code == HT_OK; i++)
		code = ht_store_forget_rollups(
			st, process_id, levels[i], hour_s,
			hour_s + HT_ROLLUP_SPAN_S - 1, err);
	return code;
}

void ht_store_roll_stop(struct ht_store *st)
{
	ht_series_fini(&st->roll.raw);
	ht_series_fini(&st->roll.buckets);
	st->roll.process_id = 0;
}

static enum ht_code begin_hour(struct ht_store *st, int64_t process_id,
			       int64_t hour_s, struct ht_err *err)
{
	struct ht_store_roll *r = &st->roll;
	struct ht_store_window w = {
		.process_id = process_id,
		.from_ns = hour_s * HT_NS_PER_S,
		.to_ns = (hour_s + HT_ROLLUP_SPAN_S) * HT_NS_PER_S - 1,
		.parts = HT_SERIES_CLASSES | HT_SERIES_MAPPINGS | ALL_LISTS,
		.by_clock = true};
	enum ht_code code;

	ht_store_roll_stop(st);
	if (!st->rollup_sql)
		st->rollup_sql = build_rollup_sql();
	if (!st->rollup_sql)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	code = ht_store_raw(st, &w, &r->raw, err);
	ht_series_fill_lines(&r->raw);
	if (code == HT_OK)
		code = forget_hour(st, process_id, hour_s, err);
	if (code != HT_OK)
		return code;
	r->process_id = process_id;
	r->hour_s = r->at_s = hour_s;
	r->level = r->at = 0;
	return HT_OK;
}

static enum ht_code roll_bucket(struct ht_store *st, struct ht_store_roll *r,
				struct ht_err *err)
{
	struct ht_bucket b = {.process_id = r->process_id,
			      .level_s = levels[r->level],
			      .at_s = r->at_s,
			      .s = &r->buckets,
			      .first = r->buckets.rows == 0};
	int64_t begin_ns = b.at_s * HT_NS_PER_S;
	int64_t end_ns = begin_ns + b.level_s * HT_NS_PER_S;
	enum ht_code code;

	r->at_s += b.level_s;
	b.samples = rows_until(&r->raw, &r->at, end_ns);
	if (b.samples == 0)
		return HT_OK;
	code = ht_series_bucket(&r->raw, begin_ns, end_ns - 1, &r->buckets,
				err);
	return code == HT_OK ? write_bucket(st, &b, err) : code;
}

static void next_level(struct ht_store_roll *r)
{
	ht_series_fini(&r->buckets);
	r->at_s = r->hour_s;
	r->at = 0;
	r->level++;
}

enum ht_code ht_store_roll_hour(struct ht_store *st, int64_t process_id,
				int64_t hour_s, int64_t end_ns, bool *ret_done,
				struct ht_err *err)
{
	struct ht_store_roll *r = &st->roll;
	enum ht_code code = HT_OK;

	*ret_done = false;
	if (r->process_id != process_id || r->hour_s != hour_s)
		code = begin_hour(st, process_id, hour_s, err);
	while (code == HT_OK && r->level < LEVELS) {
		code = roll_bucket(st, r, err);
		if (r->at_s >= hour_s + HT_ROLLUP_SPAN_S)
			next_level(r);
		if (ht_mono_ns() >= end_ns)
			break;
	}
	if (code == HT_OK && r->level < LEVELS)
		return HT_OK;
	*ret_done = code == HT_OK;
	ht_store_roll_stop(st);
	return code;
}
