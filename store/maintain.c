/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping the history small: hours are rolled up, what is old is thinned out.
 * Work comes in slices of some milliseconds, each a transaction of its own, so
 * that a loop can stop after any.
 *
 * A sample's life: all that changed is kept for `detail`; then only the samples
 * with all rows, one an hour; after `hourly` one a day. Its metrics are kept
 * for `raw`, then the roll-ups stand for them.
 */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum {
	SLICE_SAMPLES = 64,
	RUN_SAMPLES = 8,   /* between two looks at the clock */
	ROLL_LAG_S = 120,  /* samples of an hour may be written a little late */
	BASE_LAG_S = 1200, /* longer than changes lean on their base */
	DAY_S = 86400,
	SECONDS_MIN = 7200, /* an hour to be rolled up must still be there */
};
#define SQUEEZE_MIN 0.0005

struct work {
	const struct ht_store_policy *policy;
	int64_t now_s;
	int64_t end_ns; /* monotonic: when the budget is used */
	bool did;	/* the slice found something to do */
};

/* Whatever is older may go. */
static int64_t cutoff_ns(const struct ht_store *st, const struct work *w,
			 int64_t age_s)
{
	int64_t age = (int64_t)((double)age_s * st->squeeze);

	if (age < SECONDS_MIN)
		age = SECONDS_MIN;
	return (w->now_s - age) * HT_NS_PER_S;
}

static enum ht_code number(struct ht_store *st, const char *sql, int64_t a,
			   int64_t b, int64_t *ret, bool *ret_row,
			   struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	code = ht_store_step(st, stmt, ret_row, err);
	if (code == HT_OK && *ret_row)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return code;
}

static enum ht_code change(struct ht_store *st, const char *sql, int64_t a,
			   int64_t b, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	return ht_store_run(st, stmt, err);
}

/* --- roll-ups ------------------------------------------------------------ */

static enum ht_code next_unrolled(struct ht_store *st, const struct work *w,
				  int64_t *ret_process, int64_t *ret_hour_s,
				  bool *ret_found, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	code = ht_store_sql(st,
			    "SELECT id, rolled_s FROM process WHERE "
			    "rolled_s <= ? AND last_ns >= rolled_s * "
			    "1000000000 LIMIT 1",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->now_s - HT_ROLLUP_SPAN_S - ROLL_LAG_S);
	code = ht_store_step(st, stmt, ret_found, err);
	if (code == HT_OK && *ret_found) {
		*ret_process = sqlite3_column_int64(stmt, 0);
		*ret_hour_s = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_reset(stmt);
	return code;
}

/* An hour of one process, or a part of it when the time is up; hours without
 * samples are passed over. */
static enum ht_code roll(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct work *w = ctx;
	int64_t process_id = 0, hour_s = 0, first_ns = 0;
	bool found = false, row = false, done = true;
	enum ht_code code =
		next_unrolled(st, w, &process_id, &hour_s, &found, err);

	if (code != HT_OK || !found)
		return code;
	w->did = true;
	code = number(st,
		      "SELECT at_ns FROM sample WHERE process_id = ? AND "
		      "at_ns >= ? ORDER BY at_ns LIMIT 1",
		      process_id, hour_s * HT_NS_PER_S, &first_ns, &row, err);
	if (code != HT_OK)
		return code;
	if (!row) {
		/* thinned out meanwhile: nothing is left to roll up */
		return change(st,
			      "UPDATE process SET rolled_s = ?2 "
			      "WHERE id = ?1",
			      process_id, hour_s + HT_ROLLUP_SPAN_S, err);
	}
	if (first_ns / HT_NS_PER_S >= hour_s + HT_ROLLUP_SPAN_S) {
		hour_s = first_ns / HT_NS_PER_S;
		hour_s -= hour_s % HT_ROLLUP_SPAN_S;
	} else {
		code = ht_store_roll_hour(st, process_id, hour_s, w->end_ns,
					  &done, err);
		hour_s += HT_ROLLUP_SPAN_S;
	}
	if (code != HT_OK || !done)
		return code;
	return change(st, "UPDATE process SET rolled_s = ?2 WHERE id = ?1",
		      process_id, hour_s, err);
}

/* --- samples ------------------------------------------------------------- */

struct sample {
	int64_t id, process_id, at_ns;
};

/* The oldest samples with this detail that are over an age and rolled up. */
static enum ht_code oldest(struct ht_store *st, enum ht_detail detail,
			   int64_t before_ns, struct sample *ret, size_t *ret_n,
			   struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	*ret_n = 0;
	code = ht_store_sql(st,
			    "SELECT s.id, s.process_id, s.at_ns FROM sample s "
			    "JOIN process p ON p.id = s.process_id "
			    "WHERE s.detail = ? AND s.at_ns < ? AND "
			    "s.at_ns < p.rolled_s * 1000000000 "
			    "ORDER BY s.at_ns LIMIT ?",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, detail);
	sqlite3_bind_int64(stmt, 2, before_ns);
	sqlite3_bind_int64(stmt, 3, SLICE_SAMPLES);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row)
		ret[(*ret_n)++] =
			(struct sample){sqlite3_column_int64(stmt, 0),
					sqlite3_column_int64(stmt, 1),
					sqlite3_column_int64(stmt, 2)};
	return code;
}

