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
	BASE_LAG_S = 1200, /* longer than changes lean on their base */
	DAY_S = 86400,
	SECONDS_MIN = 7200, /* an hour to be rolled up must still be there */
};
#define SQUEEZE_MIN 0.0005

struct work {
	const struct ht_store_policy *policy;
	int64_t now_s;
	bool did; /* the slice found something to do */
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

/* --- samples ------------------------------------------------------------- */

struct sample {
	int64_t id, process_id, at_ns;
};

/* Of a statement of their three columns, whose third parameter says how many:
 * at most SLICE_SAMPLES. */
static enum ht_code take_samples(struct ht_store *st, sqlite3_stmt *stmt,
				 struct sample *ret, size_t *ret_n,
				 struct ht_err *err)
{
	enum ht_code code;
	bool row;

	sqlite3_bind_int64(stmt, 3, SLICE_SAMPLES);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row)
		ret[(*ret_n)++] =
			(struct sample){sqlite3_column_int64(stmt, 0),
					sqlite3_column_int64(stmt, 1),
					sqlite3_column_int64(stmt, 2)};
	return code;
}

/* The oldest samples with this detail that are over an age and rolled up. */
static enum ht_code oldest(struct ht_store *st, enum ht_detail detail,
			   int64_t before_ns, struct sample *ret, size_t *ret_n,
			   struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	*ret_n = 0;
	code = ht_store_sql(
		st,
		"SELECT s.id, s.process_id, s.at_ns\n"
		"FROM sample s\n"
		"JOIN process p ON p.id = s.process_id\n"
		"WHERE s.detail = ? AND s.detail > 0 AND s.at_ns < ? AND s.at_ns < p.rolled_s * 1000000000\n"
		"ORDER BY s.at_ns LIMIT ?",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, detail);
	sqlite3_bind_int64(stmt, 2, before_ns);
	return take_samples(st, stmt, ret, ret_n, err);
}

static enum ht_code set_detail(struct ht_store *st, int64_t sample_id,
			       enum ht_detail detail, struct ht_err *err)
{
	return ht_store_change(st,
			       "UPDATE sample SET detail = ?2 WHERE id = ?1",
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
	if (code == HT_OK)
		code = ht_store_change(
			st,
			"UPDATE sample SET detail = 0 WHERE id BETWEEN ? AND ?",
			first_id, last_id, err);
	if (code != HT_OK)
		return code;
	/* whose metrics would have gone with those around it */
	return ht_store_change(
		st,
		"DELETE FROM sample WHERE id BETWEEN ? AND ? AND at_ns < (SELECT raw_from_ns FROM process p WHERE p.id = process_id)",
		first_id, last_id, err);
}

static enum ht_code drop_span(struct ht_store *st, int64_t process_id,
			      int64_t from_ns, int64_t to_ns,
			      struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"DELETE FROM sample WHERE process_id = ? AND at_ns BETWEEN ? AND ? AND detail = 0",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, from_ns);
	sqlite3_bind_int64(stmt, 3, to_ns);
	return ht_store_run(st, stmt, err);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = ((const struct sample *)a)->id;
	int64_t y = ((const struct sample *)b)->id;

	return (x > y) - (x < y);
}

/* Neighbours go together: finding each alone costs more than removing it. As
 * far as the slice allows; sorts the samples by number. */
static enum ht_code
each_run(struct ht_store *st, struct sample *s, size_t n,
	 enum ht_code (*drop)(struct ht_store *st, int64_t first_id,
			      int64_t last_id, struct ht_err *err),
	 struct ht_err *err)
{
	enum ht_code code = HT_OK;

