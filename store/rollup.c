/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roll-ups: one hour of one process at a time, all levels from the samples
 * themselves, so that every statistic is exact. An hour that is rolled up again
 * (the clock stepped back into it, or a crash cut it short) replaces what was
 * there. An hour takes tens of milliseconds: it is made in steps of one sample
 * or some rows, and a loop can do other things after any.
 */
#include "store/store_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static const int64_t levels[] = {60, 600, 3600};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };
enum { LAG_S = 120 }; /* samples of an hour may be written a little late */
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
	fprintf(f,
		"INSERT INTO rollup (process_id, level_s, at_s, stat, samples");
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
	enum ht_code code;

	if (k == HT_STAT_P10 && b->samples <= HT_STORE_FEW)
		return HT_OK;
	code = ht_store_sql(st, st->rollup_sql, &stmt, err);
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
	/* NULL says that it is as that one */
	static const enum ht_stat like[HT_STAT_COUNT] = {
		[HT_STAT_MIN] = HT_STAT_MEDIAN,
		[HT_STAT_P10] = HT_STAT_MIN,
		[HT_STAT_MAX] = HT_STAT_MEDIAN};
	size_t row = b->s->rows - 1;
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (!class_changed(c, b))
		return HT_OK;
	code = ht_store_sql(
		st,
		"INSERT INTO class_rollup (process_id, level_s, at_s, max_size, min, p10, median, max, chunks)\n"
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	bind_bucket(stmt, b);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)c->max_size);
	for (int k = 0; k < HT_STAT_COUNT; k++)
		if (k == HT_STAT_MEDIAN ||
		    !same(c->bytes[k][row], c->bytes[like[k]][row]))
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
	code = ht_store_sql(
		st,
		"INSERT INTO mapping_rollup (process_id, level_s, at_s, kind, name, anonymous, count, size, resident)\n"
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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

/* --- a bucket ------------------------------------------------------------ */

/* All that a bucket may have a row of, counted through: statistics, classes,
 * mappings, lines. The first is the median: where a bucket has any row, it has
 * that one. */
static size_t count_rows(const struct ht_series *s)
{
	return HT_STAT_COUNT + s->classes_n + s->mappings_n + s->lines_n;
}

static enum ht_code write_one(struct ht_store *st, const struct ht_bucket *b,
			      size_t i, struct ht_err *err)
{
	static const enum ht_stat order[HT_STAT_COUNT] = {
		HT_STAT_MEDIAN, HT_STAT_MIN, HT_STAT_P10, HT_STAT_MAX};

	if (i < HT_STAT_COUNT)
		return write_stat(st, b, order[i], err);
	i -= HT_STAT_COUNT;
	if (i < b->s->classes_n)
		return write_class(st, b, &b->s->classes[i], err);
	i -= b->s->classes_n;
	if (i < b->s->mappings_n)
		return write_mapping(st, b, &b->s->mappings[i], err);
	return ht_store_write_line(st, b, &b->s->lines[i - b->s->mappings_n],
				   err);
}

/* --- an hour, step by step ----------------------------------------------- */

void ht_store_roll_stop(struct ht_store *st)
{
	struct ht_store_roll *r = &st->roll;

	ht_series_fini(&r->raw);
	ht_series_fini(&r->buckets);
	ht_store_pass_fini(&r->pass);
	memset(r, 0, sizeof(*r));
}

static enum ht_code begin_hour(struct ht_store *st, int64_t process_id,
			       int64_t hour_s, struct ht_err *err)
{
	struct ht_store_roll *r = &st->roll;

	ht_store_roll_stop(st);
	if (!st->rollup_sql)
		st->rollup_sql = build_rollup_sql();
	if (!st->rollup_sql)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	ht_series_share(&r->raw);
	r->process_id = process_id;
	r->hour_s = r->at_s = hour_s;
	return HT_OK;
}

static enum ht_code read_some(struct ht_store *st, struct ht_store_roll *r,
			      struct ht_err *err)
{
	const struct ht_store_window w = {
		.process_id = r->process_id,
		.from_ns = r->hour_s * HT_NS_PER_S,
		.to_ns = (r->hour_s + HT_ROLLUP_SPAN_S) * HT_NS_PER_S - 1,
		.parts = HT_SERIES_CLASSES | HT_SERIES_MAPPINGS | ALL_LISTS,
		.by_clock = true};
	enum ht_code code = ht_store_raw_some(st, &w, &r->pass, &r->raw, err);

	if (code == HT_OK && r->pass.done)
		r->phase = HT_ROLL_FILL;
	return code;
}

static enum ht_code fill_some(struct ht_store *st, struct ht_store_roll *r,
			      struct ht_err *err)
{
	(void)err;
	r->filled = ht_series_fill_some_lines(&r->raw, r->filled,
					      ht_slice_rows(st, HT_STEP_FILL));
	if (r->filled == r->raw.lines_n)
		r->phase = HT_ROLL_FORGET;
	return HT_OK;
}

/* One bucket of those that are there. */
static enum ht_code forget_one(struct ht_store *st, struct ht_store_roll *r,
			       struct ht_err *err)
{
	int64_t at_s = 0;
	bool found = false;
	enum ht_code code =
		ht_store_newest_bucket(st, r->process_id, levels[r->level],
				       r->hour_s, &at_s, &found, err);

	if (code != HT_OK)
		return code;
	if (found)
		return ht_store_forget_rollups(
			st, r->process_id, levels[r->level], at_s, at_s, err);
	if (++r->level == LEVELS) {
		r->level = 0;
		r->phase = HT_ROLL_BEGIN;
	}
	return HT_OK;
}

static void next_bucket(struct ht_store_roll *r)
{
	r->at_s += levels[r->level];
	r->phase = HT_ROLL_BEGIN;
	if (r->at_s < r->hour_s + HT_ROLLUP_SPAN_S)
		return;
	ht_series_fini(&r->buckets);
	r->at_s = r->hour_s;
	if (++r->level == LEVELS)
		r->phase = HT_ROLL_DONE;
}

static enum ht_code begin_bucket(struct ht_store *st, struct ht_store_roll *r,
				 struct ht_err *err)
{
	int64_t begin_ns = r->at_s * HT_NS_PER_S;
	enum ht_code code = ht_series_bucket_begin(
		&r->raw, begin_ns,
		begin_ns + levels[r->level] * HT_NS_PER_S - 1, &r->buckets,
		&r->bucket, err);

	(void)st;
	if (code == HT_OK && r->bucket.from == r->bucket.end)
		next_bucket(r);
	else
		r->phase = HT_ROLL_REDUCE;
	return code;
}

static enum ht_code reduce_some(struct ht_store *st, struct ht_store_roll *r,
				struct ht_err *err)
{
	enum ht_code code = ht_series_bucket_some(
		&r->raw, &r->bucket, ht_slice_rows(st, HT_STEP_REDUCE),
		&r->buckets, err);

	if (ht_series_bucket_made(&r->raw, &r->bucket)) {
		r->phase = HT_ROLL_WRITE;
		r->written = 0;
	}
	return code;
}

static enum ht_code write_some(struct ht_store *st, struct ht_store_roll *r,
			       struct ht_err *err)
{
	const struct ht_bucket b = {
		.process_id = r->process_id,
		.level_s = levels[r->level],
		.at_s = r->at_s,
		.samples = (int64_t)(r->bucket.end - r->bucket.from),
		.s = &r->buckets,
		.first = r->buckets.rows == 1};
	size_t all = count_rows(b.s), some = ht_slice_rows(st, HT_STEP_WRITE);
	size_t until = all - r->written < some ? all : r->written + some;
	enum ht_code code = HT_OK;

	for (; r->written < until && code == HT_OK; r->written++)
		code = write_one(st, &b, r->written, err);
	if (r->written == all)
		next_bucket(r);
	return code;
}

struct step {
	enum ht_code (*take)(struct ht_store *st, struct ht_store_roll *r,
			     struct ht_err *err);
	enum ht_step kind;
};

static const struct step steps[] = {
	[HT_ROLL_READ] = {read_some, HT_STEP_READ},
	[HT_ROLL_FILL] = {fill_some, HT_STEP_FILL},
	[HT_ROLL_FORGET] = {forget_one, HT_STEP_FORGET},
	[HT_ROLL_BEGIN] = {begin_bucket, HT_STEP_BEGIN},
	[HT_ROLL_REDUCE] = {reduce_some, HT_STEP_REDUCE},
	[HT_ROLL_WRITE] = {write_some, HT_STEP_WRITE},
};

/* To the hour's end, or as far as the slice allows. */
static enum ht_code take_steps(struct ht_store *st, struct ht_store_roll *r,
			       struct ht_err *err)
{
	enum ht_code code;

	do {
		const struct step *s = &steps[r->phase];

		code = s->take(st, r, err);
		if (s->kind != HT_STEP_READ) /* which counts them itself */
			ht_slice_step(st, s->kind);
	} while (code == HT_OK && r->phase != HT_ROLL_DONE &&
		 ht_slice_fits(st, steps[r->phase].kind));
	return code;
}

static enum ht_code roll_hour(struct ht_store *st, int64_t process_id,
			      int64_t hour_s, bool *ret_done,
			      struct ht_err *err)
{
	struct ht_store_roll *r = &st->roll;
	enum ht_code code = HT_OK;

	*ret_done = false;
	if (r->process_id != process_id || r->hour_s != hour_s)
		code = begin_hour(st, process_id, hour_s, err);
	if (code == HT_OK)
		code = take_steps(st, r, err);
	if (code == HT_OK && r->phase != HT_ROLL_DONE)
		return HT_OK;
	*ret_done = code == HT_OK;
	ht_store_roll_stop(st);
	return code;
}

/* --- which hour ---------------------------------------------------------- */

/* After a late sample that was the last, what is newest is newer than that. */
static enum ht_code rolled(struct ht_store *st, int64_t process_id,
			   int64_t until_s, struct ht_err *err)
{
	return ht_store_change(
		st,
		"UPDATE process\n"
		"SET rolled_s = ?2, last_ns = max(last_ns, ifnull((SELECT max(at_ns) FROM sample WHERE process_id = ?1), 0))\n"
		"WHERE id = ?1",
		process_id, until_s, err);
}

static enum ht_code roll_on(struct ht_store *st, int64_t process_id,
			    int64_t hour_s, struct ht_err *err)
{
	bool done = false;
	enum ht_code code = roll_hour(st, process_id, hour_s, &done, err);

	if (code != HT_OK || !done)
		return code;
	return rolled(st, process_id, hour_s + HT_ROLLUP_SPAN_S, err);
}

static enum ht_code next_unrolled(struct ht_store *st, int64_t now_s,
				  int64_t *ret_process, int64_t *ret_hour_s,
				  bool *ret_found, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	code = ht_store_sql(
		st,
		"SELECT id, rolled_s FROM process WHERE rolled_s <= ? AND last_ns >= rolled_s * 1000000000 ORDER BY rolled_s LIMIT 1",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, now_s - HT_ROLLUP_SPAN_S - LAG_S);
	code = ht_store_step(st, stmt, ret_found, err);
	if (code == HT_OK && *ret_found) {
		*ret_process = sqlite3_column_int64(stmt, 0);
		*ret_hour_s = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_reset(stmt);
	return code;
}

static enum ht_code roll_next(struct ht_store *st, int64_t process_id,
			      int64_t hour_s, struct ht_err *err)
{
	int64_t first_ns = 0, next_s = hour_s + HT_ROLLUP_SPAN_S;
	bool row = false;
	enum ht_code code = ht_store_number(
		st,
		"SELECT at_ns FROM sample WHERE process_id = ? AND at_ns >= ? ORDER BY at_ns LIMIT 1",
		process_id, hour_s * HT_NS_PER_S, &first_ns, &row, err);

	if (code != HT_OK)
		return code;
	if (!row) /* thinned out meanwhile: nothing is left to roll up */
		return rolled(st, process_id, next_s, err);
	if (first_ns / HT_NS_PER_S < next_s)
		return roll_on(st, process_id, hour_s, err);
	return rolled(st, process_id, ht_rollup_hour(first_ns / HT_NS_PER_S),
		      err);
}

enum ht_code ht_store_roll(struct ht_store *st, int64_t now_s, bool *ret_did,
			   struct ht_err *err)
{
	int64_t process_id = st->roll.process_id, hour_s = st->roll.hour_s;
	bool found = true;
	enum ht_code code = HT_OK;

	*ret_did = true;
	if (process_id) /* what was begun comes first */
		return roll_on(st, process_id, hour_s, err);
	code = next_unrolled(st, now_s, &process_id, &hour_s, &found, err);
	*ret_did = found;
	return code == HT_OK && found ? roll_next(st, process_id, hour_s, err)
				      : code;
}