static enum ht_code set_detail(struct ht_store *st, int64_t sample_id,
			       enum ht_detail detail, struct ht_err *err)
{
	return change(st, "UPDATE sample SET detail = ?2 WHERE id = ?1",
		      sample_id, detail, err);
}

static enum ht_code drop_details(struct ht_store *st, int64_t first_id,
				 int64_t last_id, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT && code == HT_OK;
	     id++)
		if (ht_record_table(id))
			code = ht_record_delete(st, id, first_id, last_id, err);
	if (code != HT_OK)
		return code;
	return change(st,
		      "UPDATE sample SET detail = 0 WHERE id BETWEEN ? AND ?",
		      first_id, last_id, err);
}

static enum ht_code drop_samples(struct ht_store *st, int64_t first_id,
				 int64_t last_id, struct ht_err *err)
{
	return change(st, "DELETE FROM sample WHERE id BETWEEN ? AND ?",
		      first_id, last_id, err);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = ((const struct sample *)a)->id;
	int64_t y = ((const struct sample *)b)->id;

	return (x > y) - (x < y);
}

/* Neighbours go together: finding each alone costs more than removing it. Until
 * the time is up; sorts the samples by number. */
static enum ht_code
each_run(struct ht_store *st, const struct work *w, struct sample *s, size_t n,
	 enum ht_code (*drop)(struct ht_store *st, int64_t first_id,
			      int64_t last_id, struct ht_err *err),
	 struct ht_err *err)
{
	enum ht_code code = HT_OK;

	qsort(s, n, sizeof(*s), by_number);
	for (size_t i = 0, end; i < n && code == HT_OK; i = end) {
		end = i + 1;
		while (end < n && end < i + RUN_SAMPLES &&
		       s[end].id == s[end - 1].id + 1)
			end++;
		code = drop(st, s[i].id, s[end - 1].id, err);
		if (ht_mono_ns() >= w->end_ns)
			break;
	}
	return code;
}

/* All rows of the oldest samples with this detail go. */
static enum ht_code drop_oldest(struct ht_store *st, struct work *w,
				enum ht_detail detail, int64_t before_ns,
				struct ht_err *err)
{
	struct sample s[SLICE_SAMPLES];
	size_t n;
	enum ht_code code = oldest(st, detail, before_ns, s, &n, err);

	w->did = n > 0;
	if (code == HT_OK)
		code = each_run(st, w, s, n, drop_details, err);
	return code;
}

static enum ht_code thin_changes(struct ht_store *st, void *ctx,
				 struct ht_err *err)
{
	struct work *w = ctx;

	return drop_oldest(st, w, HT_DETAIL_CHANGES,
			   cutoff_ns(st, w, w->policy->detail_s), err);
}

/* Of each span of time the first sample rises to `next`; the others lose their
 * rows. */
static enum ht_code thin_full(struct ht_store *st, struct work *w,
			      enum ht_detail detail, int64_t before_ns,
			      int64_t span_s, struct ht_err *err)
{
	struct sample s[SLICE_SAMPLES];
	size_t n;
	bool found;
	enum ht_code code = oldest(st, detail, before_ns, s, &n, err);

	for (size_t i = 0; i < n && code == HT_OK; i++) {
		int64_t span_ns = span_s * HT_NS_PER_S;
		sqlite3_stmt *stmt;

		code = ht_store_sql(st,
				    "SELECT id FROM sample WHERE "
				    "process_id = ? AND at_ns >= ? AND "
				    "at_ns < ? AND detail >= ?",
				    &stmt, err);
		if (code != HT_OK)
			return code;
		sqlite3_bind_int64(stmt, 1, s[i].process_id);
		sqlite3_bind_int64(stmt, 2, s[i].at_ns - s[i].at_ns % span_ns);
		sqlite3_bind_int64(stmt, 3, s[i].at_ns);
		sqlite3_bind_int64(stmt, 4, detail);
		code = ht_store_step(st, stmt, &found, err);
		sqlite3_reset(stmt);
		if (code == HT_OK)
			code = found ? drop_details(st, s[i].id, s[i].id, err)
				     : set_detail(st, s[i].id, detail + 1, err);
		if (ht_mono_ns() >= w->end_ns)
			break;
	}
	w->did = n > 0;
	return code;
}

