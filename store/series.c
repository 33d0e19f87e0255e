/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History of one process: the finest level that covers the window and fits the
 * number of rows; its newest part, which is not rolled up yet, from the samples
 * themselves.
 */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static const int64_t levels[] = {60, 600, 3600}; /* seconds */
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };
#define RESERVED 1024 /* rows of a mixed series, as a rule */

/* What is there of a process. */
struct extent {
	int64_t first_ns, last_ns, started_ns;
	int64_t raw_from_ns;	 /* samples before this were thinned out */
	int64_t rolled_ns;	 /* roll-ups end here */
	int64_t from_ns[LEVELS]; /* roll-ups begin here; INT64_MAX: none */
	char target[128];
	uint64_t pid;
	size_t samples; /* taken so far */
};

static enum ht_code read_level(struct ht_store *st, int64_t process_id,
			       int64_t level_s, int64_t *ret_ns,
			       struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT at_s FROM rollup WHERE process_id = ? AND level_s = ? AND stat = 'median' ORDER BY at_s LIMIT 1",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, level_s);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	*ret_ns = row ? sqlite3_column_int64(stmt, 0) * HT_NS_PER_S : INT64_MAX;
	sqlite3_reset(stmt);
	return HT_OK;
}

static enum ht_code read_extent(struct ht_store *st, int64_t process_id,
				struct extent *ret, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT first_ns, last_ns, started_ns, raw_from_ns, rolled_s, target, pid, samples FROM process WHERE id = ?",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	if (!row)
		return ht_fail(err, HT_NODATA, "%s: no process #%" PRId64,
			       st->path, process_id);
	ret->first_ns = sqlite3_column_int64(stmt, 0);
	ret->last_ns = sqlite3_column_int64(stmt, 1);
	ret->started_ns = sqlite3_column_int64(stmt, 2);
	ret->raw_from_ns = sqlite3_column_int64(stmt, 3);
	ret->rolled_ns = sqlite3_column_int64(stmt, 4) * HT_NS_PER_S;
	ht_column_text(stmt, 5, ret->target, sizeof(ret->target));
	ret->pid = (uint64_t)sqlite3_column_int64(stmt, 6);
	ret->samples = (size_t)sqlite3_column_int64(stmt, 7);
	sqlite3_reset(stmt);
	return HT_OK;
}

static enum ht_code read_levels(struct ht_store *st, int64_t process_id,
				struct extent *ret, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < LEVELS && code == HT_OK; i++)
		code = read_level(st, process_id, levels[i], &ret->from_ns[i],
				  err);
	return code;
}

/* Samples in the window, counted no further than max + 1. */
static enum ht_code count_raw(struct ht_store *st,
			      const struct ht_store_window *w, size_t max,
			      size_t *ret, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT count(*) FROM (SELECT 1 FROM sample WHERE process_id = ? AND at_ns BETWEEN ? AND ? LIMIT ?)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, w->from_ns);
	sqlite3_bind_int64(stmt, 3, w->to_ns);
	sqlite3_bind_int64(stmt, 4, max ? (sqlite3_int64)max + 1 : -1);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	*ret = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return HT_OK;
}

/* --- pieces -------------------------------------------------------------- */

static void begin_series(struct ht_series *s, const struct ht_store_window *w)
{
	ht_series_init(s);
	if (w->metrics)
		ht_series_limit(s, w->metrics);
	if (w->parts & HT_SERIES_MEDIANS)
		ht_series_share(s);
}

/* The newest part, not rolled up yet, in buckets of the level's length. */
static enum ht_code append_tail(struct ht_store *st, int64_t level_s,
				const struct ht_store_window *w,
				struct ht_series *ret, struct ht_err *err)
{
	HT_AUTO_SERIES struct ht_series raw;
	int64_t step = level_s * HT_NS_PER_S;
	enum ht_code code;

	begin_series(&raw, w);
	ht_series_share(&raw);
	code = ht_store_raw(st, w, &raw, err);
	if (code != HT_OK || raw.rows == 0)
		return code;
	ht_series_fill_lines(&raw);
	for (int64_t at = raw.time_ns[0] - raw.time_ns[0] % step;
	     at <= raw.time_ns[raw.rows - 1] && code == HT_OK; at += step)
		code = ht_series_bucket(&raw, at, at + step - 1, ret, err);
	return code;
}