	qsort(s, n, sizeof(*s), by_number);
	for (size_t i = 0, end; i < n && code == HT_OK; i = end) {
		size_t most = i + ht_slice_rows(st, HT_STEP_DROP);

		end = i + 1;
		while (end < n && end < most && s[end].id == s[end - 1].id + 1)
			end++;
		code = drop(st, s[i].id, s[end - 1].id, err);
		ht_slice_step(st, HT_STEP_DROP);
		if (!ht_slice_fits(st, HT_STEP_DROP))
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
		code = each_run(st, s, n, drop_details, err);
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

		code = ht_store_sql(
			st,
			"SELECT id FROM sample WHERE process_id = ? AND at_ns >= ? AND at_ns < ? AND detail >= ?",
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
		ht_slice_step(st, HT_STEP_WHOLE);
		if (!ht_slice_fits(st, HT_STEP_WHOLE))
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

/* --- once an hour, process by process ------------------------------------ */

/* The oldest samples of a process of which nothing but their metrics is kept,
 * and no longer; the others go when they lose what is kept. */
static enum ht_code oldest_raw(struct ht_store *st, int64_t process_id,
			       int64_t before_ns, struct sample *ret,
			       size_t *ret_n, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	*ret_n = 0;
	code = ht_store_sql(
		st,
		"SELECT s.id, s.process_id, s.at_ns\n"
		"FROM process p\n"
		"CROSS\n"
		"JOIN sample s ON s.process_id = p.id\n"
		"WHERE p.id = ?1 AND s.at_ns >= p.raw_from_ns AND s.at_ns < min(?2, p.rolled_s * 1000000000) AND s.detail = 0\n"
		"ORDER BY s.at_ns LIMIT ?3",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, before_ns);
	return take_samples(st, stmt, ret, ret_n, err);
}

static enum ht_code drop_raw(struct ht_store *st, const struct work *w,
			     int64_t process_id, bool *ret_more,
			     struct ht_err *err)
{
	struct sample s[SLICE_SAMPLES];
	size_t n;
	enum ht_code code = oldest_raw(
		st, process_id, cutoff_ns(st, w, w->policy->raw_s), s, &n, err);

	for (size_t i = 0, end; i < n && code == HT_OK; i = end) {
		end = i + ht_slice_rows(st, HT_STEP_DROP);
		if (end > n)
			end = n;
		*ret_more = true;
		code = ht_store_change(
			st,
			"UPDATE process SET raw_from_ns = max(raw_from_ns, ?2) WHERE id = ?1",
			process_id, s[end - 1].at_ns + 1, err);
		if (code == HT_OK)
			code = drop_span(st, process_id, s[i].at_ns,
					 s[end - 1].at_ns, err);
		ht_slice_step(st, HT_STEP_DROP);
		if (!ht_slice_fits(st, HT_STEP_DROP))
			break;
	}
	return code;
}

/* Buckets of one level that are over an age, some at a time; *ret_more: there
 * are more. Whole hours, the newest of each first: lists begin anew with each
 * hour, so that what is left of one is right at any moment. */
static enum ht_code drop_level(struct ht_store *st, const struct work *w,
			       int64_t process_id, int64_t level_s,
			       int64_t age_s, bool *ret_more,
			       struct ht_err *err)
{
	const enum ht_step kind =
		level_s == 60 ? HT_STEP_MINUTES : HT_STEP_FORGET;
	int64_t before_s = cutoff_ns(st, w, age_s) / HT_NS_PER_S;
	int64_t first_s = 0, last_s = 0;
	bool found;
	enum ht_code code = HT_OK;

	do {
		code = ht_store_number(
			st,
			"SELECT at_s FROM rollup WHERE process_id = ? AND level_s = ? AND stat = 'median' ORDER BY at_s LIMIT 1",
			process_id, level_s, &first_s, &found, err);
		if (code != HT_OK || !found ||
		    first_s >= ht_rollup_hour(before_s))
			return code;
		*ret_more = true;
		code = ht_store_newest_bucket(st, process_id, level_s,
					      ht_rollup_hour(first_s), &last_s,
					      &found, err);
		if (code == HT_OK)
			code = ht_store_forget_rollups(
				st, process_id, level_s,
				last_s - ((int64_t)ht_slice_rows(st, kind) -
					  1) * level_s,
				last_s, err);
		ht_slice_step(st, kind);
	} while (code == HT_OK && ht_slice_fits(st, kind));
	return code;
}

/* What is of no hour, some at a time. */
static enum ht_code drop_told(struct ht_store *st, const struct work *w,
			      int64_t process_id, bool *ret_more,
			      struct ht_err *err)
{
	/* Of looks at types one an hour is kept, then one a day. */
	const struct {
		const char *sql;
		int64_t age_s;
	} told[] = {
		{"DELETE FROM type_look WHERE id IN (SELECT id FROM type_look WHERE process_id = ? AND at_ns < ? ORDER BY at_ns LIMIT ?)",
		 w->policy->hour_s},
		{"DELETE FROM type_look WHERE id IN (SELECT l.id FROM type_look l WHERE l.process_id = ? AND l.at_ns < ? AND EXISTS (SELECT 1 FROM type_look o WHERE o.process_id = l.process_id AND o.at_ns < l.at_ns AND o.at_ns >= l.at_ns - l.at_ns % 3600000000000) ORDER BY l.at_ns LIMIT ?)",
		 w->policy->detail_s},
		{"DELETE FROM type_look WHERE id IN (SELECT l.id FROM type_look l WHERE l.process_id = ? AND l.at_ns < ? AND EXISTS (SELECT 1 FROM type_look o WHERE o.process_id = l.process_id AND o.at_ns < l.at_ns AND o.at_ns >= l.at_ns - l.at_ns % 86400000000000) ORDER BY l.at_ns LIMIT ?)",
		 w->policy->hourly_s},
		{"DELETE FROM event WHERE id IN (SELECT id FROM event WHERE process_id = ? AND at_ns < ? ORDER BY at_ns LIMIT ?)",
		 w->policy->hour_s},
		{"DELETE FROM who WHERE id IN (SELECT id FROM who WHERE process_id = ? AND at_ns < ? ORDER BY at_ns LIMIT ?)",
		 w->policy->hour_s},
		{"DELETE FROM verdict WHERE id IN (SELECT id FROM verdict WHERE process_id = ? AND at_ns < ? ORDER BY at_ns LIMIT ?)",
		 w->policy->minute_s}};
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < sizeof(told) / sizeof(*told) && code == HT_OK;
	     i++) {
		int64_t rows = (int64_t)ht_slice_rows(st, HT_STEP_TOLD);
		sqlite3_stmt *stmt;

		code = ht_store_sql(st, told[i].sql, &stmt, err);
		if (code != HT_OK)
			return code;
		sqlite3_bind_int64(stmt, 1, process_id);
		sqlite3_bind_int64(stmt, 2, cutoff_ns(st, w, told[i].age_s));
		sqlite3_bind_int64(stmt, 3, rows);
		code = ht_store_run(st, stmt, err);
		*ret_more |= sqlite3_changes(st->db) == rows;
		ht_slice_step(st, HT_STEP_TOLD);
	}
	return code;
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
	enum ht_code code = drop_raw(st, w, process_id, ret_more, err);

	for (size_t i = 0; i < 3 && code == HT_OK; i++)
		code = drop_level(st, w, process_id, ages[i].level_s,
				  ages[i].age_s, ret_more, err);
	if (code == HT_OK)
		code = drop_told(st, w, process_id, ret_more, err);
	if (code != HT_OK)
		return code;
	/* What is left of a process that is long gone goes with it. */
	return ht_store_change(
		st,
		"DELETE\n"
		"FROM process\n"
		"WHERE id = ? AND last_ns < ?\n"
		"AND NOT EXISTS (SELECT 1 FROM rollup r WHERE r.process_id = process.id)\n"
		"AND NOT EXISTS (SELECT 1 FROM sample s WHERE s.process_id = process.id)",
		process_id, cutoff_ns(st, w, w->policy->hour_s), err);
}

/* What is of no process, or of none any more: events, and stacks and names that
 * nothing uses. */
static enum ht_code drop_nobodys(struct ht_store *st, const struct work *w,
				 bool *ret_more, struct ht_err *err)
{
	static const char *const unused[] = {
		"DELETE FROM stack WHERE id IN (SELECT id FROM stack k WHERE NOT EXISTS (SELECT 1 FROM site s WHERE s.stack_id = k.id) LIMIT ?1)",
		"DELETE FROM type WHERE id IN (SELECT id FROM type t WHERE NOT EXISTS (SELECT 1 FROM type_use u WHERE u.type_id = t.id) LIMIT ?1)"};
	int64_t rows = (int64_t)ht_slice_rows(st, HT_STEP_TOLD);
	enum ht_code code = ht_store_change(
		st, "DELETE FROM event WHERE process_id IS NULL AND at_ns < ?1",
		cutoff_ns(st, w, w->policy->hour_s), 0, err);

	*ret_more = false;
	for (size_t i = 0; i < 2 && code == HT_OK; i++) {
		code = ht_store_change(st, unused[i], rows, 0, err);
		*ret_more |= code == HT_OK && sqlite3_changes(st->db) == rows;
		ht_slice_step(st, HT_STEP_TOLD);
	}
	return code;
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
	code = ht_store_number(
		st, "SELECT id FROM process WHERE id > ? ORDER BY id LIMIT 1",
		st->round_at, 0, &id, &row, err);
	if (code != HT_OK)
		return code;
	w->did = true;
	if (!row) {
		code = drop_nobodys(st, w, &more, err);
		if (!more) { /* else once more */
			st->round_at = 0;
			st->round_done = hour;
		}
		return code;
	}
	code = drop_old(st, w, id, &more, err);
	if (!more)
		st->round_at = id; /* else it is its turn again */
	return code;
}

/* --- size ---------------------------------------------------------------- */

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

static enum ht_code shrink(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct work *w = ctx;

	return ht_store_shrink(st, &w->did, err);
}

static enum ht_code roll(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct work *w = ctx;

	return ht_store_roll(st, w->now_s, &w->did, err);
}

/* --- slices -------------------------------------------------------------- */

static enum ht_code (*const slices[])(struct ht_store *st, void *ctx,
				      struct ht_err *err) = {
	roll,	   thin_changes, thin_bases, thin_hourly,
	end_daily, next_process, fit,	     shrink};

static enum ht_code run_slices(struct ht_store *st, struct work *w,
			       bool *ret_done, struct ht_err *err)
{
	size_t i = 0;

	while (i < sizeof(slices) / sizeof(slices[0])) {
		enum ht_code code;

		w->did = false;
		code = ht_store_in_transaction(st, slices[i], w, err);
		if (code != HT_OK)
			return code;
		if (!w->did)
			i++; /* what it looks for is not there */
		else if (slices[i] == fit)
			i = 0;
		if (w->did && !ht_slice_goes_on(st))
			return HT_OK;
	}
	*ret_done = true;
	return HT_OK;
}

/* What upkeep made is made again if it is lost: its commits do not wait for the
 * disk, which would take longer than the work. The next sample's waits for
 * them, too; a power loss takes the newest of them, never one in between. */
enum ht_code ht_store_maintain(struct ht_store *st,
			       const struct ht_store_policy *policy,
			       int64_t now_ns, int64_t budget_ns,
			       bool *ret_done, struct ht_err *err)
{
	struct work w = {.policy = policy, .now_s = now_ns / HT_NS_PER_S};
	enum ht_code code;

	*ret_done = false;
	if (st->begun)
		return ht_fail(err, HT_BUG, "%s: maintenance inside a begin",
			       st->path);
	ht_slice_begin(st, budget_ns);
	if (ht_store_is_due(st)) /* as dear as a slice: a slice of its own */
		return ht_store_checkpoint(st, err);
	code = ht_store_exec(st, "PRAGMA synchronous = NORMAL", err);
	if (code == HT_OK)
		code = run_slices(st, &w, ret_done, err);
	if (sqlite3_exec(st->db, "PRAGMA synchronous = FULL", NULL, NULL,
			 NULL) != SQLITE_OK &&
	    code == HT_OK)
		code = ht_store_fail(st, "wait for the disk again", err);
	return code;
}