static enum ht_code thin_bases(struct ht_store *st, void *ctx,
			       struct ht_err *err)
{
	struct work *w = ctx;

	return thin_full(st, w, HT_DETAIL_FULL,
			 cutoff_ns(st, w, w->policy->detail_s) -
				 BASE_LAG_S * HT_NS_PER_S,
			 HT_ROLLUP_SPAN_S, err);
}

static enum ht_code thin_hourly(struct ht_store *st, void *ctx,
				struct ht_err *err)
{
	struct work *w = ctx;

	return thin_full(st, w, HT_DETAIL_HOURLY,
			 cutoff_ns(st, w, w->policy->hourly_s), DAY_S, err);
}

static enum ht_code end_daily(struct ht_store *st, void *ctx,
			      struct ht_err *err)
{
	struct work *w = ctx;

	return drop_oldest(st, w, HT_DETAIL_DAILY,
			   cutoff_ns(st, w, w->policy->hour_s), err);
}

static enum ht_code end_raw(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct work *w = ctx;
	struct sample s[SLICE_SAMPLES];
	size_t n;
	enum ht_code code =
		oldest(st, HT_DETAIL_NONE, cutoff_ns(st, w, w->policy->raw_s),
		       s, &n, err);

	w->did = n > 0;
	for (size_t i = 0; i < n && code == HT_OK; i++)
		/* in order of time: a later one of the same says it all, also
		 * for those that the next slice takes */
		if (i + 1 == n || s[i + 1].process_id != s[i].process_id)
			code = change(st,
				      "UPDATE process SET raw_from_ns = "
				      "max(raw_from_ns, ?2) WHERE id = ?1",
				      s[i].process_id, s[i].at_ns + 1, err);
	if (code == HT_OK)
		code = each_run(st, w, s, n, drop_samples, err);
	return code;
}

/* --- once an hour, process by process ------------------------------------ */

/* At most six hours of minutes, or as many rows of a coarser level, at a time;
 * *ret_more: there are more. */
static enum ht_code drop_level(struct ht_store *st, int64_t process_id,
			       int64_t level_s, int64_t before_s,
			       bool *ret_more, struct ht_err *err)
{
	int64_t most_s = DAY_S / 4 * (level_s / 60);
	int64_t first_s = 0;
	bool row;
	enum ht_code code =
		number(st,
		       "SELECT at_s FROM rollup WHERE process_id = ? AND "
		       "level_s = ? AND stat = 'median' ORDER BY at_s LIMIT 1",
		       process_id, level_s, &first_s, &row, err);

	/* Whole hours: size classes begin anew with each. */
	before_s -= before_s % HT_ROLLUP_SPAN_S;
	if (code != HT_OK || !row || first_s >= before_s)
		return code;
	if (before_s > first_s + most_s) {
		before_s = first_s + most_s;
		*ret_more = true;
	}
	return ht_store_forget_rollups(st, process_id, level_s, INT64_MIN,
				       before_s - 1, err);
}

static enum ht_code drop_old(struct ht_store *st, const struct work *w,
			     int64_t process_id, bool *ret_more,
			     struct ht_err *err)
{
	const struct {
		int64_t level_s, age_s;
	} ages[] = {{60, w->policy->minute_s},
		    {600, w->policy->ten_minutes_s},
		    {3600, w->policy->hour_s}};
	int64_t last_ns = cutoff_ns(st, w, w->policy->hour_s);
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < 3 && code == HT_OK; i++)
		code = drop_level(st, process_id, ages[i].level_s,
				  cutoff_ns(st, w, ages[i].age_s) / HT_NS_PER_S,
				  ret_more, err);
	if (code == HT_OK)
		code = change(st,
			      "DELETE FROM event WHERE process_id = ? AND "
			      "at_ns < ?",
			      process_id, last_ns, err);
	if (code == HT_OK)
		code = change(st,
			      "DELETE FROM verdict WHERE process_id = ? AND "
			      "at_ns < ?",
			      process_id, cutoff_ns(st, w, w->policy->minute_s),
			      err);
	if (code != HT_OK)
		return code;
	/* What is left of a process that is long gone goes with it. */
	return change(st,
		      "DELETE FROM process WHERE id = ? AND last_ns < ? AND "
		      "NOT EXISTS (SELECT 1 FROM rollup r WHERE r.process_id "
		      "= process.id) AND NOT EXISTS (SELECT 1 FROM sample s "
		      "WHERE s.process_id = process.id)",
		      process_id, last_ns, err);
}