/* Buckets that the window may hold, and some. */
static size_t expected(const struct extent *e, const struct ht_store_window *w,
		       int64_t level_s)
{
	int64_t from_ns = w->from_ns > e->first_ns ? w->from_ns : e->first_ns;
	int64_t to_ns = w->to_ns < e->last_ns ? w->to_ns : e->last_ns;

	return to_ns < from_ns
		       ? 1
		       : (size_t)((to_ns - from_ns) / (level_s * HT_NS_PER_S)) +
				 64;
}

/* The buckets alone: those that are remembered, and the others. */
static enum ht_code append_rolled(struct ht_store *st, struct ht_past *past,
				  size_t level, const struct extent *e,
				  const struct ht_store_window *w,
				  struct ht_series *ret, struct ht_err *err)
{
	const int64_t level_s = levels[level];
	struct ht_store_window rest = *w;
	size_t first = ret->rows;
	/* a row stands in the middle of its bucket */
	int64_t least_ns = w->from_ns / HT_NS_PER_S * HT_NS_PER_S;
	int64_t oldest_ns = 0;
	enum ht_code code = ht_series_reserve(
		ret, ret->rows + expected(e, w, level_s), err);

	if (code == HT_OK && past)
		code = read_level(st, w->process_id, level_s, &oldest_ns, err);
	if (oldest_ns == INT64_MAX)
		past = NULL; /* none is left */
	else if (least_ns < oldest_ns)
		least_ns = oldest_ns;
	if (code == HT_OK)
		code = ht_store_past_read(st, past, level + 1, &rest,
					  least_ns + level_s * HT_NS_PER_S / 2,
					  ret, err);
	if (code == HT_OK && rest.from_ns <= rest.to_ns)
		code = ht_store_rolled(st, level_s, &rest, ret, err);
	if (code == HT_OK)
		code = ht_store_past_keep(st, past, level + 1, w, ret, first,
					  err);
	return code;
}

/* Buckets that begin in the window, then samples after the last of them. */
static enum ht_code append_level(struct ht_store *st, struct ht_past *past,
				 size_t level, const struct extent *e,
				 const struct ht_store_window *w,
				 struct ht_series *ret, struct ht_err *err)
{
	const int64_t level_s = levels[level];
	struct ht_store_window part = *w;
	enum ht_code code = HT_OK;

	if (e->rolled_ns > w->from_ns) {
		part.to_ns = e->rolled_ns - 1 < w->to_ns ? e->rolled_ns - 1
							 : w->to_ns;
		code = append_rolled(st, past, level, e, &part, ret, err);
	}
	if (code != HT_OK || e->rolled_ns > w->to_ns)
		return code;
	part = *w;
	if (part.from_ns < e->rolled_ns)
		part.from_ns = e->rolled_ns;
	return append_tail(st, level_s, &part, ret, err);
}

/* --- levels -------------------------------------------------------------- */

/* All lists that are wanted are kept at this level. */
static bool keeps(int64_t level_s, const struct ht_store_window *w)
{
	for (int i = 0; i < HT_LINES_COUNT; i++)
		if ((w->parts & HT_SERIES_LIST(i)) &&
		    !ht_store_line_level((enum ht_lines)i, level_s))
			return false;
	return true;
}

/* -1: samples; else index of the level. */
static enum ht_code choose(struct ht_store *st, const struct extent *e,
			   const struct ht_store_window *w, size_t max_rows,
			   int *ret, struct ht_err *err)
{
	int64_t from_ns = w->from_ns > e->first_ns ? w->from_ns : e->first_ns;
	int64_t to_ns = w->to_ns < e->last_ns ? w->to_ns : e->last_ns;
	size_t raw = 0;
	int best = -1;
	enum ht_code code = count_raw(st, w, max_rows, &raw, err);

	if (code != HT_OK)
		return code;
	*ret = -1;
	if (e->raw_from_ns <= from_ns && (!max_rows || raw <= max_rows))
		return HT_OK;
	for (int i = 0; i < LEVELS; i++) {
		int64_t step = levels[i] * HT_NS_PER_S;

		/* Coarser data may reach further back. */
		if (e->from_ns[i] == INT64_MAX || !keeps(levels[i], w) ||
		    (best >= 0 && e->from_ns[i] - step > from_ns &&
		     e->from_ns[i] > e->from_ns[best] - step))
			continue;
		best = i;
		if (e->from_ns[i] - step <= from_ns &&
		    (!max_rows ||
		     (to_ns - from_ns) / step <= (int64_t)max_rows))
			break;
	}
	*ret = best;
	return HT_OK;
}