/* The next process of this hour's round. */
static enum ht_code next_process(struct ht_store *st, void *ctx,
				 struct ht_err *err)
{
	struct work *w = ctx;
	int64_t id = 0, hour = w->now_s / HT_ROLLUP_SPAN_S;
	bool row, more = false;
	enum ht_code code;

	if (st->round_done == hour)
		return HT_OK;
	code = number(st,
		      "SELECT id FROM process WHERE id > ? ORDER BY id LIMIT 1",
		      st->round_at, 0, &id, &row, err);
	if (code != HT_OK)
		return code;
	w->did = true;
	if (!row) {
		st->round_at = 0;
		st->round_done = hour;
		return change(st,
			      "DELETE FROM event WHERE process_id IS NULL AND "
			      "at_ns < ?1",
			      cutoff_ns(st, w, w->policy->hour_s), 0, err);
	}
	code = drop_old(st, w, id, &more, err);
	if (!more)
		st->round_at = id; /* else it is its turn again */
	return code;
}

/* --- size ---------------------------------------------------------------- */

static enum ht_code pages(struct ht_store *st, int64_t *ret_used,
			  int64_t *ret_free, int64_t *ret_size,
			  struct ht_err *err)
{
	int64_t all = 0;
	bool row;
	enum ht_code code =
		number(st, "PRAGMA page_count", 0, 0, &all, &row, err);

	if (code == HT_OK)
		code = number(st, "PRAGMA freelist_count", 0, 0, ret_free, &row,
			      err);
	if (code == HT_OK)
		code = number(st, "PRAGMA page_size", 0, 0, ret_size, &row,
			      err);
	*ret_used = all - *ret_free;
	return code;
}

enum ht_code ht_store_size(struct ht_store *st, int64_t *ret_bytes,
			   struct ht_err *err)
{
	int64_t used = 0, unused = 0, size = 0;
	enum ht_code code = pages(st, &used, &unused, &size, err);

	if (code == HT_OK)
		*ret_bytes = used * size;
	return code;
}

/* Too large: all ages shrink by a tenth, and the round begins again. With room
 * again they come back slowly. */
static enum ht_code fit(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct work *w = ctx;
	int64_t bytes = 0, hour = w->now_s / HT_ROLLUP_SPAN_S;
	enum ht_code code;

	if (w->policy->max_bytes <= 0) {
		st->squeeze = 1;
		return HT_OK;
	}
	code = ht_store_size(st, &bytes, err);
	if (code != HT_OK)
		return code;
	if (bytes > w->policy->max_bytes && st->squeeze > SQUEEZE_MIN) {
		st->squeeze *= 0.9;
		st->round_done = st->round_at = 0;
		w->did = true;
	} else if (bytes < w->policy->max_bytes / 10 * 8 && st->squeeze < 1 &&
		   st->eased != hour) {
		st->squeeze = st->squeeze * 1.05 > 1 ? 1 : st->squeeze * 1.05;
		st->eased = hour;
	}
	return HT_OK;
}

/* Gives disk back when more than a quarter of the file is empty. */
static enum ht_code shrink(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct work *w = ctx;
	int64_t used = 0, unused = 0, size = 0;
	enum ht_code code = pages(st, &used, &unused, &size, err);

	if (code != HT_OK || unused < 256 || unused < used / 3)
		return code;
	w->did = true;
	return ht_store_exec(st, "PRAGMA incremental_vacuum(128)", err);
}

/* --- slices -------------------------------------------------------------- */

static enum ht_code (*const slices[])(struct ht_store *st, void *ctx,
				      struct ht_err *err) = {
	roll,	 thin_changes, thin_bases, thin_hourly, end_daily,
	end_raw, next_process, fit,	   shrink};

enum ht_code ht_store_maintain(struct ht_store *st,
			       const struct ht_store_policy *policy,
			       int64_t now_ns, int64_t budget_ns,
			       bool *ret_done, struct ht_err *err)
{
	struct work w = {.policy = policy,
			 .now_s = now_ns / HT_NS_PER_S,
			 .end_ns = ht_mono_ns() + budget_ns};
	size_t i = 0;

	*ret_done = false;
	if (st->begun)
		return ht_fail(err, HT_BUG, "%s: maintenance inside a begin",
			       st->path);
	while (i < sizeof(slices) / sizeof(slices[0])) {
		enum ht_code code;

		w.did = false;
		code = ht_store_in_transaction(st, slices[i], &w, err);
		if (code != HT_OK)
			return code;
		if (!w.did)
			i++; /* what it looks for is not there */
		else if (slices[i] == fit)
			i = 0;
		if (w.did && ht_mono_ns() >= w.end_ns)
			return HT_OK;
	}
	*ret_done = true;
	return HT_OK;
}