static enum ht_code mark_events(struct ht_store *st,
				const struct ht_store_window *w,
				struct ht_series *s, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	size_t at = 0;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT at_ns\n"
		"FROM event\n"
		"WHERE process_id = ? AND at_ns BETWEEN ? AND ? AND kind IN ('gap', 'trim', 'suspend', 'exec', 'clock')\n"
		"ORDER BY at_ns",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, w->from_ns);
	sqlite3_bind_int64(stmt, 3, w->to_ns);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		int64_t event_ns = sqlite3_column_int64(stmt, 0);

		while (at < s->rows && s->time_ns[at] < event_ns)
			at++;
		if (at < s->rows)
			s->cut[at] = true;
	}
	sqlite3_reset(stmt);
	return code;
}

/* Lists of samples reach back as far as the rows of all samples are kept. */
static enum ht_code limit_lists(struct ht_store *st,
				const struct ht_store_window *w,
				struct extent *e, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	if (w->parts < HT_SERIES_LISTS)
		return HT_OK;
	code = ht_store_sql(
		st,
		"SELECT at_ns FROM sample WHERE process_id = ? AND detail = 0 ORDER BY at_ns DESC LIMIT 1",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	code = ht_store_step(st, stmt, &row, err);
	if (code == HT_OK && row &&
	    sqlite3_column_int64(stmt, 0) >= e->raw_from_ns)
		e->raw_from_ns = sqlite3_column_int64(stmt, 0) + 1;
	sqlite3_reset(stmt);
	return code;
}

static enum ht_code read_window(struct ht_store *st, struct extent *e,
				struct ht_store_window *w, size_t max_rows,
				struct ht_series *ret, struct ht_err *err)
{
	int level = -1;
	enum ht_code code = limit_lists(st, w, e, err);

	if (code == HT_OK)
		code = choose(st, e, w, max_rows, &level, err);

	if (code != HT_OK)
		return code;
	if (level < 0) {
		if (w->from_ns < e->raw_from_ns)
			w->from_ns = e->raw_from_ns;
		return ht_store_raw(st, w, ret, err);
	}
	ret->step_ns = levels[level] * HT_NS_PER_S;
	return append_level(st, NULL, (size_t)level, e, w, ret, err);
}

struct query {
	struct ht_store_window window;
	size_t max_rows;
	struct ht_series *ret;
};

static enum ht_code run_query(struct ht_store *st, void *ctx,
			      struct ht_err *err)
{
	struct query *q = ctx;
	HT_AUTO_SERIES struct ht_series all;
	struct extent e = {0};
	enum ht_code code = read_extent(st, q->window.process_id, &e, err);

	begin_series(&all, &q->window);
	if (code == HT_OK)
		code = read_levels(st, q->window.process_id, &e, err);
	if (code == HT_OK)
		code = read_window(st, &e, &q->window, q->max_rows, &all, err);
	if (code == HT_OK)
		code = mark_events(st, &q->window, &all, err);
	if (code != HT_OK)
		return code;
	ht_series_fill_lines(&all);
	all.started_ns = e.started_ns;
	memcpy(all.target, e.target, sizeof(all.target));
	all.pid = e.pid;
	ht_series_fini(q->ret);
	begin_series(q->ret, &q->window);
	if (q->max_rows && all.rows > q->max_rows)
		return ht_series_window(&all, INT64_MIN, INT64_MAX, q->max_rows,
					q->ret, err);
	*q->ret = all;
	ht_series_init(&all);
	return HT_OK;
}

enum ht_code ht_store_series_of(struct ht_store *st, int64_t process_id,
				int64_t from_ns, int64_t to_ns, size_t max_rows,
				int parts, const bool metrics[HT_METRIC_COUNT],
				struct ht_series *ret, struct ht_err *err)
{
	struct query q = {.window = {process_id, from_ns < 0 ? 0 : from_ns,
				     to_ns, parts, metrics, false},
			  .max_rows = max_rows,
			  .ret = ret};

	return ht_store_reading(st, run_query, &q, err);
}

enum ht_code ht_store_series(struct ht_store *st, int64_t process_id,
			     int64_t from_ns, int64_t to_ns, size_t max_rows,
			     int parts, struct ht_series *ret,
			     struct ht_err *err)
{
	return ht_store_series_of(st, process_id, from_ns, to_ns, max_rows,
				  parts, NULL, ret, err);
}

/* --- mixed --------------------------------------------------------------- */

/* The samples: those that are remembered, and the others. */
static enum ht_code append_samples(struct ht_store *st, struct ht_past *past,
				   const struct ht_store_window *w,
				   struct ht_series *ret, struct ht_err *err)
{
	struct ht_store_window rest = *w, seen = *w;
	size_t first = ret->rows;
	enum ht_code code =
		ht_store_past_read(st, past, 0, &rest, w->from_ns, ret, err);

	if (code == HT_OK && rest.from_ns <= rest.to_ns)
		code = ht_store_raw(st, &rest, ret, err);
	if (code != HT_OK || ret->rows == first)
		return code;
	seen.to_ns = ret->time_ns[ret->rows - 1]; /* more may come until now */
	return ht_store_past_keep(st, past, 0, &seen, ret, first, err);
}

/* How far back each level is used, coarsest first; level 0: samples. */
static const int64_t ages_s[] = {0, 3600, 6 * 3600, 24 * 3600};

static enum ht_code append_ages(struct ht_store *st, struct ht_past *past,
				const struct extent *e,
				const struct ht_store_window *all,
				struct ht_series *ret, struct ht_err *err)
{
	struct ht_store_window w = *all;
	enum ht_code code = HT_OK;

	for (size_t i = LEVELS + 1; i-- > 0 && code == HT_OK;) {
		int64_t end = all->to_ns - ages_s[i] * HT_NS_PER_S;

		end -= i ? end % (3600 * HT_NS_PER_S) : 0;
		w.to_ns = i ? end - 1 : all->to_ns;
		if (w.to_ns < w.from_ns)
			continue;
		if (w.to_ns >= e->first_ns) /* else nothing was measured */
			code = i ? append_level(st, past, i - 1, e, &w, ret,
						err)
				 : append_samples(st, past, &w, ret, err);
		w.from_ns = w.to_ns + 1;
	}
	return code;
}

static enum ht_code run_mixed(struct ht_store *st, void *ctx,
			      struct ht_err *err)
{
	struct query *q = ctx;
	const struct ht_store_window *w = &q->window;
	struct ht_past *past = NULL;
	struct extent e = {0};
	enum ht_code code = read_extent(st, w->process_id, &e, err);

	ht_series_fini(q->ret);
	begin_series(q->ret, w);
	if (code == HT_OK)
		code = ht_store_past(st, w, e.first_ns, &past, err);
	if (code == HT_OK) /* of few samples each would have it grow */
		code = ht_series_reserve(
			q->ret, e.samples < RESERVED ? e.samples : RESERVED,
			err);
	if (code == HT_OK)
		code = append_ages(st, past, &e, w, q->ret, err);
	if (code == HT_OK)
		code = mark_events(st, w, q->ret, err);
	q->ret->started_ns = e.started_ns;
	memcpy(q->ret->target, e.target, sizeof(e.target));
	q->ret->pid = e.pid;
	return code;
}

enum ht_code ht_store_series_mixed(struct ht_store *st, int64_t process_id,
				   int64_t from_ns, int64_t to_ns, int parts,
				   const bool metrics[HT_METRIC_COUNT],
				   struct ht_series *ret, struct ht_err *err)
{
	struct query q = {.window = {process_id, from_ns < 0 ? 0 : from_ns,
				     to_ns, parts, metrics, false},
			  .ret = ret};

	return ht_store_reading(st, run_mixed, &q, err);
}
